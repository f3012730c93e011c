"""Which measurements the same circuit serves."""

from collections.abc import Sequence
from typing import Any

import pennylane as qml
from pennylane.devices.preprocess import null_postprocessing
from pennylane.measurements import ExpectationMP, MeasurementProcess, ProbabilityMP
from pennylane.operation import Operator
from pennylane.ops import CompositeOp, Sum, SymbolicOp
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn, ResultBatch


@qml.transform  # type: ignore[untyped-decorator]
def split_observables(
    tape: QuantumScript, without_shots: bool
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Splits a tape into circuits whose observables commute qubit by qubit.

    Values of mid-circuit measurements are read in the first circuit, all in the same shots;
    ``split_non_commuting`` would take them for Pauli Z of their wires. Identities are read there
    as well, since all but their expectation value say how many shots there are. A sum takes a
    circuit of its own, unless its expectation value is asked for, which is that of its terms.

    Args:
        tape: The tape.
        without_shots: Whether to split it even if it has no shots.
    """
    if not (tape.shots or without_shots):
        return (tape,), null_postprocessing
    read, alone, others = [], [], []
    for place, measurement in enumerate(tape.measurements):
        expectation = isinstance(measurement, ExpectationMP)
        if measurement.mv is not None or (is_identity(measurement) and not expectation):
            read.append(place)
        elif not expectation and has_own_basis(measurement):
            alone.append(place)
        else:
            others.append(place)
    if not (read or alone):
        batch, combine = qml.transforms.split_non_commuting(tape)
        return batch, combine

    def measuring(places: Sequence[int]) -> list[MeasurementProcess]:
        return [tape.measurements[place] for place in places]

    # Without shots, the results of one copy of the shot vector are combined.
    split, combine_others = ([], None)
    if others:
        split, combine_others = qml.transforms.split_non_commuting(
            tape.copy(measurements=measuring(others), shots=None)
        )
    first = list(split[0].measurements) if split else []
    shared = [*first, *measuring(read)]
    batch = [
        *([tape.copy(measurements=shared)] if shared else []),
        *(part.copy(shots=tape.shots) for part in split[1:]),
        *(tape.copy(measurements=measuring([place])) for place in alone),
    ]

    def combined(results: ResultBatch) -> tuple[Any, ...] | Any:  # noqa: ANN401
        rest = list(results)
        head: Any = rest.pop(0) if shared else ()
        head = (head,) if len(shared) == 1 else head
        singles = rest[len(rest) - len(alone) :]
        found = dict(zip([*read, *alone], [*head[len(first) :], *singles], strict=True))
        if combine_others is not None:
            parts = [head[0] if len(first) == 1 else head[: len(first)]] if first else []
            values = combine_others([*parts, *rest[: len(rest) - len(alone)]])
            found |= zip(others, values if len(others) > 1 else (values,), strict=True)
        in_order = tuple(found[place] for place in range(len(tape.measurements)))
        return in_order if len(in_order) > 1 else in_order[0]

    if not tape.shots.has_partitioned_shots:
        return batch, combined

    def each_copy(results: ResultBatch) -> tuple[Any, ...]:
        return tuple(combined(copy) for copy in zip(*results, strict=True))

    return batch, each_copy


def is_identity(measurement: MeasurementProcess) -> bool:
    """Whether a measurement is of an identity, scaled or not, but not of a distribution."""
    if measurement.obs is None or isinstance(measurement, ProbabilityMP):
        return False
    words = measurement.obs.pauli_rep or {}
    return len(words) == 1 and not any(words)


def has_own_basis(measurement: MeasurementProcess) -> bool:
    """Whether the basis of an observable is not that of one Pauli word or of factors."""
    return measurement.obs is not None and _has_sum(measurement.obs)


def _has_sum(observable: Operator) -> bool:
    if observable.pauli_rep is not None:
        factors = list(observable.pauli_rep.values())
        return isinstance(observable, Sum) or len(factors) != 1 or factors[0] == 0
    if isinstance(observable, CompositeOp):
        return isinstance(observable, Sum) or any(map(_has_sum, observable.operands))
    return isinstance(observable, SymbolicOp) and _has_sum(observable.base)
