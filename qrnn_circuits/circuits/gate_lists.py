"""Lists of gates that are built outside a queue, to be queued, reversed or conditioned later."""

from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from typing import Any

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


class SharedGates(qml.queuing.AnnotatedQueue):  # type: ignore[misc]
    """A recording in which one gate object may stand any number of times.

    A queue of PennyLane's holds an object once, so that lists of gates which repeat must be copied
    gate by gate. Here :func:`queue` and :func:`queue_conditioned` record the objects themselves, to
    be looked at, and what is worked out for an object once serves all its repetitions.

    Attributes:
        operations: What was queued, in order.

    Example:
        >>> gates = [qml.RY(0.1, wires=0)]
        >>> with SharedGates() as recorded:
        ...     queue(gates)
        ...     queue(gates)
        >>> first, second = recorded.operations
        >>> first is second
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations: Gates = []
        self._appended: set[int] = set()
        self._conditioned: dict[tuple[int, int], Operator] = {}

    def append(self, obj: Operator, **info: Any) -> None:  # noqa: ANN401
        """Records an operation once more."""
        self._appended.add(id(obj))
        self.operations.append(obj)

    def remove(self, obj: Operator) -> None:
        """Takes out an operation that has become a part of another one."""
        if id(obj) in self._appended:
            places = range(len(self.operations) - 1, -1, -1)
            del self.operations[next(place for place in places if self.operations[place] is obj)]
            self._appended.remove(id(obj))

    def conditioned(self, bit: qml.ops.MeasurementValue, gate: Operator) -> Operator:
        """A gate where the bit reads 1: one object for each bit and gate."""
        key = (id(bit), id(gate))
        if key not in self._conditioned:
            with qml.QueuingManager.stop_recording():
                self._conditioned[key] = qml.ops.Conditional(bit, gate)
        return self._conditioned[key]


def inverse_gates(gates: Sequence[Operator]) -> Gates:
    """The adjoints in reverse order; not queued. A gate that stands there twice has one adjoint."""
    with qml.QueuingManager.stop_recording():
        adjoints = {id(gate): gate for gate in gates}
        for place, gate in adjoints.items():
            adjoints[place] = qml.adjoint(gate, lazy=False)
    return [adjoints[id(gate)] for gate in reversed(gates)]


def queue(gates: Iterable[Operator]) -> None:
    """Queues copies, so that one list may be queued any number of times."""
    context = qml.QueuingManager.active_context()
    if isinstance(context, SharedGates):
        context.operations.extend(gates)
        return
    for gate in gates:
        qml.apply(copy(gate))


def queue_conditioned(bit: qml.ops.MeasurementValue | None, gates: Iterable[Operator]) -> None:
    """Queues copies, each to be applied where the bit reads 1; always, where there is no bit."""
    if bit is None:
        queue(gates)
        return
    context = qml.QueuingManager.active_context()
    if isinstance(context, SharedGates):
        context.operations.extend(context.conditioned(bit, gate) for gate in gates)
        return
    for gate in gates:
        qml.ops.Conditional(bit, copy(gate))
