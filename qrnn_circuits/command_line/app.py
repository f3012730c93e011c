"""The ``qrnn`` command and its subcommands."""

import sys
from pathlib import Path
from typing import Annotated

import typer

import qrnn_circuits
from qrnn_circuits.command_line.evaluate import evaluate
from qrnn_circuits.command_line.inspect import inspect
from qrnn_circuits.command_line.jobs import jobs
from qrnn_circuits.command_line.results import results
from qrnn_circuits.command_line.run import run
from qrnn_circuits.command_line.run_options import TaskCommand
from qrnn_circuits.command_line.sample import sample
from qrnn_circuits.command_line.submit import submit
from qrnn_circuits.command_line.sweep import sweep
from qrnn_circuits.command_line.train import train

app = typer.Typer(
    name="qrnn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=TaskCommand)(train)
app.command()(sweep)
app.command()(evaluate)
app.command()(sample)
app.command()(inspect)
app.command()(run)
app.command()(submit)
app.command()(jobs)
app.command()(results)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qrnn-circuits {qrnn_circuits.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Train quantum recurrent neural networks, see what they have learnt, and run them."""
    # So that "module:attribute" may name a file of the current folder, as with python -m.
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.append(folder)
