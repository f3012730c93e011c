"""Recurrent circuits on a register that is reset in part, on a device."""

import pennylane as qml
from pennylane.operation import Operator
from torch import Tensor

from qrnn_circuits.circuits.measurement_method import measurement_method
from qrnn_circuits.circuits.tapes import Readout, at_steps, readings_of
from qrnn_circuits.simulation.register import RegisterSizes, coupled_pairs, encoding_angles


def register_operations(
    sizes: RegisterSizes, rotations: Tensor, couplings: Tensor, inputs: Tensor
) -> list[Operator]:
    """The gates and resets of a sequence.

    Args:
        sizes: The wires.
        rotations: Of the block, shape ``(depth + 1, n, 3)``.
        couplings: Of the block, shape ``(depth, pairs)``.
        inputs: Features, shape ``(T, F)``.
    """
    with qml.queuing.AnnotatedQueue() as queue:
        for step, features in enumerate(inputs):
            places = sizes.places(step)
            for wire, angle in zip(places[: sizes.inputs], encoding_angles(features), strict=True):
                if step:
                    qml.measure(wire, reset=True)
                qml.RY(angle, wire)
            for layer, turns in enumerate(rotations):
                if layer:
                    pairs = coupled_pairs(sizes.wires)
                    for (one, other), angle in zip(pairs, couplings[layer - 1], strict=True):
                        qml.IsingZZ(angle, [places[one], places[other]])
                for wire, (alpha, beta, gamma) in zip(places, turns, strict=True):
                    qml.RX(alpha, wire)
                    qml.RZ(beta, wire)
                    qml.RX(gamma, wire)
    operations: list[Operator] = qml.tape.QuantumScript.from_queue(queue).operations
    return operations


def register_readings(
    sizes: RegisterSizes,
    rotations: Tensor,
    couplings: Tensor,
    inputs: Tensor,
    device: qml.devices.Device,
    *,
    wires: int,
    readout: Readout,
    shots: int | None,
    read: Tensor,
) -> Tensor:
    """Runs one circuit for each step that is read, all in one batch, and reads wires at its end.

    Args:
        sizes: The wires.
        rotations: Of the block, shape ``(depth + 1, n, 3)``.
        couplings: Of the block, shape ``(depth, pairs)``.
        inputs: Features, shape ``(T, B, F)``.
        device: The device.
        wires: Number w of wires that are read: those of the first roles.
        readout: Z of each wire, or the populations of them all.
        shots: Of each circuit; none for an exact device.
        read: The steps that are read, bool, shape ``(T, B)``.

    Returns:
        Shape ``(T, B, w)`` or ``(T, B, 2**w)``, 0 where a step is not read.
    """
    places = read.nonzero().tolist()
    circuits = [
        register_operations(sizes, rotations, couplings, inputs[: step + 1, sequence])
        for step, sequence in places
    ]
    method = measurement_method(device.name, circuits, shots=shots)
    of_roles = [sizes.places(step)[:wires] for step, _ in places]
    rows = readings_of(
        circuits, of_roles, device, readout=readout, shots=shots, mcm_method=method
    ).to(inputs)
    return at_steps(rows, read)
