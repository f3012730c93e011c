"""Lists of gates that are built outside a queue, to be queued, reversed or conditioned later."""

from collections.abc import Hashable, Iterable, Sequence
from copy import copy

import pennylane as qml
from pennylane.operation import Operator
from pennylane.typing import TensorLike

from qrnn_circuits.synthesis import Mix, Rotate, Step, Toggle

Gates = list[Operator]


def walk_gates(
    steps: Iterable[Step],
    angles: TensorLike,
    controls: Sequence[Hashable],
    target: Hashable,
    *,
    open_ends: bool = False,
) -> Gates:
    """The gates of a synthesised rotation.

    Args:
        steps: Steps of a :class:`~qrnn_circuits.synthesis.ParityWalk`.
        angles: Angles of its parities in radians, shape ``(P,)`` or ``(B, P)``.
        controls: The control wires.
        target: The rotated wire.
        open_ends: Whether the walk is an open one, whose toggles must be CZs; otherwise CNOTs.

    Returns:
        RY, CNOT and CZ gates; not queued.
    """
    toggle = qml.CZ if open_ends else qml.CNOT
    gates: Gates = []
    with qml.QueuingManager.stop_recording():
        for step in steps:
            match step:
                case Rotate(index):
                    gates.append(qml.RY(angles[..., index], wires=target))
                case Toggle(control):
                    gates.append(toggle([controls[control], target]))
                case Mix(control, onto):
                    gates.append(qml.CNOT([controls[control], controls[onto]]))
    return gates


def inverse_gates(gates: Sequence[Operator]) -> Gates:
    """The adjoints in reverse order; not queued."""
    with qml.QueuingManager.stop_recording():
        return [qml.adjoint(gate, lazy=False) for gate in reversed(gates)]


def queue(gates: Iterable[Operator]) -> None:
    """Queues copies, so that one list may be queued any number of times."""
    for gate in gates:
        qml.apply(copy(gate))


def queue_conditioned(bit: qml.ops.MeasurementValue | None, gates: Iterable[Operator]) -> None:
    """Queues copies, each to be applied where the bit reads 1; always, where there is no bit."""
    for gate in gates:
        if bit is None:
            qml.apply(copy(gate))
        else:
            qml.ops.Conditional(bit, copy(gate))
