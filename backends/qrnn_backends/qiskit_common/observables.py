"""Which measurements the same circuit serves, and how results are put together again."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import pennylane as qml
from pennylane.devices.preprocess import null_postprocessing
from pennylane.measurements import ExpectationMP, MeasurementProcess, ProbabilityMP
from pennylane.operation import Operator
from pennylane.ops import CompositeOp, Pow, Prod, SProd, Sum, SymbolicOp
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn, ResultBatch

from qrnn_backends.measurements import hermitian_terms

# What a wire is measured in: the letter of a Pauli operator, or an object for any other basis.
_Basis: TypeAlias = dict[Hashable, object]


@dataclass(frozen=True)
class Term:
    """Where a result comes from, or one summand of it.

    Attributes:
        circuit: Position of the circuit.
        place: Position among the measurements of the circuit.
        coefficient: Of a summand; None for a result as it is.
    """

    circuit: int
    place: int
    coefficient: float | None = None


@dataclass(frozen=True)
class Combination:
    """How the results of circuits become those of a tape.

    Attributes:
        sizes: Number of measurements of each circuit.
        terms: For each measurement of the tape the terms of its result.
        offsets: For each measurement what is added to the terms.
        copies: Whether there is a shot vector, with results for each copy.
    """

    sizes: tuple[int, ...]
    terms: tuple[tuple[Term, ...], ...]
    offsets: tuple[float, ...]
    copies: bool

    def __call__(self, results: ResultBatch) -> Any:  # noqa: ANN401
        """The result of the tape from one result for each circuit."""
        if self.copies:
            return tuple(self._of_copy(copy) for copy in zip(*results, strict=True))
        return self._of_copy(results)

    def _of_copy(self, results: Sequence[Any]) -> Any:  # noqa: ANN401
        tables = [
            (result,) if size == 1 else result
            for size, result in zip(self.sizes, results, strict=True)
        ]
        found: list[Any] = []
        for terms, offset in zip(self.terms, self.offsets, strict=True):
            values = [tables[term.circuit][term.place] for term in terms]
            if len(terms) == 1 and terms[0].coefficient is None:
                found += values
            else:
                factors = [term.coefficient or 0.0 for term in terms]
                found.append(np.dot(factors, values) + np.float64(offset))
        return tuple(found) if len(found) > 1 else found[0]

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Combination":
        """Reads what :meth:`to_json` gave."""
        terms = tuple(tuple(Term(**term) for term in terms) for terms in data["terms"])
        return cls(tuple(data["sizes"]), terms, tuple(data["offsets"]), data["copies"])


@qml.transform  # type: ignore[untyped-decorator]
def split_observables(
    tape: QuantumScript, without_shots: bool
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Splits a tape into circuits, as :func:`divided` does.

    Args:
        tape: The tape.
        without_shots: Whether to split it even if it has no shots.
    """
    if not (tape.shots or without_shots) or not tape.measurements:
        return (tape,), null_postprocessing
    return divided(tape)


def divided(tape: QuantumScript) -> tuple[list[QuantumScript], Combination]:
    """Divides a tape into circuits whose observables commute qubit by qubit.

    Values of mid-circuit measurements are read in the first circuit, all in the same shots, and
    identities, which say how many shots there are. A sum takes a circuit of its own, unless its
    expectation value is asked for, which is that of its terms. PennyLane's
    ``split_non_commuting`` takes values for Pauli Z of their wires, identities for their
    expectation values, and no sums but in expectation values.

    Args:
        tape: With measurements, of parameters that are not a batch.

    Returns:
        One or more tapes, and what puts their results together.
    """
    circuits: list[tuple[_Basis, list[MeasurementProcess]]] = []
    known: dict[Hashable, Term] = {}
    found: dict[int, tuple[Term, ...]] = {}
    offsets = [0.0] * len(tape.measurements)

    def term(measurement: MeasurementProcess, coefficient: float | None = None) -> Term:
        if measurement not in known:
            known[measurement] = _placed(measurement, circuits)
        where = known[measurement]
        return Term(where.circuit, where.place, coefficient)

    anywhere = []
    for number, measurement in enumerate(tape.measurements):
        observable = measurement.obs
        expectation = isinstance(measurement, ExpectationMP)
        if expectation and isinstance(observable, Sum | Prod | SProd | qml.Identity):
            with qml.QueuingManager.stop_recording():
                summands = hermitian_terms(observable)
                offsets[number] = sum(factor * (_number(part) or 0.0) for factor, part in summands)
                found[number] = tuple(
                    term(ExpectationMP(part), factor)
                    for factor, part in summands
                    if _number(part) is None
                )
        elif measurement.mv is not None or is_identity(measurement):
            anywhere.append(number)
        else:
            found[number] = (term(measurement),)
    measured = [list(measurements) for _, measurements in circuits] or [[]]
    for number in anywhere:
        found[number] = (Term(0, len(measured[0])),)
        measured[0].append(tape.measurements[number])
    if not measured[0]:
        # Identities only: how many shots are kept is looked at even so.
        measured[0].append(tape.measurements[0])
    combination = Combination(
        sizes=tuple(map(len, measured)),
        terms=tuple(found[number] for number in range(len(tape.measurements))),
        offsets=tuple(offsets),
        copies=tape.shots.has_partitioned_shots,
    )
    return [tape.copy(measurements=each) for each in measured], combination


def is_identity(measurement: MeasurementProcess) -> bool:
    """Whether a measurement is of an identity, scaled or not, but not of a distribution."""
    if measurement.obs is None or isinstance(measurement, ProbabilityMP):
        return False
    words = measurement.obs.pauli_rep or {}
    return len(words) == 1 and not any(words)


def has_own_basis(measurement: MeasurementProcess) -> bool:
    """Whether the basis of an observable is not that of one Pauli word or of factors."""
    return measurement.obs is not None and _has_sum(measurement.obs)


def _number(observable: Operator) -> float | None:
    """The number that an observable is, if it is one."""
    if isinstance(observable, qml.Identity):
        return 1.0
    return None if observable.wires else float(np.real(observable.eigvals()[0]))


def _placed(
    measurement: MeasurementProcess, circuits: list[tuple[_Basis, list[MeasurementProcess]]]
) -> Term:
    """Adds a measurement to the first circuit that measures its wires as it does, or a new one."""
    basis = _basis(measurement)
    for number, (other, measurements) in enumerate(circuits):
        if all(other.get(wire, letter) == letter for wire, letter in basis.items()):
            other |= basis
            measurements.append(measurement)
            return Term(number, len(measurements) - 1)
    circuits.append((basis, [measurement]))
    return Term(len(circuits) - 1, 0)


def _basis(measurement: MeasurementProcess) -> _Basis:
    words = None if measurement.obs is None else measurement.obs.pauli_rep
    if measurement.obs is not None and (has_own_basis(measurement) or words is None):
        # No other measurement has it.
        return {wire: object() for wire in measurement.wires}
    letters: _Basis = {}
    if measurement.obs is None or isinstance(measurement, ProbabilityMP):
        letters = dict.fromkeys(measurement.wires, "Z")
    for word in words or ():
        letters |= dict(word)
    return letters


def _has_sum(observable: Operator) -> bool:
    if isinstance(observable, CompositeOp) and (
        isinstance(observable, Sum)
        or observable.has_overlapping_wires
        or any(map(_has_sum, observable.operands))
    ):
        return True
    # A power has the basis of what it is of, also where it is an identity.
    if isinstance(observable, Pow) or (
        isinstance(observable, SymbolicOp) and _has_sum(observable.base)
    ):
        return True
    words = observable.pauli_rep
    return words is not None and (len(words) != 1 or not all(words.values()))
