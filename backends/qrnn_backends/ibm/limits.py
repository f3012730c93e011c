"""The limits that IBM sets to a job, and the division of a batch by them.

As in IBM's guides on job limits and on the execution of dynamic circuits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qrnn_backends.ibm.sampling import Pub
from qrnn_circuits.circuits.qiskit.mid_circuit import plain_name

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction, Clbit, Qubit

# 2,400 broadcasts of one bit fill a job, as 300 of 60 bits do. In between, the cost of a broadcast
# is taken to grow by the same amount with every bit: (52 + 7 bits) / 59 broadcasts of one bit.
_FIXED_COST, _COST_PER_BIT = 52, 7
_UNIT = _FIXED_COST + _COST_PER_BIT
_MOST_BITS = 32

# Instructions of the control system for one of the circuit.
_INSTRUCTIONS = {"rz": 1, "delay": 1, "measure": 10, "reset": 17}
_OF_OTHER_GATES = {1: 2, 2: 5}
_INITIALISATION = 50


class JobLimitError(ValueError):
    """A circuit is too large for a job."""


class Load(NamedTuple):
    """What circuits take of the limits of a job.

    Attributes:
        broadcasts: Transfers of measured bits to conditions, in parts of ``1 / 59`` of one of a
            single bit.
        executions: Circuits times shots.
        instructions: Of the control system, of the qubit that has most.
    """

    broadcasts: int
    executions: int
    instructions: int

    def times(self, number: int) -> "Load":
        """Of so many equal circuits."""
        return Load(*(number * part for part in self))

    def plus(self, other: "Load") -> "Load":
        """Of both."""
        return Load(*(a + b for a, b in zip(self, other, strict=True)))

    def fits(self, free: "Load") -> int | None:
        """How often it fits into what is free; None for any number of times."""
        times = [room // part for part, room in zip(self, free, strict=True) if part]
        return min(times, default=None)


LIMITS = Load(broadcasts=2_400 * _UNIT, executions=10_000_000, instructions=26_800_000)
"""What a job may take."""

_WAYS_OUT = {
    "broadcasts": (
        "Use fewer steps, or circuits without conditions, such as those of the realisations "
        "'postselect', 'amplified' and 'multiplexed'."
    ),
    "executions": "Give fewer shots, and several such circuits if you need more.",
    "instructions": "Use fewer steps.",
}


@dataclass(frozen=True)
class Division:
    """A batch in jobs.

    Attributes:
        jobs: What each runs; one job has one number of shots.
        reason: Why there are several, in a line; None for one job.
    """

    jobs: tuple[tuple[Pub, ...], ...]
    reason: str | None


def broadcasts(circuit: "QuantumCircuit") -> list[int]:
    """Numbers of bits that are transferred to conditions.

    A condition needs its bits; the next one on just the same bits needs them again only if one of
    them has been measured since.

    Args:
        circuit: The circuit.
    """
    from qiskit.circuit.controlflow import condition_resources

    sizes = []
    known: set[frozenset[Clbit]] = set()
    for instruction in circuit.data:
        if instruction.name == "if_else":
            found = condition_resources(instruction.operation.condition)
            bits = frozenset(found.clbits).union(*found.cregs)
            if bits not in known:
                sizes.append(len(bits))
                known.add(bits)
        elif instruction.clbits:
            known = {bits for bits in known if bits.isdisjoint(instruction.clbits)}
    return sizes


def load_of(circuit: "QuantumCircuit", shots: int) -> Load:
    """What one run of a circuit takes.

    Args:
        circuit: On the chip's qubits.
        shots: How often it is run.

    Raises:
        JobLimitError: If a condition has too many bits.
    """
    sizes = broadcasts(circuit)
    if sizes and max(sizes) > _MOST_BITS:
        raise JobLimitError(
            f"a condition must have at most {_MOST_BITS} bits on IBM's chips, got one of "
            f"{max(sizes)}: nothing was sent; use several conditions of fewer measured values"
        )
    counts: dict[Qubit, int] = {}
    _count(circuit.data, {qubit: qubit for qubit in circuit.qubits}, counts)
    return Load(
        broadcasts=sum(_FIXED_COST + _COST_PER_BIT * size for size in sizes),
        executions=shots,
        instructions=_INITIALISATION + max(counts.values(), default=0),
    )


def divide(pubs: Sequence[Pub], runs: Callable[[int], int] = lambda shots: shots) -> Division:
    """Divides a batch into as few jobs as fit, by first fit of the largest circuits first.

    Args:
        pubs: The batch.
        runs: How often a circuit of some shots is run.

    Returns:
        The jobs; a circuit with many rows of values may be in several of them.

    Raises:
        JobLimitError: If one circuit is too large for a job by itself.
    """
    jobs: list[tuple[Pub, ...]] = []
    reasons = []
    by_shots: dict[int, list[tuple[Pub, Load]]] = {}
    for pub in pubs:
        load = load_of(pub.circuit, runs(pub.shots))
        _check(load, pub)
        by_shots.setdefault(pub.shots, []).append((pub, load))
    for loads in by_shots.values():
        found = _first_fit(loads)
        if len(found) > 1:
            total = Load(0, 0, 0)
            for pub, load in loads:
                total = total.plus(load.times(len(pub.places)))
            reasons += [_shown(total, name) for name in _exceeded(total)]
        jobs += found
    if len(by_shots) > 1:
        reasons.insert(0, f"there are {len(by_shots)} numbers of shots, of which a job has one")
    reason = f"the batch takes {len(jobs)} jobs: {'; '.join(dict.fromkeys(reasons))}"
    return Division(tuple(jobs), reason if len(jobs) > 1 else None)


def _first_fit(loads: Sequence[tuple[Pub, Load]]) -> list[tuple[Pub, ...]]:
    def share(entry: tuple[Pub, Load]) -> float:
        return max(part / limit for part, limit in zip(entry[1], LIMITS, strict=True))

    jobs: list[list[Pub]] = []
    taken: list[Load] = []
    for pub, load in sorted(loads, key=share, reverse=True):
        done, number = 0, 0
        while done < len(pub.places):
            if number == len(jobs):
                jobs.append([])
                taken.append(Load(0, 0, 0))
            free = LIMITS.plus(taken[number].times(-1))
            most = load.fits(free)
            rows = len(pub.places) - done
            rows = rows if most is None else min(most, rows)
            if rows:
                jobs[number].append(pub.part(done, done + rows))
                taken[number] = taken[number].plus(load.times(rows))
                done += rows
            number += 1
    return [tuple(job) for job in jobs]


def _check(load: Load, pub: Pub) -> None:
    """Refuses a circuit that no job can hold."""
    for name in _exceeded(load):
        raise JobLimitError(
            f"circuit {pub.places[0]} of the batch needs too much for a job: {_shown(load, name)}; "
            f"nothing was sent. {_WAYS_OUT[name]}"
        )


def _exceeded(load: Load) -> list[str]:
    return [
        name for name, part, limit in zip(Load._fields, load, LIMITS, strict=True) if part > limit
    ]


def _shown(load: Load, name: str) -> str:
    part, limit = getattr(load, name), getattr(LIMITS, name)
    if name == "broadcasts":
        return (
            # Rounded up, so that what is above the limit reads so.
            f"conditions that cost {-(-part // _UNIT):,} one-bit broadcasts, of which a job holds "
            f"{limit // _UNIT:,}"
        )
    if name == "executions":
        return f"{part:,} executions (circuits times shots), of which a job holds {limit:,}"
    return f"{part:,} control instructions on a qubit, of which a job holds {limit:,}"


def _count(
    instructions: "Iterable[CircuitInstruction]",
    outer: "dict[Qubit, Qubit]",
    counts: "dict[Qubit, int]",
) -> None:
    """Adds up control instructions by qubit, conditions counted as run."""
    for instruction in instructions:
        if instruction.name == "barrier":
            continue
        qubits = [outer[qubit] for qubit in instruction.qubits]
        if instruction.name == "if_else":
            for block in instruction.operation.blocks:
                _count(block.data, dict(zip(block.qubits, qubits, strict=True)), counts)
            continue
        usual = _OF_OTHER_GATES.get(len(qubits), 0)
        cost = _INSTRUCTIONS.get(plain_name(instruction.name), usual)
        for qubit in qubits:
            counts[qubit] = counts.get(qubit, 0) + cost
