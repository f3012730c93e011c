"""``qrnn train --seeds``: trains a network for each of several seeds, together."""

import re
import shlex
import signal
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from qrnn_circuits.command_line.errors import resumable, run_errors
from qrnn_circuits.command_line.networks import size_text
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.training import (
    EnsembleTrainer,
    Ranks,
    RunConfig,
    RunFolder,
    SeedResult,
    best_result,
    progress_for,
)
from qrnn_circuits.training.ensemble_folder import MOST_SEEDS
from qrnn_circuits.training.freed_memory import keep_freed_memory

_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def is_of_seeds(seeds: str | None, out: Path, resume: bool) -> bool:
    """Whether a command is for the runs of several seeds."""
    return seeds is not None or (resume and EnsembleTrainer.is_started(out))


def is_started(out: Path) -> bool:
    """Whether the run in the folder got as far as writing something before it was killed.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not out.is_dir():
        raise FileNotFoundError(f"there is no run to resume in {out}: it is no folder")
    return RunFolder(out).is_started


def seeds_trainer(
    seeds: str | None,
    out: Path,
    resume: bool,
    given: dict[str, Any],
    recipe: str | None,
    ranks: Ranks,
) -> EnsembleTrainer:
    """New runs, or those in the folder.

    Args:
        seeds: As the option has them.
        out: The folder.
        resume: Whether to go on with runs.
        given: Settings.
        recipe: Name of the recipe.
        ranks: The processes, which must be this one alone.

    Raises:
        FileNotFoundError: There is no folder to resume runs in.
        ValueError: Something is not acceptable.
    """
    if ranks.size > 1:
        raise ValueError(
            f"seeds are trained together by one process, got {ranks.size}: leave torchrun out"
        )
    if resume and EnsembleTrainer.is_started(out):
        runs = EnsembleTrainer.resume(out, given)
        if seeds is not None and parse_seeds(seeds) != list(runs.trainers):
            raise ValueError(
                f"seeds must be those that the runs in {out} were started with, "
                f"{', '.join(map(str, runs.trainers))}, or left out, got {seeds!r}"
            )
        return runs
    if resume and is_started(out):
        raise ValueError(
            f"seeds must be left out for {out}, which holds no runs of several, got {seeds!r}"
        )
    if "seed" in given:
        raise ValueError(f"seed and seeds exclude each other, got {given['seed']} and {seeds!r}")
    config = RunConfig.resolve(given["task"], given, recipe=recipe)
    return EnsembleTrainer.start(config, parse_seeds(seeds or ""), out)


def parse_seeds(text: str) -> list[int]:
    """The seeds that a text like ``0-31`` or ``0,3,7-9`` names.

    Raises:
        ValueError: The text names none, one of them twice, or too many.
    """
    parts = [_RANGE.fullmatch(part.strip()) for part in text.split(",")]
    seeds: list[int] = []
    for part in parts:
        first, last = (int(part[1]), int(part[2] or part[1])) if part else (1, 0)
        if first > last:
            raise ValueError(f"seeds must be like 0-31 or 0,3,7-9, got {text!r}")
        if len(seeds) + last - first >= MOST_SEEDS:
            raise ValueError(f"seeds must be at most {MOST_SEEDS:,}, got {text!r}")
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must each be named once, got {text!r}")
    return seeds


def run_seeds(runs: EnsembleTrainer) -> None:
    """Trains, and prints a table of the results."""
    console = Console(highlight=False)
    config, trainers = runs.config, runs.trainers
    first = next(iter(trainers.values()))
    title = (
        f"{config.task}: {len(trainers)} networks of {size_text(config, first.model)}, "
        f"{config.optimizer}, into {runs.folder}. Shown are the mean loss and the best validation"
    )
    console.print(plain(title), soft_wrap=True)
    if first.task.found:
        console.print(plain(f"data: {first.task.found}"), soft_wrap=True)
    command = RunFolder(runs.folder).resume_command(config)
    keep_freed_memory()
    with run_errors(), resumable(command):
        results = runs.run(progress_for(console))
    _print_table(runs, results)
    received = next((result.signal for result in results if result.signal is not None), None)
    if received is not None:
        name = signal.Signals(received).name
        console.print(
            plain(f"Interrupted ({name}) and saved. Go on with: {command}"), soft_wrap=True
        )
        raise typer.Exit(128 + received)
    best = best_result(results)
    if best is not None:
        text = f"The best is seed {best.seed}. Test it with: qrnn evaluate "
        console.print(plain(text + shlex.quote(str(best.folder))), soft_wrap=True)
    if all(result.diverged for result in results):
        raise typer.Exit(1)


def _print_table(runs: EnsembleTrainer, results: list[SeedResult]) -> None:
    """Prints the runs, the best first."""
    table = Table(title=plain(f"{runs.config.task}, in {runs.folder}", "table.title"), box=None)
    errors = ("sampled error", "error") if not runs.config.of_series else ("normalised error",)
    for name in ("seed", *errors, "loss", "at step", "steps"):
        table.add_column(name, justify="right")
    table.add_column("ended", overflow="fold")
    judged = sorted(
        (result for result in results if result.best is not None),
        key=lambda result: result.best.rank if result.best else (),
    )
    for result in [*judged, *(result for result in results if result.best is None)]:
        figures = ["-"] * (len(errors) + 2)
        if best := result.best:
            shares = (best.sampled_error, best.error)
            figures = [f"{share:.2%}" for share in shares]
            if runs.config.of_series:
                figures = [f"{best.error:.3g}"]
            figures += [f"{best.loss:.4g}", str(best.step)]
        reason = "diverged" if result.diverged else result.reason or "interrupted"
        table.add_row(str(result.seed), *figures, str(result.step), plain(reason))
    table_console().print(table)
