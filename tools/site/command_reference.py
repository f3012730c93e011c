"""The reference of the command line, written from the commands themselves at each build.

A page for each command of ``qrnn`` goes to ``docs/commands``, with its help, its arguments and its
options in the groups of ``--help``; a command that describes tasks has a section for each of them.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qrnn_circuits.command_line.program import COMMANDS, load_command
from qrnn_circuits.command_line.task_description import describe_task
from qrnn_circuits.command_line.task_help import FileTaskHelp, TaskHelp
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS
from tools.site.pages import write_changed

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_SPECIAL = re.compile(r"([\\*`|_<>])")


def setup(app: "Sphinx") -> dict[str, bool]:
    """Writes the pages before Sphinx looks for its sources."""
    app.connect("config-inited", lambda app, config: write(Path(app.srcdir) / "commands"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(folder: Path) -> None:
    """Writes a page for each command, and leaves those alone that have not changed.

    Args:
        folder: Where the pages go, under ``NAME.rst``, and a list of them, ``contents.inc``.
    """
    texts = {f"{name}.rst": page(name) for name in COMMANDS} | {"contents.inc": contents()}
    write_changed(folder, texts)


def contents() -> str:
    """All commands with their first sentences, in Markdown, in the order of ``qrnn --help``.

    Example:
        >>> contents().splitlines()[2].split(" | ")[0]
        '| [`qrnn train`](train.rst)'
    """
    rows = [f"| [`qrnn {name}`]({name}.rst) | {text} |" for name, text in COMMANDS.items()]
    table = ["| command | what it does |", "| --- | --- |", *rows, ""]
    tree = ["```{toctree}", ":hidden:", "", *COMMANDS, "```", ""]
    return "\n".join(table + tree)


def page(name: str) -> str:
    """A command's page in reStructuredText.

    Args:
        name: The command, as ``train``.

    Example:
        >>> print(page("doctor")[:23])
        qrnn doctor
        ===========
    """
    command = load_command(name)
    context = command.make_context(f"qrnn {name}", [], resilient_parsing=True)
    title = f"qrnn {name}"
    usage = " ".join([title, *command.collect_usage_pieces(context)])
    lines = [title, "=" * len(title), "", *_paragraphs(command.help or ""), ".. code-block:: text"]
    lines += ["", f"   {usage}", "", f".. program:: {title}", ""]
    shown = [item for item in command.get_params(context) if item.get_help_record(context)]
    for panel, parameters in groupby(sorted(shown, key=_place(shown)), key=_panel):
        lines += [panel, "-" * len(panel), ""]
        for parameter in parameters:
            lines += _option(*parameter.get_help_record(context))
    if isinstance(command, TaskHelp):
        for task in BUILT_IN_TASKS:
            lines += _task(title, task, in_file=isinstance(command, FileTaskHelp))
    return "\n".join(lines).rstrip() + "\n"


def _place(parameters: list[Any]) -> Any:  # noqa: ANN401 - typer's own Click
    """Panels come in the order of their first parameter, with the arguments before all others."""
    panels = list(dict.fromkeys(_panel(parameter) for parameter in parameters))
    panels.sort(key=lambda panel: panel != "Arguments")
    return lambda parameter: panels.index(_panel(parameter))


def _panel(parameter: Any) -> str:  # noqa: ANN401
    if parameter.param_type_name == "argument":
        return "Arguments"
    return getattr(parameter, "rich_help_panel", None) or "Options"


def _task(title: str, name: str, *, in_file: bool) -> Iterator[str]:
    """What ``qrnn COMMAND TASK --help`` says of a task."""
    task = describe_task(name)
    heading = f"{title} {name}"
    yield from (heading, "-" * len(heading), "", *_paragraphs(task.text))
    yield from (f".. program:: {heading}", "")
    for entry in task.options:
        written = entry.name if in_file else f"--{entry.name.replace('_', '-')}"
        default = f" Default: {entry.default}." if entry.default else ""
        yield from _option(written, f"{entry.text}{default}")
    for recipe, text in task.recipes:
        default = " (default)" if recipe == task.default_recipe else ""
        yield from _paragraphs(f"Recipe {recipe}{default}: {text}.")


def _option(names: str, text: str) -> Iterator[str]:
    """A parameter with its help."""
    yield f".. option:: {names}"
    yield ""
    yield from (f"   {line}".rstrip() for line in _paragraphs(text))


def _paragraphs(text: str) -> Iterator[str]:
    """Plain text, a line for each paragraph, in which nothing is markup."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\f", "").strip()):
        yield _SPECIAL.sub(r"\\\1", " ".join(paragraph.split()))
        yield ""
