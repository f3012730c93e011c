"""Options of ``qrnn train`` that follow from the settings of a run and the options of the tasks."""

from collections.abc import Callable, Iterator
from dataclasses import Field
from inspect import Parameter, Signature, signature
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from qrnn_circuits.tasks import TASKS
from qrnn_circuits.tasks.recipes import read_recipes
from qrnn_circuits.training.settings import RunSettings, settings
from qrnn_circuits.training.task_options import option_fields, task_class

_TASK_PANEL = "Task options"
_FURTHER = f"{__name__}.further_task_options"


def add_options(command: Callable[..., None]) -> None:
    """Gives a command an option for each setting and for each option of a task.

    Args:
        command: One whose last parameter takes any keywords.
    """
    *own, _ = signature(command).parameters.values()
    parameters = [*own, *_settings(), *_task_options()]
    _set_parameters(command, parameters)


class TaskCommand(TyperCommand):
    """A command that also takes the options of a task which the user names as module:attribute."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Adds the options of such a task before the command line is read."""
        known = {parameter.name for parameter in self.params}
        for text in args:
            if ":" not in text or text.startswith("-"):
                continue
            try:
                options = [option for option in _options_of(text) if option.name not in known]
            except ValueError:
                continue  # It is no task, or cannot be found: the command itself says so.

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


def further_task_options(context: typer.Context) -> dict[str, Any]:
    """The options of a task named as module:attribute that no other task has."""
    kept: dict[str, Any] = context.meta.get(_FURTHER, {})
    return kept


def _keep(context: Any, parameter: Any, value: object) -> None:  # noqa: ANN401 - typer's own types
    context.meta.setdefault(_FURTHER, {})[parameter.name] = value


def _settings() -> Iterator[Parameter]:
    """An option for each setting, with its default in the help."""
    hints = get_type_hints(RunSettings)
    recipes = [r for task in TASKS.names() for r in read_recipes(task_class(task)).values()]
    for field in settings():
        shown: str | bool = False
        if field.default is not None:
            recommended = any(field.name in recipe for recipe in recipes)
            shown = str(field.default) + (", or what suits the task" if recommended else "")
        help_, panel = field.metadata["help"], field.metadata["panel"]
        yield _parameter(field.name, hints[field.name], help_, panel, shown)


def _task_options() -> Iterator[Parameter]:
    """An option for each name that an option of the known tasks has."""
    found: dict[str, tuple[Any, dict[str, list[str]]]] = {}
    for task in TASKS.names():
        hints = get_type_hints(task_class(task))
        for field in _given_fields(task):
            text = field.metadata.get("help", "").removesuffix(".")
            texts = found.setdefault(field.name, (hints[field.name], {}))[1]
            texts.setdefault(text, []).append(task)
    for name, (hint, texts) in found.items():
        help_ = " ".join(f"{text} ({', '.join(tasks)})." for text, tasks in texts.items())
        yield _parameter(name, hint, help_, _TASK_PANEL, False)


def _given_fields(task: str) -> list["Field[Any]"]:
    """The options of a task but for those that it finds itself."""
    return [field for field in option_fields(task) if not field.metadata.get("found")]


def _parameter(name: str, hint: Any, text: str, panel: str, shown: str | bool) -> Parameter:  # noqa: ANN401
    option = typer.Option(help=text, rich_help_panel=panel, show_default=shown)
    annotation = Annotated[_plain(hint) | None, option]  # type: ignore[valid-type]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _options_of(task: str) -> list[Parameter]:
    """The options of one task, whatever its name."""
    hints = get_type_hints(task_class(task))
    return [
        _parameter(f.name, hints[f.name], f.metadata.get("help", ""), _TASK_PANEL, False)
        for f in _given_fields(task)
    ]


def _set_parameters(command: Callable[..., None], parameters: list[Parameter]) -> None:
    """Makes typer read the options of a command from these parameters."""
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}


def _plain(hint: Any) -> type:  # noqa: ANN401
    """The type of an option's text: that of a field without None, and str for a choice."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if get_origin(hint) is Literal or not kinds:
        return str if get_origin(hint) is Literal else hint
    return _plain(kinds[0])
