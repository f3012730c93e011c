"""Settings of measurements, read into dataclasses."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from qrnn_circuits.checks import similar

T = TypeVar("T")


def read_settings(kind: type[T], settings: Mapping[str, Any]) -> T:
    """Fills in what is not set.

    Args:
        kind: Dataclass of all settings with their defaults, which checks their values.
        settings: Those that differ.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: There is no such setting, or its value is not acceptable.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Settings:
        ...     length: int = 500
        >>> read_settings(Settings, {"length": 5})
        Settings(length=5)
        >>> read_settings(Settings, {"lenght": 5})
        Traceback (most recent call last):
        ValueError: unknown setting 'lenght'; did you mean length?
    """
    # dataclasses.fields asks for an instance or a class that mypy knows to be a dataclass.
    known: Any = kind
    names = [field.name for field in dataclasses.fields(known)]
    for name in settings:
        if name not in names:
            raise ValueError(f"unknown setting {name!r}{similar(name, names)}")
    return kind(**settings)


def check_options(name: str, value: object) -> None:
    """Checks that a value is a table of options.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a table of options, got {value!r}")
