"""Making tapes ready for qrnn.torch."""

from dataclasses import replace

import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.devices.default_qubit import (
    ALL_DQ_GATES_PLUS_MCM,
    accepted_analytic_measurement,
    accepted_sample_measurement,
)
from pennylane.devices.preprocess import (
    decompose,
    no_sampling,
    null_postprocessing,
    validate_device_wires,
    validate_measurements,
)
from pennylane.exceptions import DeviceError
from pennylane.math import Interface
from pennylane.measurements import ClassicalShadowMP, ShadowExpvalMP
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms import broadcast_expand
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import PostprocessingFn
from pennylane.wires import Wires

from qrnn_backends.circuit_checks import check_hermitian
from qrnn_backends.conditions import conditions_outside
from qrnn_backends.dynamic_wires import resolve_dynamic_wires
from qrnn_backends.gradients import check_interface, right_rule
from qrnn_backends.labels import with_single_labels
from qrnn_backends.measurement_bases import in_computational_basis
from qrnn_backends.measurements import check_sparse, with_identity_on_wires, with_known_values
from qrnn_backends.mid_circuit import check_mcm_config, defer_where_needed
from qrnn_backends.torch.simulation import runs
from qrnn_backends.wires import ordered_wires

# What parameters may be for backpropagation to go through torch.
_BACKPROP = (Interface.TORCH, Interface.AUTOGRAD, Interface.NUMPY, Interface.AUTO)


def resolve_config(
    config: ExecutionConfig,
    name: str,
    circuit: QuantumScript | None,
    wires: Wires | None,
    step: float | None,
) -> ExecutionConfig:
    """Checks how a QNode wants its circuit run, and settles where gradients come from.

    Args:
        config: As PennyLane's QNode has it.
        name: Of the device, for messages.
        circuit: The circuit, if it is known.
        wires: Of the device, None if any will do.
        step: Of numerical derivatives without shots; None for PennyLane's.

    Raises:
        DeviceError: If a device option is given, or the device lacks the method for mid-circuit
            measurements or the mode of postselection.
        ValueError: If PennyLane's interface has no such derivatives.
    """
    if config.device_options:
        raise DeviceError(f"{name} takes no device options, got {list(config.device_options)}")
    check_mcm_config(
        config.mcm_config,
        name,
        methods=("deferred", "one-shot", "tree-traversal"),
        postselect_modes=("hw-like", "fill-shots"),
    )
    if config.gradient_method == "best" and backpropagates(config, circuit):
        config = replace(config, gradient_method="backprop")
    check_interface(config, circuit)
    given = config.use_device_gradient
    return replace(
        right_rule(config, circuit, wires, step),
        use_device_gradient=config.gradient_method == "backprop" if given is None else given,
        use_device_jacobian_product=bool(config.use_device_jacobian_product),
        grad_on_execution=bool(config.grad_on_execution),
    )


def backpropagates(config: ExecutionConfig, circuit: QuantumScript | None) -> bool:
    """Whether gradients come from backpropagation through torch, or can if that is left open."""
    if config.gradient_method not in ("best", "backprop") or config.interface not in _BACKPROP:
        return False
    if circuit is None:
        return True
    return not circuit.shots and not any(
        # PennyLane computes their expectation values in SciPy.
        isinstance(measurement.obs, qml.SparseHamiltonian)
        for measurement in circuit.measurements
    )


def simulated_circuits(config: ExecutionConfig, name: str, wires: Wires | None) -> CompilePipeline:
    """The transforms that make any tape ready for the simulation.

    Args:
        config: What :func:`resolve_config` gave.
        name: Of the device, for messages.
        wires: Of the device, None if any will do.
    """
    pipeline = CompilePipeline()

    def expand() -> None:
        pipeline.add_transform(
            decompose,
            stopping_condition=runs,
            device_wires=wires,
            target_gates=ALL_DQ_GATES_PLUS_MCM,
            name=name,
        )

    pipeline.add_transform(with_single_labels)
    pipeline.add_transform(in_computational_basis)
    pipeline.add_transform(conditions_outside)
    expand()
    method = config.mcm_config.mcm_method
    pipeline.add_transform(defer_where_needed, method, "branches")
    if method == "deferred":
        expand()
    pipeline.add_transform(resolve_dynamic_wires, wires)
    pipeline.add_transform(validate_device_wires, wires, name=name)
    pipeline.add_transform(_identities_on_wires, wires=wires)
    pipeline.add_transform(
        validate_measurements,
        analytic_measurements=accepted_analytic_measurement,
        sample_measurements=accepted_sample_measurement,
        name=name,
    )
    pipeline.add_transform(_expand_shadows)
    if config.gradient_method == "backprop":
        pipeline.add_transform(no_sampling, name=f"backprop + {name}")
    return pipeline


@qml.transform  # type: ignore[untyped-decorator]
def _identities_on_wires(
    tape: QuantumScript, wires: Wires | None
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Gives a wire to the identities that act on none, and checks observables and values."""
    check_sparse(tape.measurements)
    check_hermitian(tape.measurements)
    measurements = [
        with_known_values(with_identity_on_wires(measured, wires or ordered_wires(tape)))
        for measured in tape.measurements
    ]
    named = tape.copy(measurements=measurements, trainable_params=tape.trainable_params)
    return (named,), null_postprocessing


@qml.transform  # type: ignore[untyped-decorator]
def _expand_shadows(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """One tape for each entry of a batch, where PennyLane's classical shadows take no batch.

    See https://github.com/PennyLaneAI/pennylane/issues/6301.
    """
    if any(isinstance(m, ClassicalShadowMP | ShadowExpvalMP) for m in tape.measurements):
        batch, combine = broadcast_expand(tape)
        return batch, combine
    return (tape,), null_postprocessing
