"""The circuits of a fast-weight programmer on a device."""

import pennylane as qml
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.circuits.tapes import at_steps, readings_of
from qrnn_circuits.simulation.fast_weights import brick_pairs


def programmed_operations(features: Tensor, angles: Tensor) -> list[Operator]:
    """The gates of one circuit.

    Args:
        features: Shape ``(F,)``.
        angles: Shape ``(depth, n)``.
    """
    wires = range(angles.shape[1])
    with qml.QueuingManager.stop_recording():
        operations: list[Operator] = [qml.Hadamard(wire) for wire in wires]
        operations += [qml.RY(feature, wire) for wire, feature in enumerate(features)]
        for layer in angles:
            operations += [qml.CNOT(pair) for pair in brick_pairs(len(wires))]
            operations += [qml.RY(angle, wire) for wire, angle in enumerate(layer)]
    return operations


def programmed_expectations_on(
    features: Tensor,
    angles: Tensor,
    device: qml.devices.Device,
    *,
    shots: int | None,
    read: Tensor,
) -> Tensor:
    """Runs one circuit for each step that is read, all in one batch, and reads Z on each wire.

    Args:
        features: Shape ``(T, B, F)``.
        angles: Shape ``(T, B, depth, n)``.
        device: The device.
        shots: Of each circuit; none for an exact device.
        read: The steps that are read, bool, shape ``(T, B)``.

    Returns:
        Shape ``(T, B, n)``, 0 where a step is not read.
    """
    circuits = [
        programmed_operations(features[step, sequence], angles[step, sequence])
        for step, sequence in read.nonzero().tolist()
    ]
    wires = [range(angles.shape[-1])] * len(circuits)
    return at_steps(readings_of(circuits, wires, device, shots=shots).to(features), read)
