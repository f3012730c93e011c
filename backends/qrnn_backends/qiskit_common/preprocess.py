"""Making tapes ready for qrnn.aer and qrnn.ibm: each becomes one circuit with shots."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.devices.default_qubit import observable_accepts_sampling
from pennylane.devices.preprocess import (
    null_postprocessing,
    validate_device_wires,
    validate_measurements,
)
from pennylane.exceptions import DeviceError
from pennylane.measurements import (
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    SampleMeasurement,
    VarianceMP,
)
from pennylane.operation import Operator
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms.core import CompilePipeline
from pennylane.typing import PostprocessingFn
from pennylane.wires import Wires

from qrnn_backends.circuit_checks import check_hermitian, check_parameters
from qrnn_backends.conditions import conditions_outside
from qrnn_backends.dynamic_wires import resolve_dynamic_wires
from qrnn_backends.gradients import check_interface, right_rule
from qrnn_backends.labels import with_single_labels
from qrnn_backends.measurement_bases import in_computational_basis
from qrnn_backends.measurements import (
    check_distinct,
    check_sparse,
    with_identity_on_wires,
    with_known_values,
)
from qrnn_backends.mid_circuit import WithoutShots, check_mcm_config, defer_where_needed, defers
from qrnn_backends.qiskit_common.observables import split_observables
from qrnn_backends.qiskit_common.qubits import are_numbers
from qrnn_backends.readout import stacked
from qrnn_backends.wires import ordered_wires
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.basic import basic_operations


def resolve_config(
    config: ExecutionConfig,
    name: str,
    circuit: QuantumScript | None = None,
    wires: Wires | None = None,
    postselect_modes: Sequence[str] = ("hw-like",),
) -> ExecutionConfig:
    """Checks how a QNode wants its circuit run; gradients are PennyLane's.

    Args:
        config: As PennyLane's QNode has it.
        name: Of the device, for messages.
        circuit: The circuit, if it is known.
        wires: Of the device, None if any will do.
        postselect_modes: What the device does about shots that postselection drops.

    Raises:
        UnsupportedMethodError: If the device lacks the method for mid-circuit measurements or the
            mode of postselection.
        ValueError: If PennyLane's interface has no such derivatives.
    """
    check_interface(config, circuit)
    check_mcm_config(
        config.mcm_config,
        name,
        # Circuits run as they are on the device itself, one shot after another.
        methods=("one-shot", "deferred"),
        postselect_modes=postselect_modes,
    )
    config = right_rule(config, circuit, wires)
    return replace(config, use_device_gradient=False, grad_on_execution=False)


def sampled_circuits(
    config: ExecutionConfig,
    name: str,
    wires: Wires | None,
    exact: Callable[[MeasurementProcess], bool] | None = None,
) -> CompilePipeline:
    """The transforms that make tapes with shots ready for :func:`~.program.programs`.

    Args:
        config: What :func:`resolve_config` gave.
        name: Of the device, for messages.
        wires: Of the device, None if any will do.
        exact: Which measurements of tapes without shots the device computes by other means; by
            default it takes such tapes for ones with many shots.
    """
    pipeline = measured_circuits(config, name, wires, exact)
    pipeline.add_transform(split_observables, without_shots=exact is None)
    return pipeline


def measured_circuits(
    config: ExecutionConfig,
    name: str,
    wires: Wires | None,
    exact: Callable[[MeasurementProcess], bool] | None = None,
) -> CompilePipeline:
    """Those of :func:`sampled_circuits` that leave one tape for each entry of a batch.

    Observables that do not commute are then yet to be divided.
    """
    pipeline = CompilePipeline()
    pipeline.add_transform(with_single_labels)
    pipeline.add_transform(resolve_dynamic_wires, wires)
    pipeline.add_transform(in_computational_basis)
    pipeline.add_transform(measure_all_wires, wires=wires, name=name)
    pipeline.add_transform(
        validate_measurements,
        analytic_measurements=exact or has_distribution,
        sample_measurements=has_samples,
        name=name,
    )
    pipeline.add_transform(conditions_outside)
    method = config.mcm_config.mcm_method
    without_shots: WithoutShots = "distribution" if exact is None else "state"
    pipeline.add_transform(
        decompose, wires=wires, name=name, method=method, without_shots=without_shots
    )
    pipeline.add_transform(defer_where_needed, method, without_shots)
    return pipeline


@qml.transform  # type: ignore[untyped-decorator]
def divide_batch(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """One tape for each entry of a batch of parameters.

    PennyLane's ``broadcast_expand`` puts counts into an array, which no tensor can be made of.

    Args:
        tape: Any tape.
    """
    if tape.batch_size is None:
        return (tape,), null_postprocessing
    entries, _ = qml.transforms.broadcast_expand(tape)
    return entries, stacked


def has_samples(measurement: MeasurementProcess) -> bool:
    """Whether a measurement can be computed from samples of some wires in some basis."""
    return isinstance(measurement, SampleMeasurement) and (
        measurement.obs is None or bool(observable_accepts_sampling(measurement.obs))
    )


def has_distribution(measurement: MeasurementProcess) -> bool:
    """Whether a measurement can be computed from the distribution of some wires in some basis."""
    kinds = ExpectationMP | VarianceMP | ProbabilityMP
    return isinstance(measurement, kinds) and has_samples(measurement)


@qml.transform  # type: ignore[untyped-decorator]
def measure_all_wires(
    tape: QuantumScript, wires: Wires | None, name: str
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Gives wires to the measurements that name none: the device's, or else the tape's.

    So it does to identities without wires. Snapshots, which have no part in results, are left out.

    Raises:
        TypeError: If a parameter is no number.
        ValueError: If an observable is not Hermitian or made of sparse ones, a parameter is not
            finite, or a result lists a measured value twice.
        WireError: If the tape has wires that the device has not.
    """
    check_parameters(tape)
    check_sparse(tape.measurements)
    check_hermitian(tape.measurements)
    check_distinct(tape.measurements)
    if wires is None:
        wires = ordered_wires(tape)
    measurements = [
        with_known_values(with_identity_on_wires(measured, wires)) for measured in tape.measurements
    ]
    tape = tape.copy(
        operations=[part for part in tape.operations if not isinstance(part, qml.Snapshot)],
        measurements=measurements,
        trainable_params=tape.trainable_params,
    )
    batch, combine = validate_device_wires(tape, wires, name=name)
    return batch, combine


@qml.transform  # type: ignore[untyped-decorator]
def decompose(
    tape: QuantumScript,
    wires: Wires | None,
    name: str,
    method: str | None,
    without_shots: WithoutShots,
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Leaves gates that Qiskit has, measurements and conditions, with numbers for parameters.

    It leaves one tape for each entry of a batch, which few of PennyLane's decompositions take.
    PennyLane's own decomposition would leave measurements inside of other operations unseen.
    Neurons stay whole unless measurements of theirs are to be deferred:
    :func:`~.program.programs` decomposes equal ones once.

    Wires of a device without any are numbered in the order of the tape, if they are not numbers:
    what the tape is split into may have them in another order.

    Args:
        tape: Any tape.
        wires: Of the device; None if any will do.
        name: Of the device, for messages.
        method: The QNode's ``mcm_method``.
        without_shots: How the device gets results without shots.

    Raises:
        DeviceError: If an operation has no Qiskit gate, no decomposition and no matrix.
    """
    # Gradients are taken outside of the device, so that these tensors need none.
    (tape,), _ = qml.transforms.convert_to_numpy_parameters(tape)
    entries, combine = divide_batch(tape)
    # What entries share is decomposed once.
    known: dict[int, list[Operator]] = {}
    deferred = defers(tape, method, without_shots)

    def parts(operation: Operator) -> Iterable[Operator]:
        if isinstance(operation, NeuronOperation) and not (
            deferred and operation.realisation.measures
        ):
            return [operation]
        if id(operation) not in known:
            known[id(operation)] = list(basic_operations(operation))
        return known[id(operation)]

    decomposed = []
    with qml.QueuingManager.stop_recording():
        try:
            for entry in entries:
                operations = [part for operation in entry.operations for part in parts(operation)]
                decomposed.append(entry.copy(operations=operations))
        except TypeError as error:
            raise DeviceError(f"not supported on {name}: {error}") from error
    if wires is None and not are_numbers(tape.wires):
        numbers = {wire: number for number, wire in enumerate(tape.wires)}
        decomposed = [qml.map_wires(entry, numbers)[0][0] for entry in decomposed]
    return tuple(decomposed), combine
