"""What there is to know of a task before it is trained, found without importing torch."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass
from functools import cache
from typing import Any

from qrnn_circuits.choices import CELL_NAMES, LAYER_NAMES
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS, TASK_OPTIONS, ForecastOptions
from qrnn_circuits.settings.recipe_files import built_in_recipes, recipe_tables
from qrnn_circuits.settings.run_settings import FOR_FORECASTS, NOT_FOR_FORECASTS, settings
from qrnn_circuits.settings.task_options import (
    TaskOptions,
    description,
    environment_options,
    option_fields,
)


@dataclass(frozen=True)
class Entry:
    """An option of a task or a setting of a run, as a help lists it.

    Attributes:
        name: As it is written in files.
        text: What it does.
        panel: Heading under which it is listed.
        default: What it is for the task if it is left out, in words; empty for nothing.
    """

    name: str
    text: str
    panel: str
    default: str


@dataclass(frozen=True)
class TaskDescription:
    """A task in words.

    Attributes:
        name: Of the task.
        text: What it asks of a network, in paragraphs.
        options: Of the task.
        settings: Of a run, those that the task has a use for.
        cells: Names of the cells of this package that its network can be made of.
        recipes: Name of each recipe, and what it sets, or why it is refused.
        default_recipe: The one that a run begins with if it is told none.
    """

    name: str
    text: str
    options: tuple[Entry, ...]
    settings: tuple[Entry, ...]
    cells: tuple[str, ...]
    recipes: tuple[tuple[str, str], ...]
    default_recipe: str


def describe_task(name: str) -> TaskDescription:
    """Describes a task.

    Args:
        name: A known name, or ``"module:attribute"``, which is imported.

    Raises:
        ValueError: There is no such task.

    Example:
        >>> task = describe_task("xor")
        >>> [(option.name, option.default) for option in task.options]
        [('length', '36'), ('reading', 'scored')]
    """
    found: Any = TASK_OPTIONS.find(name)
    options = options_class(name)
    recipes = task_recipes(name)
    own = _default_recipe(found, options)
    recommended = recipes.get(own, {})
    return TaskDescription(
        name=name,
        text=description(options),
        options=tuple(_options(found, options, recommended.get("task_options", {}))),
        settings=tuple(_settings(options, recommended)),
        cells=LAYER_NAMES if issubclass(options, ForecastOptions) else CELL_NAMES,
        recipes=tuple((recipe, recipe_text(table)) for recipe, table in recipes.items()),
        default_recipe=own if own in recipes else "none",
    )


@cache
def task_names() -> tuple[str, ...]:
    """Names of all tasks, those of installed packages among them, looked for once."""
    return TASK_OPTIONS.names()


def options_class(name: str) -> type[TaskOptions]:
    """The class whose fields are the options of a task.

    Raises:
        ValueError: There is no such task, or it is no dataclass.
    """
    if name in BUILT_IN_TASKS:
        return BUILT_IN_TASKS[name]
    # With it comes torch, as with any task that is imported.
    from qrnn_circuits.training.task_options import task_class

    return task_class(name)


def task_recipes(name: str) -> dict[str, dict[str, Any]]:
    """The settings of each recipe of a task."""
    if name in BUILT_IN_TASKS:
        return recipe_tables(built_in_recipes(name))
    from qrnn_circuits.tasks.recipes import read_recipes
    from qrnn_circuits.training.task_options import task_class

    return read_recipes(task_class(name))


def given_fields(options: type[TaskOptions]) -> list["Field[Any]"]:
    """The options of a task but for those that it finds itself."""
    return [field for field in option_fields(options) if not field.metadata.get("found")]


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """What a recipe sets, or why it is refused.

    Example:
        >>> recipe_text({"order": 0, "task_options": {"reading": "scored"}})
        'reading scored, order 0'
    """
    if "refused" in recipe:
        return f"refused: {recipe['refused']}"
    values = {**recipe.get("task_options", {}), **recipe}
    values.pop("task_options", None)
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _options(
    found: object, options: type[TaskOptions], recommended: Mapping[str, Any]
) -> list[Entry]:
    given = environment_options(options)
    entries = []
    for field in given_fields(options):
        # What is named may be an object, whose own values count.
        default = getattr(found, field.name, None) if not isinstance(found, type) else field.default
        default = recommended.get(field.name, given.get(field.name, default))
        entries.append(
            Entry(
                field.name,
                field.metadata.get("help", ""),
                "Task options",
                "" if default is MISSING else _shown(default),
            )
        )
    return entries


def _settings(options: type[TaskOptions], recommended: Mapping[str, Any]) -> list[Entry]:
    unused = NOT_FOR_FORECASTS if issubclass(options, ForecastOptions) else FOR_FORECASTS
    return [
        Entry(
            field.name,
            field.metadata["help"],
            field.metadata["panel"],
            _shown(recommended.get(field.name, field.default)) or field.metadata["shown"],
        )
        for field in settings()
        if field.name not in unused
    ]


def _default_recipe(found: object, options: type[TaskOptions]) -> str:
    """The recipe of the task with the options that the environment gives."""
    if isinstance(found, TaskOptions):
        return found.default_recipe
    try:
        return options(**environment_options(options)).default_recipe
    except (OSError, TypeError, ValueError):
        # A task that cannot be made of defaults alone.
        return "default"


def _shown(value: object) -> str:
    """A value as it is written after an option; nothing for what is left to something else."""
    if value is None or value == "":
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
