"""The options of the tasks, by name."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from qrnn_circuits.tasks import TASKS
from qrnn_circuits.training.checks import similar


def option_names(task: str) -> list[str]:
    """Names of a task's options, in the order of their definition."""
    dataclass_type: Any = TASKS[task]
    return [f.name for f in dataclasses.fields(dataclass_type) if f.init]


def check_task_options(task: str, options: Mapping[str, Any]) -> None:
    """Checks that the task has each of the options.

    Raises:
        ValueError: It has not; the message names the tasks that do, or similar options.
    """
    own = option_names(task)
    for name in options:
        if name in own:
            continue
        others = [other for other in TASKS if name in option_names(other)]
        if others:
            hint = f"; it is an option of {', '.join(others)}"
        elif own:
            hint = similar(name, own)
        else:
            hint = ", which has no options"
        raise ValueError(f"the task {task!r} has no option {name!r}{hint}")
