"""Wires for those of ``qml.allocate``."""

import pennylane as qml
from pennylane.devices.preprocess import device_resolve_dynamic_wires
from pennylane.measurements import MeasurementProcess
from pennylane.ops import MeasurementValue, MidMeasure
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn
from pennylane.wires import Wires

from qrnn_backends.measurements import options_of


@qml.transform  # type: ignore[untyped-decorator]
def resolve_dynamic_wires(
    tape: QuantumScript, wires: Wires | None
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Gives wires to those that are allocated, which measurements may reset.

    PennyLane takes the value of a mid-circuit measurement for a measurement of its wire, and
    refuses results that have one of an allocated wire.

    Args:
        tape: Any tape.
        wires: Of the device, None if any will do.

    Raises:
        AllocationError: If the device has too few wires.
    """
    bare = tape.copy(measurements=[part for part in tape.measurements if part.mv is None])
    (found,), combine = device_resolve_dynamic_wires(bare, wires=wires, allow_resets=True)
    measured = {part.meas_uid: part for part in found.operations if isinstance(part, MidMeasure)}

    def renamed(value: MeasurementValue) -> MeasurementValue:
        parts = [measured.get(part.meas_uid, part) for part in value.measurements]
        return MeasurementValue(parts, value.processing_fn)

    def of_wires(measurement: MeasurementProcess) -> MeasurementProcess:
        value = measurement.mv
        single = isinstance(value, MeasurementValue)
        values = renamed(value) if single else list(map(renamed, value))
        return type(measurement)(obs=values, **options_of(measurement))

    others = iter(found.measurements)
    with qml.QueuingManager.stop_recording():
        measurements = [
            next(others) if part.mv is None else of_wires(part) for part in tape.measurements
        ]
    resolved = found.copy(measurements=measurements, trainable_params=tape.trainable_params)
    return (resolved,), combine
