"""The gates of variational circuits, and what they read on a device."""

from collections.abc import Sequence

import pennylane as qml
import torch
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.circuits.tapes import Readout, execute_tapes
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


def expectations_of(
    circuits: Sequence[list[Operator]],
    device: qml.devices.Device,
    *,
    wires: int,
    shots: int | None = None,
) -> Tensor:
    """Runs circuits as one batch and reads Z on each wire.

    Args:
        circuits: The operations of each.
        device: The device.
        wires: Number n of wires, of which the first is 0.
        shots: Of each circuit; none for an exact device.

    Returns:
        Shape ``(circuits, n)``, differentiable in the parameters of the gates.
    """
    return readings_of(circuits, [range(wires)] * len(circuits), device, shots=shots)


def readings_of(
    circuits: Sequence[list[Operator]],
    wires: Sequence[Sequence[int]],
    device: qml.devices.Device,
    *,
    readout: Readout = "expectations",
    shots: int | None = None,
    mcm_method: str | None = None,
) -> Tensor:
    """Runs circuits as one batch and reads some wires of each.

    Args:
        circuits: The operations of each.
        wires: Those of each circuit that are read, n in order.
        device: The device.
        readout: Z of each wire, or the populations of them all.
        shots: Of each circuit; none for an exact device.
        mcm_method: How mid-circuit measurements are run, or None for the device's own choice.

    Returns:
        Shape ``(circuits, n)`` or ``(circuits, 2**n)``, differentiable in the parameters of the
        gates.
    """
    tapes = []
    gradient = False
    for operations, places in zip(circuits, wires, strict=True):
        with qml.QueuingManager.stop_recording():
            if readout == "expectations":
                read = [qml.expval(qml.Z(wire)) for wire in places]
            else:
                read = [qml.probs(wires=list(places))]
        tape = qml.tape.QuantumScript(operations, read, shots=shots)
        tape.trainable_params = [
            place
            for place, value in enumerate(tape.get_parameters(trainable_only=False))
            if isinstance(value, Tensor) and value.requires_grad
        ]
        gradient = gradient or bool(tape.trainable_params)
        tapes.append(tape)
    return execute_tapes(
        tapes, device, gradient=gradient and torch.is_grad_enabled(), mcm_method=mcm_method
    )


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
        read = expectations_of(circuits, device, wires=values.shape[-1], shots=shots)
        return read.to(values).view(values.shape)

    return evaluate
