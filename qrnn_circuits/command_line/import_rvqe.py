"""``qrnn import-rvqe``: a network of the code that was published with the paper, as a run."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from qrnn_circuits.command_line.errors import run_errors, usage_errors
from qrnn_circuits.command_line.networks import size_text
from qrnn_circuits.command_line.options import check_out
from qrnn_circuits.command_line.plain import echo


def import_rvqe(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Checkpoint of github.com/rumschuettel/rvqe (.tar)."),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", callback=check_out, help="Folder of the run that is made."),
    ],
) -> None:
    """Make a run from a checkpoint of the code that was published with the paper.

    Only numbers and names are read from the file; nothing in it is run. Digits are read from the
    folder that the environment variable QRNN_DATA_DIR names, or that qrnn evaluate is given.
    """
    with run_errors(), usage_errors():
        from qrnn_circuits.training import import_rvqe as import_network
        from qrnn_circuits.training import load_run

        folder = import_network(file, out)
        run = load_run(folder.path)
    echo(
        f"{run.config.task}: {size_text(run.config, run.model)}, of step {run.step}, into {out}. "
        f"Test it with: qrnn evaluate {shlex.quote(str(out))}"
    )
