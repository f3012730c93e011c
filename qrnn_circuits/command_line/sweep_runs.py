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

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.settings.run_settings import merge
from qrnn_circuits.training import Progress, Sweep, SweepSpace, SweepTrial, progress_for
from qrnn_circuits.training.task_options import environment_options, with_full_paths

_FILE_WIDTH = 200


def run_sweep(
    task: str,
    out: Path,
    layer: Mapping[str, Any] | None,
    *,
    trials: int | None,
    sampler: Literal["tpe", "random"] | None,
    as_json: bool,
) -> None:
    """Runs what is left of a sweep, as ``qrnn sweep`` does.

    Args:
        task: Name of the task.
        out: Folder of the sweep.
        layer: What the file of settings holds; None to join a sweep.
        trials: Number of runs, where there are ranges.
        sampler: How values are drawn from ranges.
        as_json: Whether to print one JSON object.
    """
    with run_errors(), usage_errors():
        try:
            book = Sweep.open(
                out,
                None if layer is None else _space(task, layer),
                trials=trials,
                sampler=sampler,
            )
        except ImportError as error:
            raise ValueError(str(error)) from error
        if book.space.task != task:
            raise ValueError(f"this is a sweep of the task {book.space.task!r}, not {task!r}")
    received = _work(book)
    if as_json:
        typer.echo(json.dumps({"task": task, "trials": [_json(run) for run in book.trials()]}))
    else:
        _print_table(book)
    if received is not None:
        raise typer.Exit(128 + received)


def _space(task: str, layer: Mapping[str, Any]) -> SweepSpace:
    """The settings of the file, with the task's data folder by its full path."""
    given = merge(task, {"task_options": environment_options(task)}, layer)
    del given["task"]
    given["task_options"] = with_full_paths(task, given["task_options"])
    return SweepSpace(task, given)


def _work(book: Sweep) -> int | None:
    """Runs what there is to run, and returns the signal that ended it, if one did."""
    console = Console(stderr=True, highlight=False)
    while True:
        with book.take() as run:
            if run is None:
                return None
            settings = ", ".join(f"{name} {_text(value)}" for name, value in run.settings.items())
            title = f"trial {run.number} of {len(book.trials())}: {settings}"
            console.print(plain(title), soft_wrap=True)
            with run_errors():
                result = book.run(run, progress_for(console) if console.is_terminal else Progress())
        if result is not None and result.signal is not None:
            command = f"qrnn sweep {book.space.task} --out {shlex.quote(str(book.folder))}"
            told = f"Interrupted and saved after step {result.step}. Go on with: {command}"
            console.print(plain(told), soft_wrap=True)
            return result.signal


def _json(run: SweepTrial) -> dict[str, Any]:
    return {**asdict(run), "folder": str(run.folder)}


def _print_table(book: Sweep) -> None:
    """Prints the runs, the best first, and why some have failed."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    table = Table(title=plain(f"{book.space.task}, in {book.folder}", "table.title"), box=None)
    figures = ("sampled error", "error", "loss", "step")
    for name in ("trial", *book.space.varied, *figures, "state"):
        table.add_column(plain(name), justify="right")
    runs = book.trials()
    for run in sorted(runs, key=lambda r: math.inf if r.sampled_error is None else r.sampled_error):
        table.add_row(
            str(run.number),
            *(plain(_text(run.settings.get(name))) for name in book.space.varied),
            *(f"{e:.2%}" if e is not None else "" for e in (run.sampled_error, run.error)),
            _text(run.loss),
            _text(run.step),
            run.state,
        )
    console.print(table)
    for run in runs:
        if run.state == "fail":
            console.print(plain(f"trial {run.number} has failed: {run.reason}"), soft_wrap=True)


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
