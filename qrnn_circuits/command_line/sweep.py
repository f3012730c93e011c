"""``qrnn sweep``: trains many networks on a task, with settings that vary."""

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.tasks import TASKS
from qrnn_circuits.training import Progress, Sweep, SweepSpace, SweepTrial, progress_for
from qrnn_circuits.training.settings import merge, read_toml
from qrnn_circuits.training.task_options import environment_options, with_full_paths

_FILE_WIDTH = 200


class SamplerChoice(StrEnum):
    """How values are drawn from ranges."""

    TPE = "tpe"
    RANDOM = "random"


def sweep(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help=f"One of {', '.join(TASKS.names())}.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the sweep, with a folder for each run.")
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train many networks, with settings that vary, and print a table of the results.

    Every run is one of qrnn train, in a folder of its own. Several of these commands with one DIR,
    at any time and on any machine that sees it, share the runs. A run that was interrupted or
    killed goes on with the next of them.
    """
    with run_errors(), usage_errors():
        try:
            book = Sweep.open(
                out,
                None if config is None else _space(task, read_toml(config)),
                trials=trials,
                sampler=None if sampler is None else sampler.value,
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
