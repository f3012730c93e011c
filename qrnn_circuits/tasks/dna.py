"""Remember one marked base of a long sequence."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qrnn_circuits.checks import check_integer
from qrnn_circuits.settings.built_in_tasks import DnaOptions
from qrnn_circuits.tasks.generated import GeneratedTask
from qrnn_circuits.tasks.task import MOST_STEPS, Batch, check_reading, spell

MARK = 4
"""What is added to the marked symbol."""


@dataclass(frozen=True)
class Dna(DnaOptions, GeneratedTask):
    """Random bases, one of the first half marked: name that base after the last step.

    Before the mark a step is conditioned on 0, from the mark on on the marked base. Only the last
    step is scored.

    Attributes:
        length: Number T of steps, at least 2.
        reading: ``"every"``, or ``"scored"`` to leave all other steps unread.

    Example:
        >>> task = Dna(length=6)
        >>> batch = task.batch(1, torch.Generator().manual_seed(0))
        >>> len(task.describe(batch.inputs)[0]), batch.scored[0].tolist()
        (6, [False, False, False, False, False, True])
    """

    name: ClassVar[str] = "dna"
    lane: ClassVar[int] = 3

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
            TypeError: If an option has the wrong type.
            ValueError: If an option is out of range.
        """
        check_integer("length", self.length, 2, MOST_STEPS)
        check_reading(self.reading)

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draws the bases and the marked position of every sequence."""
        check_integer("size", size, 1)
        bases = torch.randint(4, (size, self.length), generator=generator)
        marked = torch.randint(self.length // 2, (size, 1), generator=generator)
        steps = torch.arange(self.length)
        outcomes = bases.gather(1, marked).where(steps >= marked, torch.tensor(0))
        scored = (steps == self.length - 1).expand(size, -1).clone()
        batch = Batch(bases + MARK * (steps == marked), outcomes, scored)
        return batch.read(self.reading)

    def describe(self, symbols: Tensor) -> list[str]:
        """The bases as letters, a marked one in lower case."""
        return spell(symbols, "ACGTacgt")
