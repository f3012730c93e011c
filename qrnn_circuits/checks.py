"""Checks of arguments and settings, whose messages name what was given and what is accepted."""

import difflib
import math
from collections.abc import Iterable


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Checks that a value is one of the choices.

    Raises:
        ValueError: It is not.
    """
    if value not in list(choices):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_integer(name: str, value: object, least: int, greatest: int | None = None) -> None:
    """Checks that a value is an integer in a range.

    Args:
        name: Of the argument or setting.
        value: What was given.
        least: The least accepted value.
        greatest: The greatest, if there is one.

    Raises:
        TypeError: It is no integer.
        ValueError: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least or (greatest is not None and value > greatest):
        accepted = f"at least {least}" if greatest is None else f"from {least} to {greatest}"
        raise ValueError(f"{name} must be {accepted}, got {value}")


def check_bool(name: str, value: object) -> None:
    """Checks that a value is a bool.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def check_number(name: str, value: object) -> float:
    """Checks that a value is a finite number of at least 0, and returns it as a ``float``.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {value}")
    return float(value)


def similar(name: object, names: Iterable[str]) -> str:
    """A hint for a name that does not exist: similar names, or else all names."""
    matches = difflib.get_close_matches(str(name), list(names))
    if matches:
        return f"; did you mean {' or '.join(matches)}?"
    return f"; known are {', '.join(names)}"
