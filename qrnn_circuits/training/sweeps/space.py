"""Which settings a sweep varies, and over what."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from qrnn_circuits.checks import similar
from qrnn_circuits.settings.run_settings import check_fields, merge
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.task_options import check_task_options, task_class

_RANGE_KEYS = ("low", "high", "log")


@dataclass(frozen=True)
class Choices:
    """A setting that takes each of some values.

    Attributes:
        values: Numbers, strings or booleans, all different.
    """

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A setting that takes values between two bounds.

    Attributes:
        low: The lower bound, included; whole numbers are drawn where both bounds are ``int``.
        high: The upper bound, included.
        log: Whether the logarithm is drawn evenly, in place of the value.
    """

    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class SweepSpace:
    """The settings of a sweep.

    Attributes:
        task: Name of the task.
        settings: Fields of :class:`RunConfig` as in a configuration file, with the task's options
            in a table ``task_options``. A list gives the values that a setting takes, a table
            ``{low, high, log}`` the bounds of a range; everything else is the same in all runs.
        recipe: Name of the recipe that has what they leave out, or ``"none"``; by default the one
            that the task names.
        varied: The settings that are not the same in all runs, task options among them.

    Example:
        >>> space = SweepSpace("xor", {"seed": [0, 1], "steps": 5})
        >>> list(space.varied)
        ['seed']
    """

    task: str
    settings: Mapping[str, Any]
    recipe: str | None = None
    varied: Mapping[str, Choices | Range] = field(init=False)

    def __post_init__(self) -> None:
        """Sorts out what varies.

        Raises:
            TypeError: A list or table holds something of the wrong type.
            ValueError: A setting does not exist, or its list or table is not acceptable.
        """
        task_class(self.task)
        if self.recipe is not None and not isinstance(self.recipe, str):
            raise TypeError(f"recipe must be a name, got {self.recipe!r}")
        check_fields(self.settings)
        check_task_options(self.task, self.settings.get("task_options", {}))
        varied = {
            name: _choices(name, value) if isinstance(value, list) else _range(name, value)
            for name, value in self._flat().items()
            if isinstance(value, list | Mapping)
        }
        if not varied:
            raise ValueError(
                "a sweep must vary some setting: give one a list, as learning_rate = [0.01, 0.1]"
            )
        object.__setattr__(self, "varied", varied)

    @property
    def is_grid(self) -> bool:
        """Whether there are lists only, so that all their combinations can be run."""
        return all(isinstance(values, Choices) for values in self.varied.values())

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination of the listed values, the last setting changing fastest."""
        lists = [v.values if isinstance(v, Choices) else (v.low,) for v in self.varied.values()]
        for values in itertools.product(*lists):
            yield dict(zip(self.varied, values, strict=True))

    def differences(self, other: "SweepSpace") -> list[str]:
        """The settings in which another space differs, in words."""
        mine, others = self._flat(), other._flat()
        return [
            f"{name} is {mine.get(name)!r}, got {others.get(name)!r}"
            for name in sorted(mine.keys() | others.keys())
            if mine.get(name) != others.get(name)
        ]

    def _flat(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"task": self.task, "recipe": self.recipe, **self.settings}
        options: dict[str, Any] = fields.pop("task_options", {})
        return fields | options

    def config(self, values: Mapping[str, Any]) -> RunConfig:
        """The configuration of a run.

        Args:
            values: Of all settings that vary.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A value is not acceptable.
        """
        options = dict(self.settings.get("task_options", {}))
        fields = {name: v for name, v in self.settings.items() if name != "task_options"}
        for name, value in values.items():
            (options if name in options else fields)[name] = value
        given = merge(self.task, fields, {"task_options": options})
        return RunConfig.resolve(self.task, given, recipe=self.recipe)


def _choices(name: str, values: list[Any]) -> Choices:
    if not values:
        raise ValueError(f"{name} must list at least one value, got []")
    for value in values:
        if not isinstance(value, bool | int | float | str):
            raise TypeError(f"{name} must list numbers, strings or booleans, got {value!r}")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} must list each value once, got {values}")
    return Choices(tuple(values))


def _range(name: str, table: Mapping[str, Any]) -> Range:
    for key in table:
        if key not in _RANGE_KEYS:
            raise ValueError(
                f"{name} has an unknown key {key!r} in its range{similar(key, _RANGE_KEYS)}"
            )
    log = table.get("log", False)
    if not isinstance(log, bool):
        raise TypeError(f"{name} must have true or false for log in its range, got {log!r}")
    low, high = (_bound(name, key, table.get(key)) for key in ("low", "high"))
    if not low < high:
        raise ValueError(f"{name} must have a range from low to high, got {low} to {high}")
    if log and low <= 0:
        raise ValueError(f"{name} must have a range above 0 for its logarithm, got {low} to {high}")
    if isinstance(low, float) or isinstance(high, float):
        low, high = float(low), float(high)
    return Range(low, high, log)


def _bound(name: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must have a number for {key} in its range, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must have a finite {key} in its range, got {value}")
    return value
