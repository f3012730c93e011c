"""What is checked of a sweep before its runs."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from types import NoneType
from typing import Any

from qrnn_circuits.checks import check_integer, errors_in
from qrnn_circuits.training.checkpoint import build_storable
from qrnn_circuits.training.ensemble_folder import check_optimizer
from qrnn_circuits.training.ranks import Ranks
from qrnn_circuits.training.sweeps.space import Choices, SweepSpace

MOST_RUNS = 10_000
"""Runs of a sweep, which its journal lists one by one."""


def check_space(
    space: SweepSpace, trials: int | None, sampler: str | None, seeds: Sequence[int] | None
) -> None:
    """Checks a new sweep, as far as its runs are known.

    Raises:
        FileNotFoundError: The task's data are missing.
        TypeError: A setting has the wrong type.
        ValueError: A setting is not acceptable, or there is no such device.
    """
    check_drawing(space, trials, sampler)
    if seeds is not None and "seed" in space.settings:
        raise ValueError(
            f"seed and seeds exclude each other, got {space.settings['seed']} and {list(seeds)}: "
            "leave one of them out"
        )
    if not space.is_grid and trials is None:
        raise ValueError("trials must say how many runs to draw from the ranges, got None")
    lists = [values.values for values in space.varied.values() if isinstance(values, Choices)]
    combinations = math.prod(map(len, lists))
    if space.is_grid and combinations > MOST_RUNS:
        raise ValueError(
            f"a sweep must have at most {MOST_RUNS:,} runs, got lists of {combinations:,} "
            "combinations: list fewer values, or draw some from a range, as "
            "learning_rate = {low = 0.01, high = 0.1}"
        )
    # Beside ranges, lists of any length may stand, of which runs draw few combinations.
    for values in islice(space.grid(), MOST_RUNS):
        with errors_in(f"with {values}"):
            config = space.config(values)
            build_storable(config)
            if seeds is not None:
                check_optimizer(config)
    check_machine(space)


def check_machine(space: SweepSpace) -> None:
    """Looks for the task's data and the devices, in time for one message about all runs."""
    first = space.config(next(space.grid()))
    devices = space.varied.get("device")
    for device in devices.values if isinstance(devices, Choices) else (first.device,):
        Ranks().device(device)
    first.build_task().validation()


def check_drawing(space: SweepSpace, trials: int | None, sampler: str | None) -> None:
    """Checks what says how to draw from ranges, which a sweep of lists has none of."""
    for name, value in (("trials", trials), ("sampler", sampler)):
        if space.is_grid and value is not None:
            raise ValueError(
                f"{name} is for sweeps with ranges, such as {{low = 0.001, high = 0.1}}; all "
                f"combinations of lists are run, got {value!r}"
            )
    if trials is not None:
        check_integer("trials", trials, 1, MOST_RUNS)


def check_seeds(seeds: Sequence[int] | None, began: Sequence[int] | None) -> None:
    """Checks the seeds with which a sweep is joined against those with which it began."""
    if seeds is not None and (began is None or list(seeds) != list(began)):
        told = "none" if began is None else list(began)
        raise ValueError(
            f"seeds must be those with which this sweep began, {told}, or left out, got "
            f"{list(seeds)}"
        )


def check_settings(
    space: SweepSpace,
    number: int,
    settings: Mapping[str, Any],
    grid: Sequence[Mapping[str, Any]] | None,
) -> None:
    """Checks the settings that a journal tells of a run.

    Args:
        space: Of the sweep.
        number: Of the run.
        settings: Those that vary, as far as they are drawn.
        grid: The settings of all runs in order, where there are lists only.

    Raises:
        ValueError: They are not of this sweep, or of another run of it.
    """
    if grid is not None and (number >= len(grid) or settings != grid[number]):
        raise ValueError(f"trial {number} has {dict(settings)}, which is that of another one")
    for name, value in settings.items():
        values = space.varied[name]
        if isinstance(values, Choices):
            right = value in values.values
        else:
            right = type(value) in (int, float) and values.low <= value <= values.high
        if not right:
            raise ValueError(f"trial {number} has {name} {value!r}")


def check_notes(
    number: int, state: str, notes: Mapping[str, Any], values: Sequence[object] | None
) -> None:
    """Checks the figures that a journal tells of a run.

    Args:
        number: Of the run.
        state: Of the run.
        notes: Figures by name, the sampled error among them, and the reason of the end; None for
            what is not noted.
        values: What the run is judged by, the sampled error alone; None where it is not complete.

    Raises:
        TypeError: A figure or the reason has the wrong type, or a complete run lacks it.
        ValueError: It is judged by something else than its sampled error.
    """
    is_complete = state == "complete"
    for name, value in notes.items():
        kinds = (str, NoneType) if name == "reason" else (int, float, NoneType)
        if type(value) not in kinds or (is_complete and value is None):
            raise TypeError(f"trial {number} is {state} and has {name} {value!r}")
    if values != ([notes["sampled_error"]] if is_complete else None):
        raise ValueError(
            f"trial {number} is {state}, has sampled_error {notes['sampled_error']!r} and is "
            f"judged by {values}"
        )
