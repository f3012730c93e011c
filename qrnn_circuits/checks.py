"""Checks of arguments and settings, whose messages name what was given and what is accepted."""

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

_GREATEST = 2**63 - 1
_LARGEST = sys.float_info.max
_SHOWN_BITS = 256
_SHOWN = 200
_LONGEST = 3000


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Checks that a value is one of the choices.

    Raises:
        ValueError: It is not.
    """
    if value not in list(choices):
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {_shown(value)}")


def check_integer(name: str, value: object, least: int, greatest: int | None = None) -> None:
    """Checks that a value is an integer in a range.

    Args:
        name: Of the argument or setting.
        value: What was given.
        least: The least accepted value.
        greatest: The greatest, by default that of 64 bits.

    Raises:
        TypeError: It is no integer.
        ValueError: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {_shown(value)}")
    if value < least or value > (_GREATEST if greatest is None else greatest):
        accepted = f"at least {least}"
        if greatest is not None or value > _GREATEST:
            accepted = f"from {least} to {_GREATEST if greatest is None else greatest}"
        raise ValueError(f"{name} must be {accepted}, got {_shown(value)}")


def as_integer(name: str, value: object, least: int, greatest: int | None = None) -> int:
    """Checks an integer as :func:`check_integer` does, of NumPy or PyTorch too, and returns it."""
    number = plain(value)
    check_integer(name, number, least, greatest)
    return cast(int, number)


def plain(value: object) -> object:
    """A single number of NumPy or PyTorch as one of Python; anything else as it is."""
    return cast(Any, value).item() if getattr(value, "shape", None) == () else value


def check_bool(name: str, value: object) -> None:
    """Checks that a value is a bool.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {_shown(value)}")


def check_instance(name: str, value: object, kind: type, advice: str) -> None:
    """Checks that a value is an object of a class.

    Args:
        name: Of the argument.
        value: What was given.
        kind: The class.
        advice: Where such an object comes from.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got a {type(value).__name__}: {advice}")


def check_number(name: str, value: object) -> float:
    """Checks that a value is a finite number of at least 0, and returns it as a ``float``.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative, infinite or NaN.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {_shown(value)}")
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"{name} must be finite and at least 0, got {_shown(value)}")
    return float(value)


def check_positive(name: str, value: object) -> float:
    """Checks that a value is a finite number greater than 0, and returns it as a ``float``.

    Raises:
        TypeError: It is no number.
        ValueError: It is not greater than 0.
    """
    number = check_number(name, value)
    if number == 0:
        raise ValueError(f"{name} must be greater than 0, got {number}")
    return number


@contextmanager
def errors_in(place: object) -> Iterator[None]:
    """Has the error of a check say where the value stands.

    Args:
        place: A file, or whatever else messages name.

    Raises:
        TypeError: One was raised meanwhile.
        ValueError: One was raised meanwhile.

    Example:
        >>> with errors_in("config.toml"):
        ...     check_bool("deskewed", 1)
        Traceback (most recent call last):
        TypeError: config.toml: deskewed must be True or False, got 1
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(cut(f"{place}: {error}")) from error


def cut(message: str, most: int = _LONGEST) -> str:
    """A message without its end where it is longer: what it quotes can have any length."""
    return message if len(message) <= most else f"{message[:most]}..."


def _shown(value: object) -> str:
    """A value, cut where it is long; or how long it is: Python does not write huge integers."""
    if isinstance(value, int) and value.bit_length() > _SHOWN_BITS:
        return f"an integer of {value.bit_length()} bits"
    return cut(repr(value), _SHOWN)


def similar(name: object, names: Iterable[str]) -> str:
    """A hint for a name that does not exist: similar names, or else all names."""
    matches = difflib.get_close_matches(str(name), list(names))
    if matches:
        return f"; did you mean {' or '.join(matches)}?"
    return f"; known are {', '.join(names)}"
