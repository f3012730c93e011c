"""PennyLane's parameter-shift rule, for circuits without postselection only."""

from dataclasses import replace
from functools import partial
from typing import Any

import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.ops import Conditional, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn

from qrnn_circuits.circuits.neuron import NeuronOperation


@partial(
    qml.transform,
    expand_transform=qml.gradients.param_shift.expand_transform,
    classical_cotransform=qml.gradients.param_shift.classical_cotransform,
    final_transform=True,
)
def unpostselected_param_shift(
    tape: QuantumScript,
    **options: Any,  # noqa: ANN401
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """PennyLane's parameter-shift rule, refused where it is wrong.

    It holds for expectation values, which are quadratic in the state. Given postselected outcomes a
    result is the ratio of two of them.

    Args:
        tape: The circuit to differentiate.
        options: Those of PennyLane's ``param_shift``.

    Raises:
        ValueError: If the tape postselects an outcome.
    """
    for operation in tape.operations:
        if _postselects(operation):
            raise ValueError(
                "the parameter-shift rule is wrong for postselected circuits, but "
                f"{operation.name} on wires {operation.wires.tolist()} is postselected: "
                "differentiate without shots on qrnn.torch, which backpropagates, or take "
                "diff_method='finite-diff' or 'spsa'"
            )
    operations = [
        _ShiftedConditional(operation.meas_val, operation.base)
        if isinstance(operation, Conditional)
        else operation
        for operation in tape.operations
    ]
    shifted = tape.copy(operations=operations, trainable_params=tape.trainable_params)
    batch, combine = qml.gradients.param_shift(shifted, **options)
    return batch, combine


def refuse_postselected(config: ExecutionConfig) -> ExecutionConfig:
    """A configuration with the rule that is refused where it is wrong, in place of PennyLane's."""
    if config.gradient_method == qml.gradients.param_shift:
        return replace(config, gradient_method=unpostselected_param_shift)
    return config


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
    def parameter_frequencies(self) -> list[tuple[float, ...]]:
        """Those of the gate."""
        frequencies: list[tuple[float, ...]] = self.base.parameter_frequencies
        return frequencies


def _postselects(operation: qml.operation.Operator) -> bool:
    if isinstance(operation, Conditional):
        return _postselects(operation.base)
    if isinstance(operation, MidMeasure):
        return operation.postselect is not None
    return isinstance(operation, NeuronOperation) and operation.realisation.postselects
