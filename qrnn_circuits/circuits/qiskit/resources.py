"""Counts of a Qiskit circuit, and what a chip's calibration data say about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, prod
from typing import TYPE_CHECKING, Any, NamedTuple

from qrnn_circuits.circuits.qiskit.mid_circuit import plain_name

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitInstruction, Clbit, Qubit
    from qiskit.transpiler import Target

_LOOPS = frozenset({"for_loop", "while_loop", "switch_case", "box"})


@dataclass(frozen=True)
class Resources:
    """What a circuit takes; the bodies of conditions count as if they were always run.

    Attributes:
        qubits: Number of qubits that anything acts on.
        depth: Length of the longest chain of operations that wait for each other.
        one_qubit_gates: Number of gates on one qubit, virtual ones included.
        two_qubit_gates: Number of gates on two qubits.
        conditioned_two_qubit_gates: How many of them run only where a condition holds.
        larger_gates: Number of gates on more qubits: none after transpilation.
        measurements: Number of measurements.
        resets: Number of resets.
        conditions: Number of blocks that depend on earlier measurements.
    """

    qubits: int
    depth: int
    one_qubit_gates: int
    two_qubit_gates: int
    conditioned_two_qubit_gates: int
    larger_gates: int
    measurements: int
    resets: int
    conditions: int


@dataclass(frozen=True)
class Estimate:
    """What the calibration data of a target say about a circuit transpiled to it.

    Attributes:
        duration: Durations along the longest path in seconds. Conditions count as run; the time
            that the classical control takes to decide is not in the data.
        fidelity: Product of 1 - error over all gates and measurements whose error is in the data,
            times the idle fidelity.
        idle_fidelity: Product of :func:`idle_fidelity` over all qubits, for the time that each
            waits; 1 where the data have no relaxation times.
    """

    duration: float
    fidelity: float
    idle_fidelity: float


def resources(circuit: "QuantumCircuit") -> Resources:
    """Counts a circuit, with what its conditional blocks hold.

    Args:
        circuit: A circuit of Qiskit.

    Raises:
        TypeError: If it is no circuit of Qiskit.
        ValueError: If the circuit holds control flow other than ``if``.

    Example:
        >>> from qrnn_circuits import QRNN, compile_circuit
        >>> circuit = compile_circuit(QRNN(lane=1, workspace=2, semantics="unitary"), [0])
        >>> resources(circuit.to_qiskit()).two_qubit_gates
        20
    """
    from qiskit import QuantumCircuit

    if not isinstance(circuit, QuantumCircuit):
        raise TypeError(
            f"circuit must be a QuantumCircuit of Qiskit, got a {type(circuit).__name__}: of "
            "what compile_circuit returns, take its method to_qiskit()"
        )
    return _resources(_read(circuit.data))


def section_resources(
    circuit: "QuantumCircuit", first: str
) -> tuple[Resources, dict[str, Resources]]:
    """Counts a circuit and its sections, each of which begins with a barrier labelled by its name.

    Args:
        circuit: The circuit.
        first: Name of the section that begins without a barrier.

    Returns:
        The resources of the circuit, and those of each section; sections of one name are counted
        together, in order.

    Raises:
        ValueError: If the circuit holds control flow other than ``if``.
    """
    sections: dict[str, list[_Step]] = {first: []}
    current, whole = sections[first], []
    for instruction in circuit.data:
        if instruction.name == "barrier" and instruction.label is not None:
            current = sections.setdefault(instruction.label, [])
        elif (step := _step(instruction)) is not None:
            current.append(step)
            whole.append(step)
    return _resources(whole), {name: _resources(steps) for name, steps in sections.items()}


def estimate(circuit: "QuantumCircuit", target: "Target") -> Estimate | None:
    """Estimates duration and fidelity of a circuit transpiled to a target.

    Args:
        circuit: The circuit, on the target's qubits.
        target: The target.

    Returns:
        The estimate, or None if the target has no calibration data for the circuit's gates.
    """
    places = {qubit: place for place, qubit in enumerate(circuit.qubits)}
    steps = _read(circuit.data)
    known: dict[tuple[str, tuple[Qubit, ...]], Any] = {}

    def properties(step: _Step) -> Any:  # noqa: ANN401
        key = (step.name, step.qubits)
        if key not in known:
            acted = tuple(places[qubit] for qubit in step.qubits)
            known[key] = (
                target[step.name].get(acted) if step.name in target.operation_names else None
            )
        return known[key]

    fidelity, calibrated = 1.0, False
    for step in _flat(steps):
        data = properties(step)
        if data is not None and data.error is not None:
            calibrated = True
            fidelity *= 1 - data.error

    def duration(step: _Step) -> float:
        data = properties(step)
        return 0.0 if data is None or data.duration is None else float(data.duration)

    if not calibrated:
        return None
    relaxation = target.qubit_properties or [None] * len(places)
    waits = _waits(steps, duration)
    idle = prod(
        idle_fidelity(wait, getattr(data, "t1", None), getattr(data, "t2", None))
        for qubit, wait in waits.items()
        for data in [relaxation[places[qubit]]]
    )
    return Estimate(_longest_path(steps, duration), fidelity * idle, idle)


def idle_fidelity(duration: float, t1: float | None, t2: float | None) -> float:
    """Average fidelity of a qubit that waits, relaxing towards 0 and dephasing.

    In the Pauli basis waiting is, but for the drift towards 0, the diagonal
    ``(1, exp(-t/T2), exp(-t/T2), exp(-t/T1))``. A quarter of its sum is the entanglement fidelity
    E, and ``(2 E + 1) / 3`` the fidelity averaged over all pure states, as which calibration data
    give the errors of gates: ``1/2 + exp(-t/T1)/6 + exp(-t/T2)/3`` (Nielsen, Physics Letters A 303
    (2002) 249).

    Args:
        duration: How long it waits, in seconds.
        t1: Its relaxation time in seconds; None if it does not relax.
        t2: Its dephasing time in seconds; None if it is not known, which leaves only relaxation:
            ``2 * t1``.
    """
    if t2 is None and t1 is not None:
        t2 = 2 * t1
    rates = [0.0 if not time else 1 / time for time in (t1, t2)]
    return 1 / 2 + exp(-duration * rates[0]) / 6 + exp(-duration * rates[1]) / 3


class _Step(NamedTuple):
    """An instruction with its bits of the whole circuit, and the blocks of a condition."""

    name: str
    qubits: "tuple[Qubit, ...]"
    clbits: "tuple[Clbit, ...]"
    blocks: "tuple[list[_Step], ...]"


def _read(
    instructions: Iterable["CircuitInstruction"], outer: Mapping[Any, Any] | None = None
) -> list[_Step]:
    """The instructions without barriers, see :func:`_step`."""
    steps = (_step(instruction, outer) for instruction in instructions)
    return [step for step in steps if step is not None]


def _step(
    instruction: "CircuitInstruction", outer: Mapping[Any, Any] | None = None
) -> _Step | None:
    """An instruction that is no barrier.

    Args:
        instruction: Of a circuit, or of a block.
        outer: The bits of the whole circuit that those of a block stand for.
    """
    name, qubits, clbits = instruction.name, instruction.qubits, instruction.clbits
    if name == "barrier":
        return None
    if outer is not None:
        qubits = tuple([outer[qubit] for qubit in qubits])
        clbits = tuple([outer[bit] for bit in clbits])
    if name in _LOOPS:
        raise ValueError(f"the circuit's control flow must be if_else, got {name}")
    if name != "if_else":
        return _Step(name, qubits, clbits, ())
    acted = (*qubits, *clbits)
    blocks = [
        _read(block.data, dict(zip((*block.qubits, *block.clbits), acted, strict=True)))
        for block in instruction.operation.blocks
    ]
    return _Step(name, qubits, clbits, tuple(blocks))


def _flat(steps: Iterable[_Step]) -> Iterator[_Step]:
    """All steps, also inside of conditions."""
    for step in steps:
        yield step
        for block in step.blocks:
            yield from _flat(block)


def _resources(steps: Sequence[_Step]) -> Resources:
    conditions = [step for step in steps if step.blocks]
    inside = [step for condition in conditions for b in condition.blocks for step in _flat(b)]
    conditioned = _counts(inside)
    counts = _counts(steps) + conditioned
    gates = {1: 0, 2: 0, 3: 0}
    other = {"measure": 0, "reset": 0, "if_else": 0}
    for (name, size), count in counts.items():
        kind = plain_name(name)
        if kind in other:
            other[kind] += count
        elif name != "delay" and size:
            gates[min(size, 3)] += count
    return Resources(
        qubits=len(set().union(*{step.qubits for step in (*steps, *inside)})),
        depth=int(_longest_path(steps, lambda step: 1)),
        one_qubit_gates=gates[1],
        two_qubit_gates=gates[2],
        conditioned_two_qubit_gates=sum(
            count for (name, size), count in conditioned.items() if size == 2 and name != "if_else"
        ),
        larger_gates=gates[3],
        measurements=other["measure"],
        resets=other["reset"],
        conditions=other["if_else"],
    )


def _counts(steps: Iterable[_Step]) -> Counter[tuple[str, int]]:
    """How often each name occurs on each number of qubits."""
    return Counter((step.name, len(step.qubits)) for step in steps)


def _longest_path(steps: Sequence[_Step], weight: Callable[[_Step], float]) -> float:
    """The largest sum of weights along operations that share a qubit or a classical bit."""
    return max(_schedule(steps, weight)[0].values(), default=0.0)


def _waits(steps: Sequence[_Step], duration: Callable[[_Step], float]) -> "dict[Qubit, float]":
    """How long each qubit waits in a state that counts, every operation beginning when it can.

    Before the first gate and after a reset, which waits for nothing, a qubit is in 0, which lasts.
    """
    return _schedule(steps, duration)[1]


def _schedule(
    steps: Sequence[_Step], weight: Callable[[_Step], float]
) -> "tuple[dict[object, float], dict[Qubit, float]]":
    """When each bit is done, and how long each qubit waits, see :func:`_waits`."""
    finish: dict[object, float] = {}
    waits: dict[Qubit, float] = {}
    live: set[Qubit] = set()

    def wait(qubits: Iterable["Qubit"], until: float) -> None:
        for qubit in live.intersection(qubits):
            waits[qubit] = waits.get(qubit, 0.0) + until - finish[qubit]

    def run(steps: Sequence[_Step]) -> None:
        for step in steps:
            bits = (*step.qubits, *step.clbits)
            start = max([finish.get(bit, 0.0) for bit in bits], default=0.0)
            end = start
            wait(step.qubits, start)
            if step.blocks:
                finish.update(dict.fromkeys(bits, start))
                for block in step.blocks:
                    run(block)
                    done = max([start, *(finish[bit] for bit in bits)])
                    wait(step.qubits, done)
                    end = max(end, done)
                    finish.update(dict.fromkeys(bits, start))
            else:
                end += weight(step)
                resets = plain_name(step.name) == "reset"
                (live.difference_update if resets else live.update)(step.qubits)
            for bit in bits:
                finish[bit] = end

    run(steps)
    return finish, waits
