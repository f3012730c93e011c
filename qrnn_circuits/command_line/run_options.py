"""Options of ``qrnn train`` that follow from the settings of a run and the options of the tasks."""

from collections.abc import Callable, Collection, Iterator, Sequence
from inspect import Parameter, Signature, signature
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from qrnn_circuits.command_line.task_description import (
    TaskDescription,
    given_fields,
    options_class,
    task_names,
    task_recipes,
)
from qrnn_circuits.command_line.task_help import TaskHelp
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS
from qrnn_circuits.settings.run_settings import RunSettings, settings

_TASK_PANEL = "Task options"
_PLAIN_TYPES = (bool, int, float, str)
_FURTHER = f"{__name__}.further_task_options"


def add_options(command: Callable[..., None]) -> None:
    """Gives a command an option for each setting and for each option of a task.

    Args:
        command: One whose last parameter takes any keywords.
    """
    *own, _ = signature(command).parameters.values()
    parameters = [*own, *_settings(), *_parameters(BUILT_IN_TASKS)]
    _set_parameters(command, parameters)


class TaskCommand(TaskHelp):
    """A command that also takes the options of a task of another package or module, once named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Adds the options of such a task, in place of others' of these names, before reading."""
        others = set(task_names()) - set(BUILT_IN_TASKS)
        for text in args:
            if text not in others and (":" not in text or text.startswith("-")):
                continue
            try:
                options = list(_parameters([text]))
            except ValueError:
                continue  # It is no task, or cannot be found: the command itself says so.
            names = {option.name for option in options}
            self.params = [parameter for parameter in self.params if parameter.name not in names]

            def names_options(**values: object) -> None:
                """What typer reads options from."""

            _set_parameters(names_options, options)
            app = typer.Typer(add_completion=False)
            app.command()(names_options)
            for parameter in typer.main.get_command(app).params:
                # Typer hands a function only what its own parameters name.
                parameter.expose_value, parameter.callback = False, _keep
                self.params.append(parameter)
        return super().parse_args(ctx, args)

    def describe(self, task: TaskDescription) -> None:
        """Leaves only those options that the task has a use for, with its own defaults."""
        super().describe(task)
        entries = {entry.name: entry for entry in [*task.options, *task.settings]}
        names = {field.name for field in settings()}
        self.params = [
            parameter
            for parameter in self.params
            if parameter.name in entries
            or not (
                parameter.name in names
                or getattr(parameter, "rich_help_panel", None) == _TASK_PANEL
            )
        ]
        for parameter in self.params:
            shown: Any = parameter
            if parameter.name == "cell":
                shown.help = cells_help(task.cells)
            default = {"recipe": task.default_recipe, "cell": task.cells[0]}.get(
                str(parameter.name)
            )
            if entry := entries.get(str(parameter.name)):
                shown.help, default = entry.text, entry.default
            if default is not None:
                # Only shown: the help ends the command. A flag's is the name of one of its words.
                text = default or None
                shown.default = text == "True" if text and shown.is_flag else text
                shown.show_default = bool(default)


def cells_help(names: Sequence[str], layers: Sequence[str] = ()) -> str:
    """What to say of the option for the cell.

    Args:
        names: Of the cells that there are.
        layers: Of others, for forecasts.
    """
    forecasts = f"; for forecasts {', '.join(layers)}" if layers else ""
    return (
        f"{', '.join(names)}{forecasts}; with further options after commas, as in "
        "NAME,OPTION=VALUE; or module:Class of your own."
    )


def further_task_options(context: typer.Context) -> dict[str, Any]:
    """The options of a task named as module:attribute that no other task has."""
    kept: dict[str, Any] = context.meta.get(_FURTHER, {})
    return kept


def _keep(context: Any, parameter: Any, value: object) -> None:  # noqa: ANN401 - typer's own types
    context.meta.setdefault(_FURTHER, {})[parameter.name] = value


def _settings() -> Iterator[Parameter]:
    """An option for each setting, with its default in the help."""
    hints = get_type_hints(RunSettings)
    recipes = [recipe for task in BUILT_IN_TASKS for recipe in task_recipes(task).values()]
    for field in settings():
        default = field.metadata["shown"] if field.default is None else str(field.default)
        if default and any(field.name in recipe for recipe in recipes):
            default += ", or what suits the task"
        help_, panel = field.metadata["help"], field.metadata["panel"]
        yield _parameter(field.name, hints[field.name], help_, panel, default or False)


def _parameters(names: Collection[str]) -> Iterator[Parameter]:
    """An option for each name that an option of these tasks has."""
    found: dict[str, tuple[Any, dict[str, list[str]]]] = {}
    for task in names:
        options = options_class(task)
        hints = get_type_hints(options)
        for field in given_fields(options):
            if _plain(hints[field.name]) not in _PLAIN_TYPES:
                continue  # It has no text of its own: it is given in a file or in Python.
            text = field.metadata.get("help", "").removesuffix(".")
            texts = found.setdefault(field.name, (hints[field.name], {}))[1]
            texts.setdefault(text, []).append(task)
    for name, (hint, texts) in found.items():
        help_ = " ".join(f"{text} ({', '.join(tasks)})." for text, tasks in texts.items())
        yield _parameter(name, hint, help_, _TASK_PANEL, False)


def _parameter(name: str, hint: Any, text: str, panel: str, shown: str | bool) -> Parameter:  # noqa: ANN401
    option = typer.Option(help=text, rich_help_panel=panel, show_default=shown)
    annotation = Annotated[_plain(hint) | None, option]  # type: ignore[valid-type]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _set_parameters(command: Callable[..., None], parameters: list[Parameter]) -> None:
    """Makes typer read the options of a command from these parameters."""
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}


def _plain(hint: Any) -> type:  # noqa: ANN401
    """The type of an option's text: that of a field without None, and str for a choice."""
    if get_origin(hint) is Literal:
        return str
    if get_origin(hint) not in (Union, UnionType):
        return hint  # type: ignore[no-any-return]
    return _plain(next(kind for kind in get_args(hint) if kind is not NoneType))
