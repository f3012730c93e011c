"""``qrnn reproduce``: runs the experiments of the paper again."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.plain import echo, plain
from qrnn_circuits.settings.built_in_tasks import DATA_VARIABLE

if TYPE_CHECKING:
    from qrnn_circuits.reproduction.experiment import Experiment

_ALL = "all"


def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Experiments, or all. Listed by --list."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of the results: NAME.jsonl with a line for each run, and the best run of "
            "each case.",
        ),
    ] = Path("reproduction"),
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Few seeds, steps and cases, to see that all works."),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that work side by side, by default as many as there are cores.",
            show_default=False,
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the experiments, and how long they take.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Print the results so far, and run nothing.")
    ] = False,
    markdown: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --report, write it into a page (.md), with pictures and raw results in a "
            "folder of the same name.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run the experiments of the paper again, beside the published figures.

    What was interrupted or killed goes on with the same command, and no finished run is repeated.
    """
    # Help must not wait for what takes long to import.
    from qrnn_circuits.command_line.reproduction_table import print_list, print_tables

    with usage_errors():
        unused: dict[str, object] = {"processes": processes} if report or listed else {}
        if listed:
            unused |= {"names": names, "report": report or None, "markdown": markdown}
        for name, value in unused.items():
            if value is not None:
                option = "--list, which lists all" if listed else "--report, which runs nothing"
                raise ValueError(f"{name} must be left out with {option}, got {value}")
    if listed:
        print_list(quick)
        return
    with usage_errors():
        experiments = _experiments(names or [], quick, report)
        if markdown is not None and (quick or not report):
            raise ValueError(
                f"markdown is for --report and without --quick, got {markdown}: run the "
                "experiments first"
            )
        if markdown is not None:
            from qrnn_circuits.reproduction.report import write_report

            missing = write_report(experiments, out, markdown)
            echo(f"The report is in {markdown}.")
            if missing:
                text = (
                    f"Left out of it: {', '.join(missing)}, since {out} has neither them nor the "
                    "folders of their runs"
                )
                Console(stderr=True, highlight=False).print(plain(text), soft_wrap=True)
            return
    if report:
        print_tables(experiments, out, quick)
        return
    with usage_errors():
        if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE") != "1":
            raise ValueError(
                "reproduce starts processes of its own, as many as --processes says, but torchrun "
                "has started several of it: leave torchrun out"
            )
        experiments = [each for each in experiments if _has_data(each, names or [])]
    received, failures = _run(experiments, out, quick, processes)
    if received is not None:
        command = _command(" ".join(names or []), out, quick)
        text = f"Interrupted. Go on with: {command}. See what there is with: {command} --report"
        Console(stderr=True, highlight=False).print(plain(text), soft_wrap=True)
        raise typer.Exit(128 + received)
    print_tables(experiments, out, quick)
    if failures:
        raise typer.Exit(1)


def _experiments(names: list[str], quick: bool, report: bool) -> "list[Experiment]":
    """Those of some names; for a report, by default all."""
    from qrnn_circuits.reproduction.experiment import in_order
    from qrnn_circuits.reproduction.experiment_files import experiment_names, read_experiment

    known = experiment_names()
    if not names and not report:
        raise ValueError(
            f"name an experiment, or {_ALL} for all of them; known are {', '.join(known)}"
        )
    if names and _ALL not in names:
        return [read_experiment(name, quick=quick) for name in dict.fromkeys(names)]
    return in_order(read_experiment(name, quick=quick) for name in known)


def _has_data(experiment: "Experiment", names: list[str]) -> bool:
    """Whether an experiment can be run; if not, says what to set.

    Raises:
        ValueError: It cannot, and was asked for by name.
    """
    if experiment.needs_data is None or os.environ.get(DATA_VARIABLE):
        return True
    way_out = f"set {DATA_VARIABLE} to a folder with prepared MNIST files (qrnn data prepare)"
    if _ALL not in names:
        raise ValueError(f"{experiment.name} cannot be run without data: {way_out}")
    text = f"{experiment.name} is left out: {way_out}"
    Console(stderr=True, highlight=False).print(plain(text), soft_wrap=True)
    return False


def _run(
    experiments: "list[Experiment]", out: Path, quick: bool, processes: int | None
) -> tuple[int | None, int]:
    """Runs what is left, and returns the signal that ended it and the number of failures."""
    from qrnn_circuits.reproduction.display import runner_progress_for
    from qrnn_circuits.reproduction.runner import reproduce as run_experiments

    console = Console(stderr=True, highlight=False)
    with run_errors(), usage_errors():
        outcome = run_experiments(
            experiments,
            out,
            processes=processes or os.cpu_count() or 1,
            quick=quick,
            progress=runner_progress_for(console),
            command=lambda name: _command(name, Path("reproduction"), quick),
        )
    return outcome.signal, outcome.failures


def _command(names: str, out: Path, quick: bool) -> str:
    command = f"qrnn reproduce {names}" + (" --quick" if quick else "")
    return command if out == Path("reproduction") else f"{command} --out {shlex.quote(str(out))}"
