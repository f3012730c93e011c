"""The ``qrnn`` command and its subcommands."""

import gc
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import qrnn_circuits
from qrnn_circuits.command_line.waiting import watched

COMMANDS = {
    "train": "Train a network on a task.",
    "sweep": "Train many networks, with settings that vary, and print a table of the results.",
    "evaluate": "Print the test error of a trained network, with its standard error.",
    "sample": "Draw sequences from a trained network, one measurement at a time.",
    "inspect": "Count the qubits and gates of a trained network's circuit, on paper and on a chip.",
    "run": "Run a trained network's task on a device, and compare it with the exact model.",
    "submit": "Submit a trained network's task to a device as one job, and return at once.",
    "jobs": "List the recorded jobs, the latest first.",
    "results": "Fetch a job's results and compare them with the exact model, as qrnn run does.",
    "cancel": "Take submitted jobs back before they have run.",
    "doctor": "Say what is installed and set up, and what to do about what is not.",
}
"""The first sentence of every command's help, to be listed without importing the command."""

WATCHED = ("evaluate", "sample", "inspect", "run", "submit", "results", "cancel")
"""Commands that show nothing of their own while they compute or wait for the network."""

_SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_show_locals": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class LazyGroup(TyperGroup):
    """Imports a command, and with it torch, only when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - of Typer's Click
        """Replaces the entry of the list by the command."""
        name, entry, rest = super().resolve_command(ctx, args)
        return name, entry and load_command(str(name)), rest


def load_command(name: str) -> Any:  # noqa: ANN401
    """The command of the function ``NAME`` in the module ``command_line.NAME``.

    The module may have a class of its own for the command, ``Command``.
    """
    module = import_module(f"qrnn_circuits.command_line.{name}")
    single = typer.Typer(**_SETTINGS)
    single.command(name, cls=getattr(module, "Command", TyperCommand))(getattr(module, name))
    return typer.main.get_command(single)


def _entry() -> None:
    """Stands for a command in the list."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qrnn-circuits {qrnn_circuits.__version__}")
        raise typer.Exit


app = typer.Typer(name="qrnn", cls=LazyGroup, no_args_is_help=True, **_SETTINGS)
for _name, _help in COMMANDS.items():
    app.command(_name, help=_help)(_entry)


def start() -> None:
    """The program: runs a command, while another process watches it if it is a slow one."""
    slow = sys.argv[1:2] and sys.argv[1] in WATCHED
    if slow:
        # By default all objects of PyTorch and Qiskit are looked through again and again.
        gc.set_threshold(100_000, 20, 100)
    with watched() if slow else nullcontext():
        app(prog_name="qrnn")


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
