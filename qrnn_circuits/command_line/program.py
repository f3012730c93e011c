"""The ``qrnn`` command and its subcommands."""

import gc
import io
import os
import sys
from contextlib import nullcontext
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import qrnn_circuits
from qrnn_circuits.command_line.completion import completions
from qrnn_circuits.command_line.errors import output_errors, show_error
from qrnn_circuits.command_line.paragraphs import joined
from qrnn_circuits.command_line.waiting import watched

COMMANDS = {
    "train": "Train a network on a task.",
    "import-rvqe": "Make a run from a checkpoint of the code that was published with the paper.",
    "sweep": "Train many networks, with settings that vary, and print a table of the results.",
    "reproduce": "Run the experiments of the paper again, beside the published figures.",
    "evaluate": "Print the test error of a trained network, with its standard error.",
    "sample": "Draw sequences from a trained network, one measurement at a time.",
    "inspect": "Count the qubits and gates of a trained network's circuit, on paper and on a chip.",
    "report": "Write all about a run into one HTML page, which needs no internet.",
    "compare": "Compare runs of one task: which is better, and in what their settings differ.",
    "run": "Run a trained network's task on a device, and compare it with the exact model.",
    "submit": "Submit a trained network's task to a device as one job, and return at once.",
    "jobs": "List the recorded jobs, the latest first.",
    "results": "Fetch a job's results and compare them with the exact model, as qrnn run does.",
    "cancel": "Take submitted jobs back before they have run.",
    "data": "Prepare raw handwritten digits for the task digits: qrnn data prepare RAW --out DIR.",
    "doctor": "Say what is installed and set up, and what to do about what is not.",
}
"""The first sentence of every command's help, to be listed without importing the command."""

WATCHED = (
    "evaluate",
    "sample",
    "inspect",
    "report",
    "compare",
    "run",
    "submit",
    "results",
    "cancel",
    "data",
)
"""Commands that show nothing of their own while they compute or wait for the network."""

_SETTINGS: dict[str, Any] = {
    "pretty_exceptions_show_locals": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class LazyGroup(TyperGroup):
    """Imports a command, and with it torch, only when it is called."""

    def main(self, args: Any = None, prog_name: str | None = None, **settings: Any) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Gives the words that follow a command to the command at once.

        To parse the options of ``qrnn`` itself, Typer imports Pydantic, which takes longer than
        all that a help needs.
        """
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Names and alphabets of the user may have signs that the terminal's encoding lacks.
                stream.reconfigure(errors="backslashreplace")
        # So that "module:attribute" may name a file of the current folder, as with python -m.
        try:
            folder = str(Path.cwd())
        except FileNotFoundError:
            # Nor can PyTorch be imported there.
            text = "the current folder has been removed: change to another one, by cd"
            show_error(FileNotFoundError(text))
            sys.exit(2)
        if folder not in sys.path:
            sys.path.append(folder)
        words = sys.argv[1:] if args is None else list(args)
        if words and words[0] in COMMANDS:
            name = f"{prog_name or self.name} {words[0]}"
            return load_command(words[0]).main(words[1:], name, **settings)
        try:
            return super().main(words, prog_name, **settings)
        except OSError as error:
            # Of the files by which a shell completes, as no others are written here.
            if error.filename is None:
                raise
            way_out = "put what qrnn --show-completion prints where your shell reads it"
            show_error(OSError(f"completion cannot be installed: {error}; {way_out}"))
            sys.exit(1)


class Entry(TyperCommand):
    """Stands for a command in the list, and while a shell completes a command line."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401
        """The options of the command."""
        command = load_command(str(self.name))
        context = command.make_context(self.name, [], resilient_parsing=True)
        options: list[Any] = command.shell_complete(context, incomplete)
        return options


def load_command(name: str) -> Any:  # noqa: ANN401
    """The command of the function ``NAME`` in the module ``command_line.NAME``.

    A hyphen of the command is an underscore there. The module may have a class of its own for the
    command, ``Command``.
    """
    function = name.replace("-", "_")
    module = import_module(f"qrnn_circuits.command_line.{function}")
    single = typer.Typer(add_completion=False, **_SETTINGS)
    called = getattr(module, function)
    kind = getattr(module, "Command", TyperCommand)
    single.command(name, cls=kind, help=joined(getdoc(called) or ""))(called)
    return typer.main.get_command(single)


def _complete(context: typer.Context, incomplete: str) -> list[str]:
    return completions(str(context.info_name), context.params.get("words") or (), incomplete)


def _entry(
    words: Annotated[list[str] | None, typer.Argument(autocompletion=_complete)] = None,
) -> None:
    """Takes any words."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qrnn-circuits {qrnn_circuits.__version__}")
        raise typer.Exit


app = typer.Typer(name="qrnn", cls=LazyGroup, no_args_is_help=True, **_SETTINGS)
for _name, _help in COMMANDS.items():
    app.command(_name, cls=Entry, help=_help, context_settings={"ignore_unknown_options": True})(
        _entry
    )


def run() -> None:
    """Runs a command, while another process watches it if it is a slow one."""
    # A program that is started without them would take files that it opens for these.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    words = sys.argv[1:]
    slow = words and words[0] in WATCHED and not {"-h", "--help"} & set(words)
    if slow:
        # By default all objects of PyTorch and Qiskit are looked through again and again.
        gc.set_threshold(100_000, 20, 100)
    try:
        with watched() if slow else nullcontext(), output_errors():
            app(prog_name="qrnn")
    finally:
        # Else Python looks through all objects of PyTorch before the prompt is back. Of Triton,
        # which CUDA builds import, what is frozen would be listed as leaks at the end:
        # https://nanobind.readthedocs.io/en/latest/refleaks.html
        if "triton" not in sys.modules:
            gc.freeze()


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Train quantum recurrent neural networks, see what they have learnt, and run them.

    To begin with: qrnn train xor --out runs/xor, then qrnn report runs/xor.
    """
