"""``qrnn train``: trains a network on a task."""

import shlex
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from qrnn_circuits.cells import CELLS
from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.run_options import TaskCommand, add_options, further_task_options
from qrnn_circuits.command_line.train_seeds import is_of_seeds, run_seeds, seeds_trainer
from qrnn_circuits.forecaster import LAYERS
from qrnn_circuits.tasks import TASKS
from qrnn_circuits.training import (
    CheckpointError,
    LogError,
    Progress,
    RankError,
    Ranks,
    RunConfig,
    RunFolder,
    Trainer,
    TrainingResult,
    joined_ranks,
    progress_for,
)
from qrnn_circuits.training.settings import merge, read_toml, settings
from qrnn_circuits.training.task_options import (
    check_task_options,
    environment_options,
    with_full_paths,
)


def train(
    context: typer.Context,
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help=f"One of {', '.join(TASKS.names())}, or module:Class for a task of your own.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of such settings, as learning_rate = 0.01, with the task options in a "
            "table task_options. Options of this command count before it.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Which of the task's recommended settings to begin with, or none.",
            show_default="what the task names",
        ),
    ] = None,
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
            help=f"{', '.join(CELLS.names())}; for forecasts {', '.join(LAYERS.names())}; with "
            "further options after commas, as in qlstm,depth=2; or module:Class of your own.",
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

    Checkpoints, the configuration and TensorBoard logs go to DIR. Settings that are left out take
    what suits the task, or else their defaults. Ctrl-C saves the run; --resume goes on with it.

    Several processes share the work with: torchrun --nproc-per-node N -m qrnn_circuits train ...
    They give the result of one, to rounding.
    """
    values |= further_task_options(context)
    given_settings = {setting.name: values.pop(setting.name) for setting in settings()}
    with ExitStack() as stack:
        with run_errors(), usage_errors():
            ranks = stack.enter_context(joined_ranks())
        with run_errors(ranks), usage_errors(ranks):
            if resume and recipe is not None:
                raise ValueError(f"recipe is for a new run, not for --resume, got {recipe!r}")
            with ranks.all_or_none():
                layers = [
                    {"task_options": {} if resume else environment_options(task)},
                    read_toml(config) if config is not None else {},
                    {**_given({"cell": cell, **given_settings}), "task_options": _given(values)},
                ]
                given = merge(task, *layers)
            together = is_of_seeds(seeds, out, resume)
            if together:
                runs = seeds_trainer(
                    seeds, out, resume, _with_checked_options(given), recipe, ranks
                )
            else:
                trainer = _trainer(out, resume, given, recipe, ranks)
        if together:
            run_seeds(runs)
        else:
            _run(trainer)


add_options(train)

# What the command is made of: it also takes the options of a task that only the user knows.
Command = TaskCommand


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _trainer(
    out: Path, resume: bool, given: dict[str, Any], recipe: str | None, ranks: Ranks
) -> Trainer:
    """A new run, or the one in the folder."""
    given = _with_checked_options(given)
    if resume and ranks.from_first(lambda: _is_started(out)):
        return Trainer.resume(out, given, ranks)
    return Trainer.start(RunConfig.resolve(given["task"], given, recipe=recipe), out, ranks)


def _with_checked_options(given: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the task's files and folders by their full paths."""
    check_task_options(given["task"], given["task_options"])
    return given | {"task_options": with_full_paths(given["task"], given["task_options"])}


def _is_started(out: Path) -> bool:
    """Whether the run in the folder got as far as writing something before it was killed."""
    if not out.is_dir():
        raise FileNotFoundError(f"there is no run to resume in {out}: it is no folder")
    return RunFolder(out).is_started


def _run(trainer: Trainer) -> None:
    config, folder = trainer.config, trainer.folder
    first = trainer.ranks.is_first
    console = Console(highlight=False, quiet=not first)
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    sizes = ", ".join(f"{name} {value}" for name, value in trainer.config.sizes(trainer.model))
    title = (
        f"{config.task}: {parameters:,} parameters ({sizes}), "
        f"{config.optimizer}, seed {config.seed}, into {folder.path}"
    )
    if trainer.ranks.size > 1:
        title += f", by {trainer.ranks.size} processes"
    if trainer.step > 0:
        title += f" after step {trainer.step}"
    console.print(plain(title), soft_wrap=True)
    with run_errors(trainer.ranks):
        try:
            result = trainer.run(progress_for(console) if first else Progress())
        except (CheckpointError, LogError, RankError) as error:
            command = folder.resume_command(config)
            raise type(error)(f"{error}. Once that is put right, go on with: {command}") from error
    console.print(plain(_summary(trainer, result)), soft_wrap=True)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)


def _summary(trainer: Trainer, result: TrainingResult) -> str:
    folder = trainer.folder
    if result.signal is not None:
        return (
            f"Interrupted ({signal.Signals(result.signal).name}) and saved after step "
            f"{result.step}. Go on with: {folder.resume_command(trainer.config)}"
        )
    if result.step == result.first_step:
        return (
            f"Nothing to do, this run is finished: {result.reason}. A larger --steps, or other "
            "limits of early stopping, extend it"
        )
    text = f"Finished after step {result.step}: {result.reason}."
    best = result.standing.best
    if best and trainer.config.of_series:
        text += (
            f" The best validation has a mean squared error of {best.loss:.3g}, which is "
            f"{best.error:.3g} of the standard deviation (normalised error), at step {best.step}."
        )
    elif best:
        text += (
            f" The best validation error is {best.error:.2%} (sampled {best.sampled_error:.2%}), "
            f"of step {best.step}."
        )
    return f"{text} Test it with: qrnn evaluate {shlex.quote(str(folder.path))}"
