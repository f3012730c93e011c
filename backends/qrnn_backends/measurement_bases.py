"""Mid-circuit measurements in other bases than the computational one."""

from typing import TypeAlias

import pennylane as qml
from pennylane.devices.preprocess import null_postprocessing
from pennylane.measurements import MeasurementProcess
from pennylane.operation import Operator
from pennylane.ops import Conditional, MeasurementValue, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn

from qrnn_backends.measurements import mid_circuit, options_of

_Plain: TypeAlias = dict[str, MidMeasure]
"""By their identifiers, measurements in the computational basis in place of others."""


@qml.transform  # type: ignore[untyped-decorator]
def in_computational_basis(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Measures in the computational basis, after the gates that turn another one into it.

    Those of ``qml.ftqc.measure_x`` and the like are of the class of ``qml.measure`` and would be
    taken for it. As with PennyLane's ``diagonalize_mcms``, which knows no lists of measured values,
    a measurement leaves the wire in 0 or 1, whatever its basis.

    Args:
        tape: Any tape.
    """
    plain = {
        part.meas_uid: _plain(part)
        for part in tape.operations
        if isinstance(part, MidMeasure) and type(part) is not MidMeasure
    }
    if not plain:
        return (tape,), null_postprocessing
    with qml.QueuingManager.stop_recording():
        operations = [part for whole in tape.operations for part in _parts(whole, plain)]
        measurements = [_of_plain(measurement, plain) for measurement in tape.measurements]
    found = tape.copy(operations=operations, measurements=measurements)
    # Angles of bases have become parameters of gates.
    found.trainable_params = qml.math.get_trainable_indices(
        found.get_parameters(trainable_only=False)
    )
    return (found,), null_postprocessing


def _plain(measurement: MidMeasure) -> MidMeasure:
    with qml.QueuingManager.stop_recording():
        return MidMeasure(
            measurement.wires, measurement.reset, measurement.postselect, measurement.meas_uid
        )


def _parts(operation: Operator, plain: _Plain) -> list[Operator]:
    if isinstance(operation, MidMeasure) and operation.meas_uid in plain:
        return [*_turning(operation), plain[operation.meas_uid]]
    if isinstance(operation, Conditional):
        return [Conditional(_value_of_plain(operation.meas_val, plain), operation.base)]
    return [operation]


def _turning(measurement: MidMeasure) -> list[Operator]:
    """Gates that turn the basis of a measurement into the computational one."""
    if measurement.hyperparameters.get("plane") == "YZ":
        # PennyLane 0.45 turns the other way than its documentation and its measure_y say.
        return [qml.RX(measurement.hyperparameters["angle"], measurement.wires)]
    found: list[Operator] = measurement.diagonalizing_gates()
    return found


def _value_of_plain(value: MeasurementValue, plain: _Plain) -> MeasurementValue:
    measured = [plain.get(part.meas_uid, part) for part in value.measurements]
    return MeasurementValue(measured, value.processing_fn if value.has_processing else None)


def _of_plain(measurement: MeasurementProcess, plain: _Plain) -> MeasurementProcess:
    if not any(part.meas_uid in plain for part in mid_circuit(measurement)):
        return measurement
    values = measurement.mv
    if isinstance(values, MeasurementValue):
        listed: object = _value_of_plain(values, plain)
    else:
        listed = [_value_of_plain(value, plain) for value in values]
    return type(measurement)(obs=listed, **options_of(measurement))
