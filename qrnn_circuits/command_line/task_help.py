"""Help on a command that says what is the named task's own: ``qrnn train xor --help``."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import typer
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from typer.core import TyperCommand

from qrnn_circuits.command_line.paragraphs import joined
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.task_description import TaskDescription, describe_task

_WORDS_OF_OTHERS = {
    "cuda": "device",
    "epochs": "steps",
    "gpu": "device",
    "hidden_dim": "hidden_size",
    "iterations": "steps",
    "lookback": "window",
    "lr": "learning_rate",
    "max_epochs": "steps",
    "num_epochs": "steps",
    "qubits": "workspace",
    "seq_len": "length",
}
"""What other packages call settings and options of tasks, and their names here."""


class TaskHelp(TyperCommand):
    """A command with an argument TASK, whose help describes the task that is named before it."""

    described: TaskDescription | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - of Typer's Click
        """Looks the task up if help on it is wanted."""
        words = args[: args.index("--")] if "--" in args else args
        task = self.named_task(ctx, words)
        if task is not None and any(name in words for name in ctx.help_option_names):
            try:
                self.describe(describe_task(task))
            except ValueError as error:
                raise typer.BadParameter(str(error)) from error
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # The class of such an error depends on the Click that Typer comes with.
            if hasattr(error, "possibilities"):
                name = error.option_name.strip("-").replace("-", "_")  # type: ignore[attr-defined]
                self.suggest(error, _WORDS_OF_OTHERS.get(name, name), task)
            raise

    def suggest(self, error: Any, name: str, task: str | None) -> None:  # noqa: ANN401
        """Has the error of an unknown option name the one that is meant.

        Args:
            error: It, with the options of which Click thinks.
            name: Of the setting that is meant, or what was given.
            task: The word that is the task, if there is one.
        """
        if any(parameter.name == name for parameter in self.params):
            error.possibilities = [f"--{name.replace('_', '-')}"]

    def named_task(self, ctx: Any, words: list[str]) -> str | None:  # noqa: ANN401
        """The word that is the task, if there is one.

        Args:
            ctx: Context of the command.
            words: What follows the command.
        """
        takes_value = {
            name
            for parameter in self.get_params(ctx)
            if not getattr(parameter, "is_flag", False)
            for name in parameter.opts
            if name.startswith("-")
        }
        before = ""
        for word in words:
            if not word.startswith("-") and before not in takes_value:
                return word
            before = word
        return None

    def describe(self, task: TaskDescription) -> None:
        """Makes the help that on one task.

        Args:
            task: The task.
        """
        self.described = task
        self.help = f"{self.summary()}\n\n{joined(task.text)}"

    def summary(self) -> str:
        """The first sentence of the help."""
        return (self.help or "").partition("\n\n")[0]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Adds the recipes of the task, and whatever else the command has to say of it."""
        super().format_help(ctx, formatter)
        if self.described is not None:
            console = Console(highlight=False)
            for title, rows in self.sections(self.described):
                console.print(_panel(title, rows))

    def sections(self, task: TaskDescription) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Title and rows of each further panel."""
        if task.recipes:
            # One that is called so needs no word.
            chosen = "" if task.default_recipe == "default" else task.default_recipe
            rows = [(f"{n} (default)" if n == chosen else n, text) for n, text in task.recipes]
            yield "Recipes", rows


class FileTaskHelp(TaskHelp):
    """Of a command that reads the settings from a file: lists them with the options of the task."""

    def suggest(self, error: Any, name: str, task: str | None) -> None:  # noqa: ANN401
        """Says of a setting, and of an option of the task, that the file sets it."""
        try:
            described = describe_task(task or "")
        except ValueError:
            return  # The command says so, once its options are known.
        of_task = {entry.name for entry in described.options}
        if name in of_task | {"cell"} | {entry.name for entry in described.settings}:
            place = " in [task_options]" if name in of_task else ""
            error.possibilities = None
            error.message += f"; the file of --config sets it, as {name} = VALUE{place}"

    def sections(self, task: TaskDescription) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Also what the file may set."""
        entries = [*task.options, *task.settings]
        for panel, group in groupby(entries, key=lambda entry: entry.panel):
            title = "table task_options" if panel == "Task options" else panel.lower()
            rows = [
                (e.name, f"{e.text} [default: {e.default}]" if e.default else e.text) for e in group
            ]
            yield f"Of the file: {title}", rows
        yield from super().sections(task)


def _panel(title: str, rows: list[tuple[str, str]]) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold cyan")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(plain(name), plain(text))
    return Panel(table, title=title, title_align="left", border_style="dim")
