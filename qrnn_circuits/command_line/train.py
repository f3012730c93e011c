"""``qrnn train``: trains a network on a task."""

import dataclasses
import shlex
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.options import (
    DATA_VARIABLE,
    absolute_data,
    environment_options,
)
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
from qrnn_circuits.training.config import merge, read_toml

_DEFAULTS = {field.name: field.default for field in dataclasses.fields(RunConfig)}


def _setting(panel: str, name: str, text: str) -> Any:  # noqa: ANN401 - as typer.Option is typed
    """An option for a field of :class:`RunConfig`, with its default in the help."""
    default: str | bool = False
    if _DEFAULTS[name] is not None:
        recommended = any(name in task().recommended for task in TASKS.values())
        default = (
            f"{_DEFAULTS[name]}, or what suits the task" if recommended else str(_DEFAULTS[name])
        )
    return typer.Option(help=text, rich_help_panel=panel, show_default=default)


_network = partial(_setting, "Network")
_optimisation = partial(_setting, "Optimisation")
_schedule = partial(_setting, "Schedule")


def _task_option(text: str) -> Any:  # noqa: ANN401
    return typer.Option(help=text, rich_help_panel="Task options", show_default=False)


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help=f"One of {', '.join(TASKS)}.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of such settings, as learning_rate = 0.01, with the task options in a "
            "table task_options. Options of this command count before it.",
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
    workspace: Annotated[
        int | None, _network("workspace", "Workspace wires: the size of the cell's state.")
    ] = None,
    lane: Annotated[
        int | None, _network("lane", "Lane wires, where more than the task needs are wanted.")
    ] = None,
    stages: Annotated[int | None, _network("stages", "Work stages of the cell.")] = None,
    order: Annotated[int | None, _network("order", "Order of the neurons.")] = None,
    degree: Annotated[int | None, _network("degree", "Degree of the neurons' polynomials.")] = None,
    semantics: Annotated[str | None, _network("semantics", "postselected or unitary.")] = None,
    strategy: Annotated[
        str | None,
        _network("strategy", "How it is simulated: auto, transfer or state."),
    ] = None,
    dtype: Annotated[str | None, _network("dtype", "float32 or float64.")] = None,
    device: Annotated[
        str | None,
        _network("device", "cpu, or cuda: a GPU, under torchrun one for each process."),
    ] = None,
    bias_spread: Annotated[
        float | None,
        _network("bias_spread", "Standard deviation of the initial biases around pi/2."),
    ] = None,
    weight_spread: Annotated[
        float | None, _network("weight_spread", "Standard deviation of the initial weights.")
    ] = None,
    theta_spread: Annotated[
        float | None, _network("theta_spread", "Standard deviation of the initial angles theta.")
    ] = None,
    optimizer: Annotated[
        str | None, _optimisation("optimizer", "adam, sgd, rmsprop or lbfgs.")
    ] = None,
    learning_rate: Annotated[
        float | None,
        _optimisation(
            "learning_rate", "Of the optimiser; with lbfgs the first trial of its line search."
        ),
    ] = None,
    readout_learning_rate: Annotated[
        float | None,
        _optimisation(
            "readout_learning_rate", "That of the neurons onto lane wires, by default the same."
        ),
    ] = None,
    decay: Annotated[
        str | None,
        _optimisation("decay", "none, or cosine: the learning rate falls to 0 over the steps."),
    ] = None,
    clip_norm: Annotated[
        float | None,
        _optimisation("clip_norm", "Greatest norm of the gradients; a huge one clips none."),
    ] = None,
    history: Annotated[
        int | None, _optimisation("history", "Past updates that lbfgs remembers.")
    ] = None,
    loss: Annotated[str | None, _optimisation("loss", "nll or paper.")] = None,
    batch_size: Annotated[int | None, _optimisation("batch_size", "Sequences in a step.")] = None,
    seed: Annotated[
        int | None, _optimisation("seed", "Of the initial parameters and the batches.")
    ] = None,
    steps: Annotated[
        int | None, _schedule("steps", "Optimiser steps, from the start of the run.")
    ] = None,
    validate_every: Annotated[
        int | None, _schedule("validate_every", "Steps between two validations.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, _schedule("checkpoint_every", "Steps between two checkpoints.")
    ] = None,
    retreat: Annotated[
        int | None,
        _schedule(
            "retreat",
            "Go back to the best checkpoint, at half the rate, after so many validations in a row "
            "without improvement.",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        _schedule("patience", "Stop after so many validations in a row without improvement."),
    ] = None,
    stop_loss: Annotated[
        float | None, _schedule("stop_loss", "Stop once the validation loss is not above this.")
    ] = None,
    stop_error: Annotated[
        float | None, _schedule("stop_error", "Stop once the validation error is not above this.")
    ] = None,
    length: Annotated[
        int | None, _task_option("Steps of a sequence (memorise, xor, letters, dna).")
    ] = None,
    advice: Annotated[
        bool | None,
        _task_option("Whether the network is told the consonants (quotes)."),
    ] = None,
    digits: Annotated[
        str | None, _task_option("Which digits, as 0,1 or 0-9 or 3,6-8 (digits).")
    ] = None,
    labels: Annotated[str | None, _task_option("digit or even-odd (digits).")] = None,
    generate: Annotated[
        bool | None, _task_option("Draw digits in place of naming them (digits).")
    ] = None,
    reduce: Annotated[
        str | None, _task_option("Read coordinates in place of pixels: umap or pca (digits).")
    ] = None,
    dims: Annotated[int | None, _task_option("Number of coordinates (digits).")] = None,
    resolution: Annotated[int | None, _task_option("Bits of each coordinate (digits).")] = None,
    data: Annotated[
        str | None,
        _task_option(
            f"Folder with MNIST files, by default ${DATA_VARIABLE}; or download; or embedded, the "
            "8x8 digits of scikit-learn, the default without that variable (digits)."
        ),
    ] = None,
    deskewed: Annotated[
        bool | None, _task_option("Read digits that have been set upright (digits).")
    ] = None,
) -> None:
    """Train a network on a task.

    Checkpoints, the configuration and TensorBoard logs go to DIR. Settings that are left out take
    what suits the task, or else their defaults. Ctrl-C saves the run; --resume goes on with it.

    Several processes share the work with: torchrun --nproc-per-node N -m qrnn_circuits train ...
    They give the result of one, to rounding.
    """
    settings = {
        "workspace": workspace,
        "lane": lane,
        "stages": stages,
        "order": order,
        "degree": degree,
        "semantics": semantics,
        "strategy": strategy,
        "dtype": dtype,
        "device": device,
        "bias_spread": bias_spread,
        "weight_spread": weight_spread,
        "theta_spread": theta_spread,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "readout_learning_rate": readout_learning_rate,
        "decay": decay,
        "clip_norm": clip_norm,
        "history": history,
        "loss": loss,
        "batch_size": batch_size,
        "seed": seed,
        "steps": steps,
        "validate_every": validate_every,
        "checkpoint_every": checkpoint_every,
        "retreat": retreat,
        "patience": patience,
        "stop_loss": stop_loss,
        "stop_error": stop_error,
    }
    options = {
        "length": length,
        "advice": advice,
        "digits": digits,
        "labels": labels,
        "generate": generate,
        "reduce": reduce,
        "dims": dims,
        "resolution": resolution,
        "data": data,
        "deskewed": deskewed,
    }
    with ExitStack() as stack:
        with run_errors(), usage_errors():
            ranks = stack.enter_context(joined_ranks())
        with run_errors(ranks), usage_errors(ranks):
            with ranks.all_or_none():
                layers = [
                    {"task_options": {} if resume else environment_options(task)},
                    read_toml(config) if config is not None else {},
                    {**_given(settings), "task_options": _given(options)},
                ]
                given = merge(task, *layers)
            trainer = _trainer(out, resume, given, ranks)
        _run(trainer)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _trainer(out: Path, resume: bool, given: dict[str, Any], ranks: Ranks) -> Trainer:
    """A new run, or the one in the folder."""
    options = given["task_options"]
    if isinstance(options.get("data"), str):
        options["data"] = absolute_data(options["data"])
    if resume and ranks.from_first(lambda: _is_started(out)):
        return Trainer.resume(out, given, ranks)
    return Trainer.start(RunConfig.resolve(given["task"], given), out, ranks)


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
    title = (
        f"{config.task}: {parameters:,} parameters (workspace {config.workspace}, lane "
        f"{config.lane}, stages {config.stages}, order {config.order}, degree {config.degree}), "
        f"{config.optimizer}, seed {config.seed}, into {folder.path}"
    )
    if trainer.ranks.size > 1:
        title += f", by {trainer.ranks.size} processes"
    if trainer.step > 0:
        title += f" after step {trainer.step}"
    console.print(Text(title), soft_wrap=True)
    with run_errors(trainer.ranks):
        try:
            result = trainer.run(progress_for(console) if first else Progress())
        except (CheckpointError, LogError, RankError) as error:
            command = folder.resume_command(config)
            raise type(error)(f"{error}. Once that is put right, go on with: {command}") from error
    console.print(Text(_summary(trainer, result)), soft_wrap=True)
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
    if best := result.standing.best:
        text += (
            f" The best validation error is {best.error:.2%} (sampled {best.sampled_error:.2%}), "
            f"of step {best.step}."
        )
    return f"{text} Test it with: qrnn evaluate {shlex.quote(str(folder.path))}"
