"""What ``qrnn sweep`` does: runs what is left of a sweep, and prints a table."""

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from qrnn_circuits.command_line.errors import resumable, run_errors, usage_errors
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.command_line.train_seeds import parse_seeds
from qrnn_circuits.settings.run_settings import merge
from qrnn_circuits.tasks.forecast import Forecast
from qrnn_circuits.training import (
    Progress,
    SeedResult,
    Sweep,
    SweepSpace,
    SweepTrial,
    TrainingResult,
    progress_for,
)
from qrnn_circuits.training.freed_memory import keep_freed_memory
from qrnn_circuits.training.task_options import task_class, with_located_data


def run_sweep(
    task: str,
    out: Path,
    layer: Mapping[str, Any] | None,
    *,
    recipe: str | None = None,
    trials: int | None,
    sampler: Literal["tpe", "random"] | None,
    seeds: str | None = None,
    as_json: bool,
) -> None:
    """Runs what is left of a sweep, as ``qrnn sweep`` does.

    Args:
        task: Name of the task.
        out: Folder of the sweep.
        layer: What the file of settings holds; None to join a sweep.
        recipe: Name of the recipe that has what the file leaves out.
        trials: Number of runs, where there are ranges.
        sampler: How values are drawn from ranges.
        seeds: Those that every trial trains together, as ``0-4``.
        as_json: Whether to print one JSON object.
    """
    with run_errors(), usage_errors():
        book = Sweep.open(
            out,
            None if layer is None else _space(task, layer, recipe),
            trials=trials,
            sampler=sampler,
            seeds=None if seeds is None else parse_seeds(seeds),
        )
        if book.space.task != task:
            raise ValueError(f"this is a sweep of the task {book.space.task!r}, not {task!r}")
    with run_errors():
        received = _work(book)
        if as_json:
            typer.echo(json.dumps({"task": task, "trials": [_json(run) for run in book.trials()]}))
        else:
            _print_table(book)
    if received is not None:
        raise typer.Exit(128 + received)


def _space(task: str, layer: Mapping[str, Any], recipe: str | None) -> SweepSpace:
    """The settings of the file, with the task's data folder by its full path."""
    given = with_located_data(task, merge(task, layer))
    del given["task"]
    return SweepSpace(task, given, recipe)


def _work(book: Sweep) -> int | None:
    """Runs what there is to run, and returns the signal that ended it, if one did."""
    console = Console(stderr=True, highlight=False)
    command = f"qrnn sweep {book.space.task} --out {shlex.quote(str(book.folder))}"
    while True:
        with book.take() as run:
            if run is None:
                return None
            settings = ", ".join(f"{name} {_text(value)}" for name, value in run.settings.items())
            title = f"trial {run.number} of {len(book.trials())}: {settings}"
            console.print(plain(title), soft_wrap=True)
            with resumable(command):
                received = _run(book, run, progress_for(console) if console.is_terminal else None)
        if received is not None:
            told = f"Interrupted and saved after step {received.step}. Go on with: {command}"
            console.print(plain(told), soft_wrap=True)
            return received.signal


def _run(
    book: Sweep, run: SweepTrial, progress: Progress | None
) -> TrainingResult | SeedResult | None:
    """Runs a trial, and returns what a signal has interrupted of it, if one did."""
    if book.seeds is None:
        result = book.run(run, progress)
        return result if result is not None and result.signal is not None else None
    keep_freed_memory()
    results = book.run_seeds(run, progress) or []
    return next((result for result in results if result.signal is not None), None)


def _json(run: SweepTrial) -> dict[str, Any]:
    values = {**asdict(run), "folder": str(run.folder)}
    spread = values.pop("spread")
    return values if spread is None else {**values, **spread}


def _print_table(book: Sweep) -> None:
    """Prints the runs, the best first, and why some have failed."""
    console = table_console(piped=200)
    table = Table(title=plain(f"{book.space.task}, in {book.folder}", "table.title"), box=None)
    of_series = issubclass(task_class(book.space.task), Forecast)
    judged_by = "normalised error" if of_series else "sampled error"
    figures = [judged_by, "error", "loss", "step"]
    if book.seeds is not None:
        figures = [f"median {judged_by}", "best", "worst", "diverged", "error", "loss"]
    if of_series:
        figures.remove("error")  # Both are the same one.
    for name in ("trial", *book.space.varied, *figures, "state"):
        table.add_column(plain(name), justify="right")
    runs = book.trials()
    for run in sorted(runs, key=lambda r: math.inf if r.sampled_error is None else r.sampled_error):
        table.add_row(
            str(run.number),
            *(plain(_text(run.settings.get(name))) for name in book.space.varied),
            *_figures(run, of_series=of_series),
            run.state,
        )
    console.print(table)
    for run in runs:
        if run.state == "fail":
            console.print(plain(f"trial {run.number} has failed: {run.reason}"), soft_wrap=True)


def _figures(run: SweepTrial, *, of_series: bool) -> list[str]:
    """The cells of a run's figures."""
    shown = _text if of_series else _share
    error = [] if of_series else [_share(run.error)]
    if run.spread is None:
        return [shown(run.sampled_error), *error, _text(run.loss), _text(run.step)]
    best, worst, diverged = run.spread.best, run.spread.worst, run.spread.diverged
    return [
        shown(run.sampled_error),
        shown(best),
        "diverged" if diverged else shown(worst),
        _text(diverged),
        *error,
        _text(run.loss),
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
