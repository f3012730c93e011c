"""``qrnn sweep``: trains many networks on a task, with settings that vary."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.command_line.errors import usage_errors
from qrnn_circuits.command_line.options import JsonOption, RecipeOption, check_out
from qrnn_circuits.command_line.task_description import task_names
from qrnn_circuits.command_line.task_help import FileTaskHelp
from qrnn_circuits.settings.built_in_tasks import TASK_OPTIONS
from qrnn_circuits.settings.run_settings import read_toml


class SamplerChoice(StrEnum):
    """How values are drawn from ranges."""

    TPE = "tpe"
    RANDOM = "random"


def sweep(
    task: Annotated[str, typer.Argument(metavar="TASK", help=f"One of {', '.join(task_names())}.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            callback=check_out,
            help="Folder of the sweep, with a folder for each run.",
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file as for qrnn train. A list gives the values that a setting takes, as "
            "seed = [0, 1, 2], and {low = 1e-4, high = 0.1, log = true} a range. Not needed to "
            "join the sweep in DIR.",
        ),
    ] = None,
    recipe: RecipeOption = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="Number of runs, where there are ranges; all combinations of lists are run.",
            show_default=False,
        ),
    ] = None,
    sampler: Annotated[
        SamplerChoice | None,
        typer.Option(
            help="How values are drawn from ranges: near the best so far, or anywhere.",
            show_default="tpe",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Seeds as 0-4 or 0,3,7-9, which every trial trains together, each into a folder "
            "of its own. A trial's value is the median over its seeds of the sampled error of "
            "their best validations, of an even number the mean of the two in the middle; a seed "
            "that diverged counts as the worst.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train many networks, with settings that vary, and print a table of the results.

    What a file may set for a task, and its recipes: qrnn sweep TASK --help.

    Every run is one of qrnn train, in a folder of its own. Several of these commands with one DIR,
    at any time and on any machine that sees it, share the runs. A run that was interrupted or
    killed goes on with the next of them.
    """
    with usage_errors():
        TASK_OPTIONS.find(task)
        layer = None if config is None else read_toml(config)
        if layer is None and recipe is not None:
            raise ValueError(f"recipe is for a new sweep, which takes --config, got {recipe!r}")
    from qrnn_circuits.command_line.sweep_runs import run_sweep

    run_sweep(
        task,
        out,
        layer,
        recipe=recipe,
        trials=trials,
        sampler=None if sampler is None else sampler.value,
        seeds=seeds,
        as_json=as_json,
    )


Command = FileTaskHelp
