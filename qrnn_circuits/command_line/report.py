"""``qrnn report``: a run as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.networks import is_pretrained, load_network
from qrnn_circuits.command_line.options import PRETRAINED, CheckpointChoice, RunArgument
from qrnn_circuits.command_line.waiting import clear, doing


def report(
    folder: RunArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to write the page (.html); by default report.html in the folder, or "
            "NAME.html here for a network that comes with the package.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        CheckpointChoice | None,
        typer.Option(
            help="The checkpoint with the smallest sampled validation error, or the latest one. By "
            "default the best one, or the last where there is no best one yet.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Where the task's data lie now, if not where the run says."),
    ] = None,
) -> None:
    """Write all about a run into one HTML page, which reads without a network.

    The page has the figures of the test, what to try next, the curves of the training, answers on
    examples or forecasts, the circuit of one step, the gates of every realisation, and the
    settings.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.command_line.run_places import check_page, checkpoint_of
        from qrnn_circuits.execution.report_page import report_page
        from qrnn_circuits.execution.run_report import make_run_report, read_curves
        from qrnn_circuits.training.atomic import write_atomically

        chosen = checkpoint_of(folder) if checkpoint is None else checkpoint
        run = load_network(folder, chosen, {} if data is None else {"data": data})
        file = _file(folder) if out is None else out
        check_page(file)
        run.task.test()  # reads the data, which may be missing
        curves = {} if is_pretrained(folder) else read_curves(folder)
    with run_errors():
        found = make_run_report(run, folder, chosen.value, curves, progress=doing)
    doing("drawing")
    page = report_page(found)
    with usage_errors():
        write_atomically(file, page.encode())
    clear()
    typer.echo(f"The report is in {file}.")


def _file(folder: Path) -> Path:
    if is_pretrained(folder):
        return Path(f"{str(folder).removeprefix(PRETRAINED)}.html")
    return folder / "report.html"
