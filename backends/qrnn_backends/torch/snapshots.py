"""What ``qml.snapshots`` records, each as a tape of its own up to where it is taken."""

from collections.abc import Iterator
from typing import Any

import pennylane as qml
from pennylane.measurements import MeasurementProcess
from pennylane.tape import QuantumScript
from pennylane.wires import Wires

from qrnn_backends.measurements import options_of, with_identity_on_wires
from qrnn_backends.wires import ordered_wires


def snapshot_tapes(
    tape: QuantumScript, wires: Wires | None
) -> Iterator[tuple[str | int, QuantumScript]]:
    """The snapshots of a tape.

    Measurements before a snapshot make its state a mixture, and postselected ones condition it;
    what is postselected after it does not.

    Args:
        tape: Of operations that the device runs.
        wires: Of the device; None if any will do.

    Yields:
        The tag of each, and the tape whose result it is, with numbers for parameters.
    """
    (tape,), _ = qml.transforms.convert_to_numpy_parameters(tape)
    if wires is None:
        wires = ordered_wires(tape)
    before: list[qml.operation.Operator] = []
    number = 0
    for operation in tape.operations:
        if not isinstance(operation, qml.Snapshot):
            before.append(operation)
            continue
        options = operation.hyperparameters
        shots = tape.shots if options["shots"] == "workflow" else options["shots"]
        measured = _on_all_wires(options["measurement"], wires)
        tag = number if operation.tag is None else operation.tag
        yield tag, QuantumScript(list(before), [measured], shots=shots)
        number += 1


def add_snapshot(snapshots: dict[str | int, Any], tag: str | int, result: object) -> None:
    """Adds a result; several of one tag, as of a batch of tapes, become a list."""
    if tag not in snapshots:
        snapshots[tag] = result
    elif isinstance(snapshots[tag], list):
        snapshots[tag].append(result)
    else:
        snapshots[tag] = [snapshots[tag], result]


def _on_all_wires(measurement: MeasurementProcess, wires: Wires) -> MeasurementProcess:
    measurement = with_identity_on_wires(measurement, wires)
    named = measurement.wires or measurement.obs is not None or measurement.mv is not None
    if named or measurement.eigvals() is not None:
        return measurement
    return type(measurement)(wires=wires, **options_of(measurement))
