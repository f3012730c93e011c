"""Elman's consonants and their vowels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qrnn_circuits.checks import check_integer
from qrnn_circuits.settings.built_in_tasks import LettersOptions
from qrnn_circuits.tasks.generated import GeneratedTask
from qrnn_circuits.tasks.task import MOST_STEPS, Batch, spell

ANY_CONSONANT = 7
"""Outcome of the steps after which any consonant may follow."""

_ALPHABET = "aiu3bdg."
_FIRST_CONSONANT = 4
_NONE = -1
_GROUPS = torch.tensor([[4, 0, _NONE, _NONE], [5, 1, 1, _NONE], [6, 2, 2, 2]])  # ba, dii, guuu


@dataclass(frozen=True)
class Letters(LettersOptions, GeneratedTask):
    """Random consonants b, d, g, spelt ba, dii and guuu: predict each next letter.

    From Elman, *Finding Structure in Time*, Cognitive Science 14 (1990). Where a group has ended,
    the outcome is :data:`ANY_CONSONANT`. Every step is scored.

    Attributes:
        length: Number T of steps, at least 1.

    Example:
        >>> task = Letters(length=12)
        >>> (text,) = task.describe(task.batch(1, torch.Generator().manual_seed(0)).inputs)
        >>> len(text), set(text) <= set("abdgiu")
        (12, True)
    """

    name: ClassVar[str] = "letters"
    lane: ClassVar[int] = 3

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
            TypeError: If an option has the wrong type.
            ValueError: If an option is out of range.
        """
        check_integer("length", self.length, 1, MOST_STEPS)

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draws the consonants of every sequence."""
        check_integer("size", size, 1)
        # The shortest group has two letters.
        consonants = torch.randint(3, (size, self.length // 2 + 1), generator=generator)
        padded = _GROUPS[consonants].flatten(1)
        letters_first = (padded == _NONE).int().argsort(dim=1, stable=True)
        stream = padded.gather(1, letters_first)[:, : self.length + 1]
        following = stream[:, 1:]
        outcomes = following.masked_fill(following >= _FIRST_CONSONANT, ANY_CONSONANT)
        return Batch(stream[:, :-1], outcomes, torch.ones_like(outcomes, dtype=torch.bool))

    def describe(self, symbols: Tensor) -> list[str]:
        """The letters, with dots where any consonant may follow."""
        return spell(symbols, _ALPHABET)
