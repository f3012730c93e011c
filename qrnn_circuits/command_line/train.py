"""``qrnn train``: trains a network on a task."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qrnn_circuits.choices import CELL_NAMES, LAYER_NAMES
from qrnn_circuits.command_line.errors import usage_errors
from qrnn_circuits.command_line.options import RecipeOption, check_out
from qrnn_circuits.command_line.run_options import (
    TaskCommand,
    add_options,
    cells_help,
    further_task_options,
)
from qrnn_circuits.command_line.task_description import task_names
from qrnn_circuits.settings.built_in_tasks import TASK_OPTIONS
from qrnn_circuits.settings.run_settings import settings


def train(
    context: typer.Context,
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help=f"One of {', '.join(task_names())}, or module:Class for a task of your own.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", callback=check_out, help="Folder of the run.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of such settings, as learning_rate = 0.01, with the task options in a "
            "table task_options. Options of this command count before it.",
        ),
    ] = None,
    recipe: RecipeOption = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the run in DIR after its last checkpoint. Only the schedule and "
            "--data may be given anew.",
        ),
    ] = False,
    cell: Annotated[
        str | None,
        typer.Option(
            help=cells_help(CELL_NAMES, LAYER_NAMES),
            rich_help_panel="Network",
            show_default="qrnn",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Train a run for each of these seeds, such as 0-31 or 0,3,7-9, in one process: "
            "small networks take a fraction of the time that they take one after another. The run "
            "of seed 3 goes to DIR/seed-3, a table and DIR/summary.json compare them.",
            rich_help_panel="Optimisation",
            show_default=False,
        ),
    ] = None,
    **values: Any,  # noqa: ANN401 - each setting and each option of a task
) -> None:
    """Train a network on a task.

    What a task asks, its options, recipes and defaults: qrnn train TASK --help.

    Checkpoints, the configuration and TensorBoard logs go to DIR. Settings that are left out take
    what suits the task, or else their defaults. Ctrl-C saves the run; --resume goes on with it.

    Several processes share the work with: torchrun --nproc-per-node N -m qrnn_circuits train ...
    They give the result of one, to rounding.
    """
    values |= further_task_options(context)
    given = {setting.name: values.pop(setting.name) for setting in settings()}
    with usage_errors():
        if resume and recipe is not None:
            raise ValueError(f"recipe is for a new run, not for --resume, got {recipe!r}")
        TASK_OPTIONS.find(task)
    from qrnn_circuits.command_line.train_runs import run_training

    run_training(
        task,
        out,
        config,
        {"cell": cell, **given},
        values,
        recipe=recipe,
        resume=resume,
        seeds=seeds,
    )


add_options(train)

# What the command is made of: it also takes the options of a task that only the user knows.
Command = TaskCommand
