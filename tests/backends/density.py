"""Random dynamic circuits with noise, and their exact results by dense density matrices in numpy.

Nothing here is PennyLane's or a device's but the names: gates have their matrices here, and one
unnormalised density matrix is followed for each record of what was read.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]
Record = tuple[int, ...]

X = np.array([[0, 1], [1, 0]], dtype=np.complex128)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1.0 + 0j, -1.0])
ID = np.eye(2, dtype=np.complex128)
PAULIS = {"I": ID, "X": X, "Y": Y, "Z": Z}
HADAMARD = np.array([[1, 1], [1, -1]], dtype=np.complex128) / np.sqrt(2)
# What turns a basis into that of Z.
TO_Z = {"I": ID, "Z": ID, "X": HADAMARD, "Y": HADAMARD @ np.diag([1, -1j])}


def rotation(pauli: Matrix) -> Callable[[float], Matrix]:
    return lambda angle: np.cos(angle / 2) * ID - 1j * np.sin(angle / 2) * pauli


def controlled(matrix: Matrix) -> Matrix:
    whole = np.eye(4, dtype=np.complex128)
    whole[2:, 2:] = matrix
    return whole


GATES: dict[str, Callable[[float], Matrix]] = {
    "Identity": lambda _: ID,
    "PauliX": lambda _: X,
    "PauliY": lambda _: Y,
    "Hadamard": lambda _: HADAMARD,
    "S": lambda _: np.diag([1, 1j]),
    "RX": rotation(X),
    "RY": rotation(Y),
    "RZ": rotation(Z),
    "CNOT": lambda _: controlled(X),
    "CZ": lambda _: controlled(Z),
    "CRX": lambda angle: controlled(rotation(X)(angle)),
    "SWAP": lambda _: np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]],
}
ANGLED = ("RX", "RY", "RZ", "CRX")
TWO_WIRES = ("CNOT", "CZ", "CRX", "SWAP")


@dataclass(frozen=True)
class Step:
    """A gate, or a measurement; places of wires, and of earlier measurements for a condition."""

    kind: str
    wires: tuple[int, ...]
    angle: float = 0.0
    reset: bool = False
    postselect: int | None = None
    # The gate acts where the bits of these measurements have a sum of this parity.
    measured: tuple[int, ...] = ()
    parity: int = 1


@dataclass(frozen=True)
class Noise:
    """Errors of single qubits: after a gate, by name and place of the wire, and of the readout."""

    gates: Mapping[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)
    readout: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A measurement at the end.

    Attributes:
        kind: ``"probs"``, ``"expval"``, ``"var"`` of an observable, or ``"read"`` and
            ``"distribution"`` of what was measured before.
        terms: Factors and Pauli words of an observable.
        places: Wires, or measurements.
    """

    kind: str
    terms: tuple[tuple[float, str], ...] = ()
    places: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """A circuit with its wires, results and noise."""

    labels: tuple[Hashable, ...]
    steps: tuple[Step, ...]
    results: tuple[Result, ...]
    noise: Noise = Noise()

    def with_angles(self, angles: Sequence[Any]) -> "Case":
        """The case with other angles, in order of the steps that have one."""
        given = iter(angles)
        steps = tuple(
            Step(**(vars(step) | {"angle": next(given)})) if step.kind in ANGLED else step
            for step in self.steps
        )
        return Case(self.labels, steps, self.results, self.noise)

    @property
    def angles(self) -> list[float]:
        return [step.angle for step in self.steps if step.kind in ANGLED]


def lifted(matrix: Matrix, wires: Sequence[int], count: int) -> Matrix:
    """A matrix on some of the wires as one on all."""
    axes = [*wires, *(wire for wire in range(count) if wire not in wires)]
    whole = np.kron(matrix, np.eye(2 ** (count - len(wires)))).reshape((2,) * 2 * count)
    order = np.argsort(axes)
    return np.asarray(whole.transpose([*order, *(order + count)]).reshape(2**count, 2**count))


def final_states(case: Case) -> dict[Record, Matrix]:
    """Density matrices, not normalised, for each record of what was read."""
    count = len(case.labels)
    start = np.zeros((2**count, 2**count), dtype=np.complex128)
    start[0, 0] = 1
    states: dict[Record, Matrix] = {(): start}
    for step in case.steps:
        if step.kind == "measure":
            states = measured(states, step, case.noise, count)
            continue
        matrix = lifted(GATES[step.kind](step.angle), step.wires, count)
        for record, state in states.items():
            if step.measured and sum(record[m] for m in step.measured) % 2 != step.parity:
                continue
            states[record] = noisy(matrix @ state @ matrix.conj().T, step, case.noise, count)
    return states


def noisy(state: Matrix, step: Step, noise: Noise, count: int) -> Matrix:
    for wire in step.wires:
        shares = noise.gates.get((step.kind, wire))
        if shares is not None:
            paulis = [lifted(PAULIS[letter], [wire], count) for letter in "IXYZ"]
            state = np.sum(
                [share * each @ state @ each for share, each in zip(shares, paulis, strict=True)], 0
            )
    return state


def measured(
    states: Mapping[Record, Matrix], step: Step, noise: Noise, count: int
) -> dict[Record, Matrix]:
    (wire,) = step.wires
    errors = noise.readout.get(wire, np.eye(2))
    found = {}
    for record, state in states.items():
        for read in (0, 1) if step.postselect is None else (step.postselect,):
            after = np.zeros_like(state)
            for value in (0, 1):
                left = np.zeros((2, 2), dtype=np.complex128)
                left[0 if step.reset else value, value] = 1
                operator = lifted(left, [wire], count)
                after += errors[value, read] * operator @ state @ operator.conj().T
            if np.trace(after).real > 1e-14:
                found[(*record, read)] = after
    return found


def expected(case: Case) -> tuple[list[NDArray[np.float64]], float]:
    """All results, and the share of shots that postselection keeps."""
    states = final_states(case)
    share = float(sum(np.trace(state).real for state in states.values()))
    if not states:
        return [], 0.0
    return [value(result, case, states, share) for result in case.results], share


def value(
    result: Result, case: Case, states: Mapping[Record, Matrix], share: float
) -> NDArray[np.float64]:
    if result.kind in ("read", "distribution"):
        table = np.zeros((2,) * len(result.places))
        for record, state in states.items():
            table[tuple(record[place] for place in result.places)] += np.trace(state).real / share
        if result.kind == "distribution":
            return table.reshape(-1)
        weights = np.arange(1, len(result.places) + 1)
        sums = np.tensordot(weights, np.indices(table.shape), 1)
        return np.array([(sums * table).sum(), (sums**2 * table).sum() - (sums * table).sum() ** 2])
    state = np.sum(list(states.values()), 0) / share
    if result.kind == "probs":
        table = outcomes(state, "I" * len(case.labels), case.noise)
        rest = [place for place in range(table.ndim) if place not in result.places]
        kept = table.sum(tuple(rest))
        return np.asarray(kept.transpose(np.argsort(np.argsort(result.places)))).reshape(-1)
    moments = []
    for factor, word in result.terms:
        table = outcomes(state, word, case.noise)
        factors = [np.array([1, 1] if letter == "I" else [1, -1]) for letter in word]
        signs = reduce(np.multiply.outer, factors)
        moments.append((factor * (signs * table).sum(), factor**2))
    mean = sum(first for first, _ in moments)
    return np.asarray(moments[0][1] - mean**2 if result.kind == "var" else mean)


def outcomes(state: Matrix, word: str, noise: Noise) -> NDArray[np.float64]:
    """The distribution of what is read from all wires in a Pauli basis, one axis for each."""
    count = len(word)
    basis = reduce(np.kron, [TO_Z[letter] for letter in word])
    table = np.diag(basis @ state @ basis.conj().T).real.reshape((2,) * count)
    for wire, errors in noise.readout.items():
        table = np.moveaxis(np.tensordot(errors.T, table, (1, wire)), 0, wire)
    return np.asarray(table)


def queue(case: Case) -> tuple[Any, ...]:
    """Queues the circuit with PennyLane."""
    values = []
    for step in case.steps:
        wires = [case.labels[wire] for wire in step.wires]
        if step.kind == "measure":
            values.append(qml.measure(wires[0], reset=step.reset, postselect=step.postselect))
            continue
        arguments = [step.angle] if step.kind in ANGLED else []
        gate = getattr(qml, step.kind)
        if step.measured:
            total = sum((values[place] for place in step.measured[1:]), values[step.measured[0]])
            gate = qml.cond(total % 2 == step.parity, gate)
        gate(*arguments, wires=wires)
    return tuple(part for result in case.results for part in measurements(result, case, values))


def measurements(result: Result, case: Case, values: Sequence[Any]) -> list[Any]:
    if result.kind == "probs":
        return [qml.probs(wires=[case.labels[place] for place in result.places])]
    if result.kind == "distribution":
        return [qml.probs(op=[values[place] for place in result.places])]
    if result.kind == "read":
        first, *others = result.places
        total = sum(
            ((number + 2) * values[place] for number, place in enumerate(others)), values[first]
        )
        return [qml.expval(total), qml.var(total)]
    terms = [factor * observable(word, case.labels) for factor, word in result.terms]
    kind = qml.var if result.kind == "var" else qml.expval
    return [kind(terms[0] if len(terms) == 1 else qml.sum(*terms))]


def observable(word: str, labels: Sequence[Hashable]) -> qml.operation.Operator:
    factors = [
        getattr(qml, letter)(label)
        for letter, label in zip(word, labels, strict=True)
        if letter != "I"
    ]
    return qml.prod(*factors) if len(factors) > 1 else (factors or [qml.I(labels[0])])[0]
