"""Tasks and their options, by name."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from qrnn_circuits.bounded_readers.files import full_path
from qrnn_circuits.checks import similar
from qrnn_circuits.settings import task_options as described
from qrnn_circuits.settings.built_in_tasks import BUILT_IN_TASKS
from qrnn_circuits.settings.run_settings import TAKEN_NAMES
from qrnn_circuits.tasks import TASKS, BaseTask, Forecast, Task


def task_class(task: str) -> type[BaseTask]:
    """The class of a task.

    Args:
        task: A name, or ``"module:attribute"``, which may also name an object.

    Raises:
        ValueError: There is no such task, or it is no dataclass of a kind that can be trained, has
            no name, or has an option that is called as a setting of every run.
    """
    found = TASKS.find(task)
    kind = found if isinstance(found, type) else type(found)
    if not issubclass(kind, Task | Forecast) or not dataclasses.is_dataclass(kind):
        raise ValueError(
            f"task {task!r} must be a Task, of symbols, or a Forecast, of real values, and a "
            f"dataclass of its options: {kind!r}"
        )
    if not isinstance(getattr(kind, "name", None), str):
        raise ValueError(
            f"task {task!r} must have a name, which its recipe file has too: write "
            f'name: ClassVar[str] = "..." in {kind!r}'
        )
    taken = [f.name for f in described.option_fields(kind) if f.name in TAKEN_NAMES]
    if taken:
        raise ValueError(
            f"task {task!r} must have options of other names than the settings of every run, got "
            f"{', '.join(taken)}: rename them in {kind!r}"
        )
    return kind


def build_task(task: str, options: Mapping[str, Any]) -> BaseTask:
    """The task with some options.

    Raises:
        TypeError: An option has the wrong type.
        ValueError: There is no such task or option, or its value is not acceptable.
    """
    task_class(task)
    found: Any = TASKS.find(task)
    built: BaseTask = (
        found(**options) if isinstance(found, type) else dataclasses.replace(found, **options)
    )
    return built


def option_fields(task: str) -> list["dataclasses.Field[Any]"]:
    """The options of a task as fields of its dataclass, in the order of their definition."""
    return described.option_fields(task_class(task))


def option_names(task: str) -> list[str]:
    """Names of a task's options, in the order of their definition."""
    return [field.name for field in option_fields(task)]


def folder_options(task: str) -> dict[str, tuple[str, ...]]:
    """The options of a task that name folders, with the values that name something else."""
    fields = option_fields(task)
    return {f.name: words for f in fields if (words := f.metadata.get("words")) is not None}


def with_full_paths(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options whose folders are named by full paths, so that they are found from everywhere."""
    words = folder_options(task)
    return {
        name: str(full_path(value))
        if isinstance(value, str) and value and name in words and value not in words[name]
        else value
        for name, value in options.items()
    }


def environment_options(task: str) -> dict[str, str]:
    """The options of a task that environment variables give."""
    return described.environment_options(task_class(task))


def with_located_data(task: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose task options find data where they say, or else the environment, from anywhere.

    Args:
        task: Name of the task.
        settings: Fields of a :class:`~qrnn_circuits.training.RunConfig`.
    """
    options = environment_options(task) | dict(settings.get("task_options", {}))
    return {**settings, "task_options": with_full_paths(task, options)}


def check_task_options(task: str, options: Mapping[str, Any]) -> None:
    """Checks that the task has each of the options.

    Raises:
        ValueError: It has not; the message names the tasks that do, or similar options.
    """
    own = option_names(task)
    for name in options:
        if name in own:
            continue
        # Those of other packages would have to be imported, and may be broken.
        others = [
            other
            for other, kind in BUILT_IN_TASKS.items()
            if name in [field.name for field in described.option_fields(kind)]
        ]
        if others:
            hint = f"; it is an option of {', '.join(others)}"
        elif own:
            hint = similar(name, own)
        else:
            hint = ", which has no options"
        raise ValueError(f"the task {task!r} has no option {name!r}{hint}")
