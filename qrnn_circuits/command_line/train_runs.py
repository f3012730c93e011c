"""What ``qrnn train`` does: makes or resumes a run, or those of several seeds, and trains."""

import shlex
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from qrnn_circuits.command_line.errors import resumable, run_errors, usage_errors
from qrnn_circuits.command_line.networks import size_text
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.train_seeds import (
    is_of_seeds,
    is_started,
    run_seeds,
    seeds_trainer,
)
from qrnn_circuits.settings.run_settings import merge, read_toml
from qrnn_circuits.training import (
    Progress,
    Ranks,
    RunConfig,
    Trainer,
    TrainingResult,
    joined_ranks,
    progress_for,
)
from qrnn_circuits.training.task_options import (
    check_task_options,
    environment_options,
    with_full_paths,
)


def run_training(
    task: str,
    out: Path,
    config: Path | None,
    given_settings: Mapping[str, Any],
    task_options: Mapping[str, Any],
    *,
    recipe: str | None,
    resume: bool,
    seeds: str | None,
) -> None:
    """Trains a network, or one for each of several seeds.

    Args:
        task: Name of the task.
        out: Folder of the run, or of the runs.
        config: File of settings.
        given_settings: Settings by name, None where the user gives none; they count before the
            file.
        task_options: Options of the task, in the same way.
        recipe: Name of the recipe.
        resume: Whether to go on with what is in the folder.
        seeds: Which seeds, as the option has them.
    """
    with ExitStack() as stack:
        with run_errors(), usage_errors():
            ranks = stack.enter_context(joined_ranks())
        with run_errors(ranks), usage_errors(ranks):
            with ranks.all_or_none():
                layers = [
                    {"task_options": {} if resume else environment_options(task)},
                    read_toml(config) if config is not None else {},
                    {**_given(given_settings), "task_options": _given(task_options)},
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


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _trainer(
    out: Path, resume: bool, given: dict[str, Any], recipe: str | None, ranks: Ranks
) -> Trainer:
    """A new run, or the one in the folder."""
    given = _with_checked_options(given)
    if resume and ranks.from_first(lambda: is_started(out)):
        return Trainer.resume(out, given, ranks)
    return Trainer.start(RunConfig.resolve(given["task"], given, recipe=recipe), out, ranks)


def _with_checked_options(given: dict[str, Any]) -> dict[str, Any]:
    """The settings, with the task's files and folders by their full paths."""
    check_task_options(given["task"], given["task_options"])
    return given | {"task_options": with_full_paths(given["task"], given["task_options"])}


def _run(trainer: Trainer) -> None:
    config, folder = trainer.config, trainer.folder
    first = trainer.ranks.is_first
    console = Console(highlight=False, quiet=not first)
    title = (
        f"{config.task}: {size_text(config, trainer.model)}, "
        f"{config.optimizer}, seed {config.seed}, into {folder.path}"
    )
    if trainer.ranks.size > 1:
        title += f", by {trainer.ranks.size} processes"
    if trainer.step > 0:
        title += f" after step {trainer.step}"
    console.print(plain(title), soft_wrap=True)
    if trainer.task.found:
        console.print(plain(f"data: {trainer.task.found}"), soft_wrap=True)
    with run_errors(trainer.ranks), resumable(folder.resume_command(config)):
        result = trainer.run(progress_for(console) if first else Progress())
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
        text = f"Nothing to do, this run is finished: {result.reason}. "
        laid_out = ", ".join(trainer.config.laid_out_over_steps)
        if not laid_out:
            return text + "A larger --steps, or other limits of early stopping, extend it"
        if result.step < trainer.config.steps:
            return text + "Other limits of early stopping extend it"
        return (
            text + f"For more, start another run: {laid_out} of this one is laid out over all steps"
        )
    text = f"Finished after step {result.step}: {result.reason}."
    best = result.standing.best
    if best and trainer.config.of_series:
        text += (
            f" The best validation, by its normalised error of {best.error:.3g}, is that of step "
            f"{best.step}, with a mean squared error of {best.loss:.3g}."
        )
    elif best:
        text += (
            f" The best validation, by its sampled error of {best.sampled_error:.2%}, is that of "
            f"step {best.step}, with an error of {best.error:.2%}."
        )
    return f"{text} Test it with: qrnn evaluate {shlex.quote(str(folder.path))}"
