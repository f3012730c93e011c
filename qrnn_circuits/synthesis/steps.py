"""The steps of a synthesised rotation: what happens to the target and to the controls, in order."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rotate:
    """RY on the target by the angle of one parity.

    Attributes:
        index: Position of the parity in the walk's ``parities``.

    Example:
        >>> from qrnn_circuits.synthesis import multiplexed_walk
        >>> multiplexed_walk(1).steps[0]
        Rotate(index=0)
    """

    index: int


@dataclass(frozen=True, slots=True)
class Toggle:
    """CNOT or CZ from a control wire to the target: flips the sign of rotations from here on.

    Attributes:
        control: Position of the control wire.

    Example:
        >>> from qrnn_circuits.synthesis import multiplexed_walk
        >>> multiplexed_walk(1).steps
        (Rotate(index=0), Toggle(control=0), Rotate(index=1), Toggle(control=0))
    """

    control: int


@dataclass(frozen=True, slots=True)
class Mix:
    """CNOT between two control wires: ``onto`` then carries the sum of both.

    Attributes:
        control: Position of the wire that stays as it is.
        onto: Position of the wire that changes.

    Example:
        Wire 1 then carries ``x0 + x1``, so that one toggle of it is both:

        >>> two_qubit_gates([Mix(control=0, onto=1), Toggle(control=1)])
        2
    """

    control: int
    onto: int


Step = Rotate | Toggle | Mix
"""A step of a walk along parities, and of the circuit that it becomes."""


def two_qubit_gates(steps: Iterable[Step]) -> int:
    """Number of steps that are two-qubit gates: all but the rotations.

    Args:
        steps: Any steps, such as those of a :class:`~qrnn_circuits.synthesis.ParityWalk`.

    Example:
        >>> two_qubit_gates([Rotate(0), Toggle(0), Rotate(1), Toggle(0)])
        2
    """
    return sum(not isinstance(step, Rotate) for step in steps)
