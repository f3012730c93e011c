"""What a network is trained to do."""

from types import MappingProxyType

from qrnn_circuits.tasks.digits import Digits
from qrnn_circuits.tasks.dna import Dna
from qrnn_circuits.tasks.letters import Letters
from qrnn_circuits.tasks.memorise import Memorise
from qrnn_circuits.tasks.quotes import Quotes
from qrnn_circuits.tasks.task import Answers, Batch, Prompt, Task
from qrnn_circuits.tasks.xor import Xor

TASKS: MappingProxyType[str, type[Task]] = MappingProxyType(
    {task.name: task for task in (Memorise, Quotes, Xor, Letters, Dna, Digits)}
)
"""Every task by its name on the command line."""

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
    "Task",
    "Xor",
]
