"""What a network is trained to do."""

from qrnn_circuits.registry import Registry
from qrnn_circuits.tasks.digits import Digits
from qrnn_circuits.tasks.dna import Dna
from qrnn_circuits.tasks.letters import Letters
from qrnn_circuits.tasks.memorise import Memorise
from qrnn_circuits.tasks.quotes import Quotes
from qrnn_circuits.tasks.sequences import Sequences
from qrnn_circuits.tasks.task import Answers, Batch, Prompt, Task, option
from qrnn_circuits.tasks.xor import Xor

TASKS = Registry[Task]("task", "qrnn_circuits.tasks", Task)
"""Every task by its name on the command line."""

for _task in (Memorise, Quotes, Xor, Letters, Dna, Digits, Sequences):
    TASKS.register(_task.name, _task)


def register_task(task: type[Task]) -> type[Task]:
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
    "Batch",
    "Digits",
    "Dna",
    "Letters",
    "Memorise",
    "Prompt",
    "Quotes",
    "Sequences",
    "Task",
    "Xor",
    "option",
    "register_task",
]
