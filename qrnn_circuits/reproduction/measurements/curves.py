"""Curves short enough to be kept in a file of results."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def thinned(points: Sequence[T], most: int) -> list[T]:
    """Some points of a curve, evenly spread over it, the first and the last among them.

    Args:
        points: The curve.
        most: How many points are left at most, at least 2.

    Raises:
        ValueError: If ``most`` is less than 2.

    Example:
        >>> thinned(range(11), 3)
        [0, 5, 10]
        >>> thinned(range(2), 3)
        [0, 1]
    """
    if most < 2:
        raise ValueError(f"most must be at least 2, for both ends of a curve, got {most}")
    if len(points) <= most:
        return list(points)
    last = len(points) - 1
    return [points[round(number * last / (most - 1))] for number in range(most)]
