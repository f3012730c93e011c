"""Which qubit of a circuit each wire of a tape is, where that makes a difference: with noise."""

from collections.abc import Hashable, Sequence

import numpy as np
from pennylane.wires import Wires


def qubit_order(used: Sequence[Hashable], wires: Wires | None, placed: int) -> list[Hashable]:
    """The wires in the order of a circuit's qubits.

    A wire has the place that the device's wires give it; a device without wires takes integers as
    numbers of qubits.

    Args:
        used: The wires of a tape. Without wires of the device they are integers, or in order.
        wires: Of the device.
        placed: Number of qubits that are not like the others. A wire whose place is beyond takes
            any qubit beyond.

    Returns:
        One entry for each qubit; those that are no wire of the tape stand for idle qubits.

    Example:
        >>> qubit_order([5, 1], None, 0)
        [5, 1]
        >>> qubit_order(["b"], Wires(["a", "b"]), 2)[1]
        'b'
    """
    order: list[Hashable] = [_Idle() for _ in range(placed)]
    others = []
    for wire in used:
        place = _place(wire, wires)
        if place is not None and place < placed:
            order[place] = wire
        else:
            others.append(wire)
    if not others:
        last = max(
            (number for number, wire in enumerate(order) if not isinstance(wire, _Idle)), default=-1
        )
        del order[last + 1 :]
    return order + others


def are_numbers(wires: Wires) -> bool:
    """Whether wires are labelled by non-negative integers."""
    return all(isinstance(wire, int | np.integer) and wire >= 0 for wire in wires)


class _Idle:
    """Stands for a qubit that no wire is."""


def _place(wire: Hashable, wires: Wires | None) -> int | None:
    if wires is not None and wire in wires:
        return int(wires.index(wire))
    # Wires that take deferred measurements are none of the device's.
    if wires is None and isinstance(wire, int | np.integer) and wire >= 0:
        return int(wire)
    return None
