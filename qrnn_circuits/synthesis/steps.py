"""The steps of a synthesised rotation: what happens to the target and to the controls, in order."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rotate:
    """RY on the target by the angle of one parity.

    Attributes:
        index: Position of the parity in the walk's ``parities``.
    """

    index: int


@dataclass(frozen=True, slots=True)
class Toggle:
    """CNOT or CZ from a control wire to the target: flips the sign of rotations from here on.

    Attributes:
        control: Position of the control wire.
    """

    control: int


@dataclass(frozen=True, slots=True)
class Mix:
    """CNOT between two control wires: ``onto`` then carries the sum of both.

    Attributes:
        control: Position of the wire that stays as it is.
        onto: Position of the wire that changes.
    """

    control: int
    onto: int


Step = Rotate | Toggle | Mix


def two_qubit_gates(steps: Iterable[Step]) -> int:
    """Number of steps that are two-qubit gates: all but the rotations."""
    return sum(not isinstance(step, Rotate) for step in steps)
