"""PennyLane's rules for gradients, as they are right for dynamic circuits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.devices.preprocess import null_postprocessing
from pennylane.math import Interface
from pennylane.measurements import ProbabilityMP
from pennylane.ops import Conditional, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms.core import Transform
from pennylane.typing import PostprocessingFn
from pennylane.wires import Wires

import qrnn_backends.corrected_composites
import qrnn_backends.corrected_operators
import qrnn_backends.corrected_powers
import qrnn_backends.corrected_products
import qrnn_backends.corrected_shadows
import qrnn_backends.corrected_values  # noqa: F401
from qrnn_backends.conditions import holds
from qrnn_backends.differentiable import BACKPROPAGATE, in_place_of, zeros
from qrnn_backends.parameter_shift import (
    WAY_OUT,
    refuse_functions_of_states,
    unpostselected_param_shift,
    unpostselected_param_shift_hessian,
)
from qrnn_backends.wires import ordered_wires
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.tracing import is_traced

# A step that is large beside the noise of shots.
_STEP_OF_SHOTS = 0.1

# One whose square is large beside the rounding of float64.
_STEP_OF_SECOND_DERIVATIVES = 1e-3


def _numerical(rule: Transform) -> Transform:
    """A rule of numerical differences that leaves no parameter out, by steps that show.

    PennyLane gives 0 for parameters that no wire leads from to what is measured. Postselection on
    one wire changes all others. Its default steps drown in the noise of shots, and in the rounding
    of parameters in float32, which are PyTorch's by default; twice taken, in that of float64.
    """

    @in_place_of(rule, _is_scalar)
    def numerical(
        tape: QuantumScript,
        **options: Any,  # noqa: ANN401
    ) -> tuple[QuantumScriptBatch, PostprocessingFn]:
        for place in range(len(tape.trainable_params)):
            operation, index, parameter = tape.get_operation(place)
            if index < len(tape.operations) and not _is_number(operation, parameter):
                raise ValueError(
                    f"{operation} cannot be differentiated by {rule.tape_transform.__name__}, "
                    "which takes real numbers for parameters, and has no decomposition: "
                    f"{BACKPROPAGATE}"
                )
        if tape.shots:
            options = _with_step(options, _STEP_OF_SHOTS)
        precise = [qml.math.cast(value, "float64") for value in tape.get_parameters()]
        places = tape.trainable_params
        tape = tape.bind_new_parameters(precise, places)
        tape.trainable_params = places
        batch, combine = rule(tape, **(options | {"validate_params": False}))
        return batch, combine

    return numerical


def _with_step(options: Mapping[str, Any], step: float) -> dict[str, Any]:
    """Options of numerical differences, with a step and what suits it unless some are given."""
    if {"h", "strategy", "approx_order"} & options.keys():
        return dict(options)
    return {"h": step, "strategy": "center", "approx_order": 2, **options}


def _is_scalar(operation: qml.operation.Operator) -> bool:
    # PennyLane's rules ask for it, and powers of products have none.
    return hasattr(operation, "grad_method") and all(
        _is_number(operation, place)
        for place, value in enumerate(operation.data)
        if qml.math.requires_grad(value)
    )


def _is_number(operation: qml.operation.Operator, place: int) -> bool:
    """Whether a parameter is a real number, or a batch of them, that can be changed a little."""
    value = operation.data[place]
    # Exponentials and sums do not say.
    axes = getattr(operation, "ndim_params", None)
    axes = qml.math.ndim(value) if axes is None else axes[place]
    return axes == 0 and "complex" not in qml.math.get_dtype_name(value)


finite_difference = _numerical(qml.gradients.finite_diff)
simultaneous_perturbation = _numerical(qml.gradients.spsa_grad)


@in_place_of(qml.gradients.hadamard_grad)
def unmeasured_hadamard_grad(
    tape: QuantumScript,
    **options: Any,  # noqa: ANN401
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """PennyLane's Hadamard test, refused where there are mid-circuit measurements.

    PennyLane sorts the wires of probabilities, so that their derivatives are those of others, and
    takes wires of the device that no gate acts on for none.

    Args:
        tape: The circuit to differentiate.
        options: Those of PennyLane's ``hadamard_grad``.

    Raises:
        ValueError: If the tape measures before its end, or a result is no expectation value.
    """
    refuse_functions_of_states(tape, "the Hadamard test")
    for operation in filter(_measures, tape.operations):
        raise ValueError(
            "diff_method must not be 'hadamard' for circuits with mid-circuit measurements, "
            f"got {operation}: take diff_method='parameter-shift', or where an outcome is "
            f"postselected {WAY_OUT}"
        )
    wires = options.get("device_wires") or ordered_wires(tape)
    measurements = [
        measured if measured.wires else ProbabilityMP(wires=wires) for measured in tape.measurements
    ]
    named = tape.copy(measurements=measurements, trainable_params=tape.trainable_params)
    batch, combine = qml.gradients.hadamard_grad(named, **options)
    if tape.trainable_params and not batch:
        return zeros(named)
    return [_with_wires_in_order(tested, named) for tested in batch], combine


def _with_wires_in_order(tested: QuantumScript, tape: QuantumScript) -> QuantumScript:
    """A tape of the Hadamard test whose probabilities have the wires of a tape's, in their order.

    Args:
        tested: With one wire more, which is measured with all others.
        tape: The circuit to differentiate.
    """
    measurements = list(tested.measurements)
    for place, measured in enumerate(tape.measurements):
        if isinstance(measured, ProbabilityMP):
            (auxiliary,) = measurements[place].wires - measured.wires
            observed = measured.obs or qml.prod(*map(qml.Z, measured.wires))
            measurements[place] = ProbabilityMP(obs=qml.prod(observed, qml.Y(auxiliary)))
    return tested.copy(measurements=measurements)


def _measures(operation: qml.operation.Operator) -> bool:
    neuron = isinstance(operation, NeuronOperation) and operation.realisation.measures
    projected = holds(operation, qml.Projector)
    return neuron or projected or isinstance(operation, MidMeasure | Conditional)


@qml.transform  # type: ignore[untyped-decorator]
def unmeasured(tape: QuantumScript, rule: str) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Refuses mid-circuit measurements, which PennyLane's metrics of states leave out.

    Args:
        tape: Any tape.
        rule: What messages call the metric.

    Raises:
        ValueError: If the tape measures before its end.
    """
    for operation in filter(_measures, tape.operations):
        raise ValueError(
            f"qml.{rule} is of pure states and takes no mid-circuit measurements, got {operation}"
        )
    return (tape,), null_postprocessing


_DEVICES = ("qrnn.torch", "qrnn.aer", "qrnn.ibm")

_RULES: dict[Transform, Transform] = {
    qml.gradients.param_shift: unpostselected_param_shift,
    qml.gradients.finite_diff: finite_difference,
    qml.gradients.spsa_grad: simultaneous_perturbation,
    qml.gradients.hadamard_grad: unmeasured_hadamard_grad,
}


def right_rule(
    config: ExecutionConfig,
    circuit: QuantumScript | None,
    wires: Wires | None,
    step: float | None = None,
) -> ExecutionConfig:
    """A configuration with the rule that is right or refuses, in place of PennyLane's.

    Args:
        config: As PennyLane's QNode has it.
        circuit: The circuit, if it is known.
        wires: Of the device, None if any will do.
        step: Of numerical differences without shots that the device's precision allows; None for
            PennyLane's.

    Raises:
        ValueError: If simultaneous perturbation is to differentiate twice.
    """
    if config.gradient_method is qml.gradients.spsa_grad and config.derivative_order > 1:
        raise ValueError(
            f"max_diff must be 1 with diff_method='spsa', got {config.derivative_order}: its "
            "directions are random, so that differences of its derivatives are; take "
            "'parameter-shift' or 'finite-diff'"
        )
    if circuit is not None and circuit.shots:
        step = None
    elif config.derivative_order > 1:
        step = max(step or 0.0, _STEP_OF_SECOND_DERIVATIVES)
    for given, right in _RULES.items():
        if config.gradient_method is given:
            options = _options(right, config.gradient_keyword_arguments, wires, step)
            return replace(config, gradient_method=right, gradient_keyword_arguments=options)
    return config


def _options(
    right: Transform, options: Mapping[str, Any], wires: Wires | None, step: float | None
) -> dict[str, Any]:
    """Options of a rule, with what it must know of the device."""
    if right is unmeasured_hadamard_grad:
        return {"device_wires": wires, **options}
    if right in (finite_difference, simultaneous_perturbation) and step is not None:
        return _with_step(options, step)
    return dict(options)


def check_interface(config: ExecutionConfig, circuit: QuantumScript | None) -> None:
    """Refuses derivatives that PennyLane's interfaces to rules for gradients do not have.

    Args:
        config: As PennyLane's QNode has it.
        circuit: The circuit, if it is known.

    Raises:
        ValueError: If autograd is to differentiate several results twice, whose second derivatives
            are 0 there, or a transform of PyTorch follows.
    """
    if circuit is None or config.gradient_method in (None, "backprop"):
        return
    results = len(circuit.measurements) * max(circuit.shots.num_copies, 1)
    if config.interface == Interface.AUTOGRAD and config.derivative_order > 1 and results > 1:
        raise ValueError(
            f"max_diff must be 1 for a circuit of {results} results with autograd's numbers, got "
            f"{config.derivative_order}: PennyLane's second derivatives of several are 0; return "
            "one result, or take tensors of PyTorch"
        )
    if config.interface == Interface.TORCH and is_traced():
        raise ValueError(
            "transforms of PyTorch, such as torch.func.grad and vmap, take qrnn.torch without "
            "shots and with diff_method='backprop': PennyLane's rules for gradients have none"
        )


def _apply_right_rule(given: Transform, right: Transform) -> None:
    """Has a rule of PennyLane's that is applied to a QNode look at the QNode's device first."""

    @given.custom_qnode_transform  # type: ignore[untyped-decorator]
    def applied(
        rule: Transform, qnode: qml.QNode, arguments: Sequence[Any], options: dict[str, Any]
    ) -> qml.QNode:
        if qnode.device.name in _DEVICES:
            device = qnode.device
            step = None if qnode.shots else getattr(device, "numerical_step", None)
            return right(qnode, *arguments, **_options(right, options, device.wires, step))
        return rule.default_qnode_transform(qnode, arguments, options)


for _given, _right in (
    *_RULES.items(),
    (qml.gradients.param_shift_hessian, unpostselected_param_shift_hessian),
):
    _apply_right_rule(_given, _right)


def _apply_without_measurements(given: Transform) -> None:
    """Has a metric of PennyLane's look at a QNode of these devices for measurements first."""
    own = given._custom_qnode_transform or Transform.default_qnode_transform

    @given.custom_qnode_transform  # type: ignore[untyped-decorator]
    def applied(
        rule: Transform, qnode: qml.QNode, arguments: Sequence[Any], options: dict[str, Any]
    ) -> qml.QNode:
        if qnode.device.name in _DEVICES:
            qnode = unmeasured(qnode, rule.tape_transform.__name__)
        return own(rule, qnode, arguments, options)


for _given in (qml.metric_tensor, qml.adjoint_metric_tensor, qml.gradients.quantum_fisher):
    _apply_without_measurements(_given)
