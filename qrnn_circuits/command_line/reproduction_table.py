"""The tables of ``qrnn reproduce``: experiments, and published figures beside ours."""

from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qrnn_circuits.command_line.errors import usage_errors
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.table_console import table_console
from qrnn_circuits.reproduction.experiment import Experiment, in_order
from qrnn_circuits.reproduction.experiment_files import experiment_names, read_experiment
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.reproduction.tables import (
    Row,
    chosen_text,
    published_text,
    quartiles_text,
    rows_of,
    seeds_text,
    shown,
)
from qrnn_circuits.settings.built_in_tasks import DATA_VARIABLE


def print_list(quick: bool) -> None:
    """Prints what can be run, and how long it takes.

    Args:
        quick: Whether with few seeds, steps and cases.
    """
    console = table_console(piped=200)
    table = Table(box=None)
    for name in ("name", "what is run"):
        table.add_column(name)
    for name in ("runs", "minutes on two cores"):
        table.add_column(name, justify="right")
    experiments = in_order(read_experiment(name, quick=quick) for name in experiment_names())
    for each in experiments:
        title = each.title + (f" (needs {DATA_VARIABLE})" if each.needs_data else "")
        table.add_row(plain(each.name), plain(title), str(each.runs), f"{each.minutes:g}")
    runs = sum(each.runs for each in experiments)
    table.add_row("all", "", str(runs), f"{sum(each.minutes for each in experiments):g}")
    console.print(table)


def print_tables(experiments: list[Experiment], out: Path, quick: bool) -> None:
    """Prints the results so far.

    Args:
        experiments: Of which.
        out: Folder of the results.
        quick: Whether those of few seeds, steps and cases.
    """
    # Imports torch, for which a list need not wait.
    from qrnn_circuits.reproduction.runner import stored_runs

    console = table_console(piped=200)
    for experiment in experiments:
        with usage_errors():
            runs = stored_runs(experiment, out, quick=quick)
        _print_table(console, experiment, runs)


def _print_table(
    console: Console, experiment: Experiment, runs: dict[tuple[str, int], RunResult]
) -> None:
    title = f"{experiment.title}: {len(runs)} of {experiment.runs} runs"
    table = Table(title=plain(title, "table.title"), box=None, title_justify="left")
    for name in ("case", "quantity"):
        table.add_column(name)
    for name in ("published", "median", "quartiles", "best by validation", "seeds", "time of one"):
        table.add_column(name, justify="right")
    for row in rows_of(experiment, runs):
        if row.done:
            table.add_row(*map(plain, _texts(row)))
    console.print(table)


def _texts(row: Row) -> tuple[str, ...]:
    seconds = "" if row.seconds is None else str(timedelta(seconds=round(row.seconds)))
    return (
        row.case,
        row.quantity.label,
        published_text(row),
        shown(row.median, row.quantity),
        quartiles_text(row),
        chosen_text(row),
        seeds_text(row),
        seconds,
    )
