"""PennyLane's parameter-shift rule, for circuits without postselection only."""

from collections.abc import Sequence
from copy import copy
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pennylane as qml
from pennylane.exceptions import OperatorPropertyUndefined
from pennylane.measurements import (
    ExpectationMP,
    MeasurementProcess,
    SampleMeasurement,
    StateMeasurement,
    VarianceMP,
)
from pennylane.operation import Operator
from pennylane.ops import Conditional, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn, ResultBatch

from qrnn_backends.conditions import holds
from qrnn_backends.differentiable import BACKPROPAGATE, in_place_of, zeros
from qrnn_circuits.circuits.neuron import NeuronOperation

# Of one measurement: one array, or a tuple with one for each of several parameters.
_Jacobian: TypeAlias = Any

WAY_OUT = (
    f"{BACKPROPAGATE}, or take "
    "diff_method='finite-diff' or 'spsa', with shots and gradient_kwargs={'h': 0.1, "
    "'strategy': 'center', 'approx_order': 2} or another step that is large beside the shot noise"
)


def refuse_functions_of_states(tape: QuantumScript, rule: str) -> None:
    """Refuses a rule that holds for expectation values, where results are not linear in the state.

    PennyLane refuses some of them, and gives 0 for the derivative of a purity.

    Args:
        tape: The circuit to differentiate.
        rule: What messages call it.

    Raises:
        ValueError: If the tape returns a function of the state that is no distribution.
    """
    for measurement in tape.measurements:
        if isinstance(measurement, StateMeasurement) and not isinstance(
            measurement, SampleMeasurement
        ):
            raise ValueError(
                f"{rule} is of expectation values, and wrong for {measurement}: {BACKPROPAGATE}, "
                "or take diff_method='finite-diff'"
            )


def _refuse_where_wrong(tape: QuantumScript) -> None:
    """Refuses the parameter-shift rule where a result is not quadratic in the state.

    Given postselected outcomes it is the ratio of two expectation values, and PennyLane's
    derivative is wrong (https://github.com/PennyLaneAI/pennylane/issues/5943).
    """
    for operation in tape.operations:
        if _postselects(operation):
            raise ValueError(
                f"the parameter-shift rule is wrong for postselected circuits, but "
                f"{operation.name} on wires {operation.wires.tolist()} is postselected: {WAY_OUT}"
            )
    refuse_functions_of_states(tape, "the parameter-shift rule")


def _has_recipe(operation: Operator) -> bool:
    recipes = getattr(operation, "grad_recipe", None)
    return any(recipe is not None for recipe in recipes or ())


def _is_complex(value: Any) -> bool:  # noqa: ANN401
    return "complex" in qml.math.get_dtype_name(value)


def _has_rule(operation: Operator) -> bool:
    # Those of exponentials are for real factors.
    if any(map(_is_complex, operation.data)):
        return False
    # Adjoints of what is no gate have none.
    if _has_recipe(operation):
        return True
    # Powers have frequencies that PennyLane's rule does not take.
    if getattr(operation, "grad_method", None) is None:
        return False
    try:
        return bool(operation.parameter_frequencies)
    except (AttributeError, OperatorPropertyUndefined, TypeError):
        # PennyLane takes controlled gates of any number of wires for ones of a fixed number.
        return False


@in_place_of(qml.gradients.param_shift, _has_rule)
def unpostselected_param_shift(
    tape: QuantumScript,
    **options: Any,  # noqa: ANN401
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """PennyLane's parameter-shift rule, refused where it is wrong.

    Variances are differentiated by the chain rule: PennyLane 0.45 has no rule for those of
    mid-circuit measurements, and wrong ones for those of sums and of scaled observables.

    Args:
        tape: The circuit to differentiate.
        options: Those of PennyLane's ``param_shift``.

    Raises:
        ValueError: If the tape postselects an outcome, or a result is no expectation value.
    """
    _refuse_where_wrong(tape)
    tape = _with_shift_rules(tape)
    varied = [isinstance(measurement, VarianceMP) for measurement in tape.measurements]
    if not (any(varied) and tape.trainable_params):
        batch, combine = qml.gradients.param_shift(tape, **options)
        if tape.trainable_params and not batch:
            return zeros(_plain(tape))
        return [_plain(part) for part in batch], combine

    moments = [_moments(measurement) for measurement in tape.measurements]
    every = [part for parts in moments for part in parts]
    shifted = tape.copy(measurements=every, trainable_params=tape.trainable_params)
    # Those of the results are of other measurements.
    options.pop("f0", None)
    batch, combine = qml.gradients.param_shift(shifted, **options)
    if not batch:
        return zeros(_plain(tape))
    means = tape.copy(measurements=[parts[0] for parts in moments if len(parts) > 1])

    def variances(results: ResultBatch) -> Any:  # noqa: ANN401
        *others, mean = results
        jacobians = combine(others)
        if not tape.shots.has_partitioned_shots:
            return _chained(moments, jacobians, mean)
        return tuple(map(partial(_chained, moments), jacobians, mean))

    return [*map(_plain, batch), _plain(means)], variances


@in_place_of(qml.gradients.param_shift_hessian, _has_rule)
def unpostselected_param_shift_hessian(
    tape: QuantumScript,
    **options: Any,  # noqa: ANN401
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """PennyLane's rule for second derivatives, refused where it is wrong.

    Args:
        tape: The circuit to differentiate.
        options: Those of PennyLane's ``param_shift_hessian``.

    Raises:
        ValueError: If the tape postselects an outcome, or a result is no expectation value.
    """
    _refuse_where_wrong(tape)
    batch, combine = qml.gradients.param_shift_hessian(_with_shift_rules(tape), **options)
    return [_plain(part) for part in batch], combine


class _ShiftedConditional(Conditional):  # type: ignore[misc]
    """A conditioned gate with the shift rule of the gate.

    The branches of a measurement do not interfere, so that the gate's own rule holds. PennyLane
    0.45 finds none and takes finite differences, which shot noise makes useless.
    """

    @property
    def grad_method(self) -> str | None:
        """That of the gate: analytic, by finite differences, or none."""
        method: str | None = self.base.grad_method
        return method

    @property
    def grad_recipe(self) -> Any:  # noqa: ANN401
        """That of the gate."""
        # Powers may have None in place of a list.
        return self.base.grad_recipe or [None] * self.num_params

    @property
    def parameter_frequencies(self) -> list[tuple[float, ...]]:
        """Those of the gate."""
        frequencies: list[tuple[float, ...]] = self.base.parameter_frequencies
        return frequencies


def _with_shift_rules(tape: QuantumScript) -> QuantumScript:
    """The tape with conditioned gates that have shift rules, and with rules that can be solved."""
    operations = []
    for operation in tape.operations:
        conditioned = isinstance(operation, Conditional)
        gate = _with_solvable_rule(operation.base if conditioned else operation)
        # A phase of the whole state is none, whether it is conditioned or not.
        if conditioned and not isinstance(gate, qml.GlobalPhase):
            gate = _ShiftedConditional(operation.meas_val, gate)
        operations.append(gate)
    return tape.copy(operations=operations, trainable_params=tape.trainable_params)


def _with_solvable_rule(operation: Operator) -> Operator:
    """An operation with a rule of its own where its frequencies are not evenly spaced.

    PennyLane's shifts are odd multiples of one that the smallest frequency sets, where others may
    look the same as this one. Those that the largest sets tell all of them apart.
    """
    try:
        (given,) = operation.parameter_frequencies
    except (AttributeError, OperatorPropertyUndefined, ValueError):
        return operation
    if not given:
        return qml.GlobalPhase(operation.data[0], operation.wires)
    # PennyLane rounds the eigenvalues so, but not their differences.
    frequencies = sorted({round(float(frequency), 8) for frequency in given})
    count, odd = len(frequencies), np.arange(1, 2 * len(frequencies), 2)
    evenly = np.arange(1, len(given) + 1) * max(given, default=0.0) / max(len(given), 1)
    if count < 2 or _has_recipe(operation) or np.allclose(sorted(given), evenly):
        return operation
    shifts = tuple(np.pi / (2 * frequencies[-1]) * odd)
    factors, shifted = qml.gradients.generate_shift_rule(tuple(frequencies), shifts).T
    with_rule = copy(operation)
    with_rule.grad_recipe = [np.stack([factors, np.ones_like(factors), shifted], 1).tolist()]
    return with_rule


def _plain(tape: QuantumScript) -> QuantumScript:
    """The tape with PennyLane's own conditioned gates, which its transforms look for by name."""
    operations = [
        Conditional(operation.meas_val, operation.base)
        if isinstance(operation, _ShiftedConditional)
        else operation
        for operation in tape.operations
    ]
    return tape.copy(operations=operations, trainable_params=tape.trainable_params)


def _moments(measurement: MeasurementProcess) -> tuple[MeasurementProcess, ...]:
    """Of a variance, the expectation value and that of the square; else the measurement."""
    if not isinstance(measurement, VarianceMP):
        return (measurement,)
    with qml.QueuingManager.stop_recording():
        if measurement.mv is not None:
            value = measurement.mv
            return ExpectationMP(value), ExpectationMP(value * value)
        if measurement.obs is None:
            raise ValueError(f"{measurement} must be of an observable to be differentiated")
        return ExpectationMP(measurement.obs), ExpectationMP(_square(measurement.obs))


def _square(observable: Operator) -> Operator:
    if observable.pauli_rep is not None:
        square = observable.pauli_rep @ observable.pauli_rep
        square.simplify()
        if square:
            return square.operation(wire_order=observable.wires)
        return 0.0 * qml.Identity(observable.wires)
    matrix = qml.matrix(observable, wire_order=observable.wires)
    return qml.Hermitian(matrix @ matrix, observable.wires)


def _chained(
    moments: Sequence[Sequence[MeasurementProcess]],
    jacobians: Sequence[_Jacobian],
    means: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Jacobians of variances from those of first and second moments, and of the others."""
    rest, found = iter(jacobians), []
    values = iter(means if isinstance(means, tuple | list) else (means,))
    for parts in moments:
        jacobian = next(rest)
        if len(parts) > 1:
            square, mean = next(rest), next(values)
            if isinstance(jacobian, tuple | list):
                pairs = zip(square, jacobian, strict=True)
                jacobian = tuple(second - 2 * mean * first for second, first in pairs)
            else:
                jacobian = square - 2 * mean * jacobian
        found.append(jacobian)
    return tuple(found) if len(found) > 1 else found[0]


def _postselects(operation: Operator) -> bool:
    if isinstance(operation, Conditional):
        return _postselects(operation.base)
    if isinstance(operation, MidMeasure):
        return operation.postselect is not None
    if holds(operation, qml.Projector):
        return True
    return isinstance(operation, NeuronOperation) and operation.realisation.postselects
