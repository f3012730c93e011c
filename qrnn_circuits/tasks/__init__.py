"""What a network is trained to do."""

from typing import TypeVar

from qrnn_circuits.registry import Registry
from qrnn_circuits.settings.task_options import option
from qrnn_circuits.tasks.base import BaseBatch, BaseTask
from qrnn_circuits.tasks.digits import Digits
from qrnn_circuits.tasks.dna import Dna
from qrnn_circuits.tasks.forecast import Forecast, SeriesBatch
from qrnn_circuits.tasks.letters import Letters
from qrnn_circuits.tasks.memorise import Memorise
from qrnn_circuits.tasks.quotes import Quotes
from qrnn_circuits.tasks.sequences import Sequences
from qrnn_circuits.tasks.task import Answers, Batch, Prompt, Task
from qrnn_circuits.tasks.xor import Xor

T = TypeVar("T", bound=BaseTask)

TASKS = Registry[BaseTask]("task", "qrnn_circuits.tasks", BaseTask)
"""Every task by its name on the command line."""

for _task in (Memorise, Quotes, Xor, Letters, Dna, Digits, Sequences, Forecast):
    TASKS.register(_task.name, _task)


def register_task(task: type[T]) -> type[T]:
    """Makes a task known by its name in this process; also as a decorator.

    An installed package names its tasks as entry points of the group ``qrnn_circuits.tasks``.

    Args:
        task: The class, with its ``name``.

    Returns:
        The class.

    Raises:
        ValueError: If the name is not allowed or stands for another task already.

    Example:
        >>> from dataclasses import dataclass
        >>> register_task(Xor) is Xor
        True
        >>> TASKS.find("xor") is Xor
        True
    """
    TASKS.register(task.name, task)
    return task


__all__ = [
    "TASKS",
    "Answers",
    "BaseBatch",
    "BaseTask",
    "Batch",
    "Digits",
    "Dna",
    "Forecast",
    "Letters",
    "Memorise",
    "Prompt",
    "Quotes",
    "Sequences",
    "SeriesBatch",
    "Task",
    "Xor",
    "option",
    "register_task",
]
