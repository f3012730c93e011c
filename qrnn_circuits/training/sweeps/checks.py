"""What is checked of a sweep before its runs."""

import math
from collections.abc import Sequence
from itertools import islice

from qrnn_circuits.checks import check_integer, errors_in
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
            config.build_model()
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
                f"{name} is for sweeps with ranges; all combinations of lists are run, got "
                f"{value!r}"
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
