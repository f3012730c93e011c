"""The options of a task as fields of a dataclass, with the words in which a help describes them."""

import dataclasses
import os
import re
from inspect import getdoc
from typing import Any, TypeVar

T = TypeVar("T")

_SECTION = re.compile(r"\n\s*\n(?:Attributes|Args|Example|Examples|Raises):\n")
_ROLE = re.compile(r":[\w:]+:`~?([^`]*)`")


def option(
    default: T,
    text: str,
    *,
    words: tuple[str, ...] | None = None,
    variable: str | None = None,
    found: bool = False,
) -> T:
    """An option of a task: a field of its dataclass.

    Args:
        default: Its default.
        text: What it does, for the help of the command line.
        words: For an option that names a folder or file, the values that name something else; its
            full path is kept with a run. None for other options.
        variable: Environment variable that gives the option where the command line does not.
        found: Whether the task finds it itself when a run begins, and keeps it with the run: no
            option of the command line.

    Returns:
        A field for ``dataclasses``.

    Example:
        >>> from dataclasses import dataclass, fields
        >>> @dataclass(frozen=True)
        ... class Options:
        ...     length: int = option(4, "Steps of a sequence.")
        >>> Options().length, fields(Options)[0].metadata["help"]
        (4, 'Steps of a sequence.')
    """
    metadata = {"help": text, "words": words, "variable": variable, "found": found}
    field: T = dataclasses.field(default=default, metadata=metadata)
    return field


class TaskOptions:
    """What a task can be told.

    Concrete tasks and their options are frozen dataclasses; the help of a task says what stands
    above the first section of the docstring of its options.

    Example:
        >>> from qrnn_circuits.settings.built_in_tasks import XorOptions
        >>> XorOptions(length=9).default_recipe
        'default'
    """

    @property
    def default_recipe(self) -> str:
        """Name of the recipe that a run takes if it is told none."""
        return "default"


def option_fields(options: type[TaskOptions]) -> list["dataclasses.Field[Any]"]:
    """The options of a task as fields of its dataclass, in the order of their definition."""
    kind: Any = options
    return [field for field in dataclasses.fields(kind) if field.init]


def environment_options(options: type[TaskOptions]) -> dict[str, str]:
    """The options of a task that environment variables give."""
    variables = {f.name: f.metadata.get("variable") for f in option_fields(options)}
    return {name: os.environ[v] for name, v in variables.items() if v and os.environ.get(v)}


def description(options: type[TaskOptions]) -> str:
    """What a task asks of a network, in plain paragraphs.

    Args:
        options: Of the task, or the task itself.

    Example:
        >>> from qrnn_circuits.settings.built_in_tasks import MemoriseOptions
        >>> description(MemoriseOptions).partition(":")[0]
        'Learn two sequences by heart'
    """
    text = _SECTION.split(f"{getdoc(options) or ''}\n")[0]
    return _ROLE.sub(r"\1", text).replace("``", "").strip()
