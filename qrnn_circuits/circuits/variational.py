"""The gates of variational circuits, and what they read on a device."""

import pennylane as qml
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.circuits.tapes import readings_of
from qrnn_circuits.simulation.variational import Evaluate, cnot_pairs, encoding_angles


def variational_operations(values: Tensor, angles: Tensor) -> list[Operator]:
    """The gates of one circuit: an encoding, and layers of CNOTs and rotations.

    Args:
        values: What is encoded by H, RY and RZ, shape ``(n,)``.
        angles: Of the rotations, shape ``(depth, n, 3)``.
    """
    wires = range(len(values))
    operations: list[Operator] = []
    with qml.QueuingManager.stop_recording():
        for wire, turned, phase in zip(wires, *encoding_angles(values), strict=True):
            operations += [qml.Hadamard(wire), qml.RY(turned, wire), qml.RZ(phase, wire)]
        for layer in angles:
            operations += [qml.CNOT(pair) for pair in cnot_pairs(len(values))]
            operations += [
                qml.Rot(*rotation, wires=wire) for wire, rotation in zip(wires, layer, strict=True)
            ]
    return operations


def variational_circuits_on(
    angles: Tensor, device: qml.devices.Device, shots: int | None
) -> Evaluate:
    """Variational circuits with encoded values on a device, one batch for each call.

    Args:
        angles: Of G circuits, shape ``(G, depth, n, 3)``.
        device: The device.
        shots: Of each circuit; none for an exact device.

    Returns:
        From values ``(G, B, n)``, or ``(1, B, n)`` for all circuits, to ``(G, B, n)``.
    """

    def evaluate(values: Tensor) -> Tensor:
        values = values.expand(len(angles), -1, -1)
        circuits = [
            variational_operations(value, of_circuit)
            for rows, of_circuit in zip(values, angles, strict=True)
            for value in rows
        ]
        wires = [range(values.shape[-1])] * len(circuits)
        read = readings_of(circuits, wires, device, shots=shots)
        return read.to(values).view(values.shape)

    return evaluate
