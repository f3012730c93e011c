"""Elman's temporal XOR."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qrnn_circuits.checks import check_integer
from qrnn_circuits.settings.built_in_tasks import XorOptions
from qrnn_circuits.tasks.generated import GeneratedTask
from qrnn_circuits.tasks.task import MOST_STEPS, Batch, check_reading, spell

MARKER = 2
"""Outcome of the steps after which any bit may follow."""


@dataclass(frozen=True)
class Xor(XorOptions, GeneratedTask):
    """A stream of bits a, b, a XOR b, a', b', a' XOR b', ...: predict every third bit.

    From Elman, *Finding Structure in Time*, Cognitive Science 14 (1990). The step that reads b is
    scored, its outcome is a XOR b; every other step is conditioned on :data:`MARKER` or unread.

    Attributes:
        length: Number T of steps, at least 2.
        reading: ``"every"``, or ``"scored"`` to leave all other steps unread.

    Example:
        >>> batch = Xor(length=6).batch(2, torch.Generator().manual_seed(0))
        >>> batch.scored[0].tolist()
        [False, True, False, False, True, False]
    """

    name: ClassVar[str] = "xor"

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
            TypeError: If an option has the wrong type.
            ValueError: If an option is out of range.
        """
        check_integer("length", self.length, 2, MOST_STEPS)
        check_reading(self.reading)

    @property
    def lane(self) -> int:
        """Number of lane wires: 2, or 1 where no marker is ever read."""
        return 2 if self.reading == "every" else 1

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draws the bits a and b of every sequence."""
        check_integer("size", size, 1)
        pairs = torch.randint(2, (size, self.length // 3 + 1, 2), generator=generator)
        triples = torch.cat([pairs, pairs.sum(-1, keepdim=True) % 2], -1)
        stream = triples.flatten(1)[:, : self.length + 1]
        inputs = stream[:, :-1]
        scored = (torch.arange(self.length) % 3 == 1).expand(size, -1).clone()
        outcomes = stream[:, 1:].where(scored, MARKER)
        return Batch(inputs, outcomes, scored).read(self.reading)

    def describe(self, symbols: Tensor) -> list[str]:
        """The bits, with dots for the steps after which any bit may follow, read or not."""
        return [text.replace("_", ".") for text in spell(symbols, "01.3")]
