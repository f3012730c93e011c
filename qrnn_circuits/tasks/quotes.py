"""Learn a few famous lines by heart, letter by letter."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qrnn_circuits.checks import check_bool
from qrnn_circuits.settings.built_in_tasks import QuotesOptions
from qrnn_circuits.tasks.fixed import FixedTask
from qrnn_circuits.tasks.task import Batch, check_reading, spell

ALPHABET = "abcdefghijklmnopqrstuvwxyz,.?! \n"
CONSONANTS = "bcdfghjklmnpqrstvwxyz"

# No two lines begin with the same letter: the first letter tells a prompt which line is meant.
LINES = (
    "all that glisters is not gold.",  # Shakespeare, The Merchant of Venice, act 2, scene 7
    "et tu, brute?",  # Shakespeare, Julius Caesar, act 3, scene 1
    "fortune favours the bold.",  # Virgil, Aeneid, book 10
    "i think, therefore i am.",  # Descartes, Discourse on the Method, part 4
    "know thyself!",  # Maxim at the temple of Apollo at Delphi
    "tyger tyger, burning bright",  # Blake, Songs of Experience
)


@dataclass(frozen=True)
class Quotes(QuotesOptions, FixedTask):
    """Predict each next letter of a line, in an alphabet of 32 symbols.

    A line ends with a newline and is filled up with spaces to the length of the longest.

    Attributes:
        advice: Whether the network is told the consonants: steps whose right outcome is a
            consonant are not scored, and the vowels, spaces and punctuation are.
        reading: ``"every"`` to condition the steps that are not scored on their outcomes,
            ``"scored"`` to leave them unread.

    Example:
        >>> task = Quotes(advice=False)
        >>> task.lane, bool(task.sequences().scored.all())
        (5, True)
    """

    name: ClassVar[str] = "quotes"
    lane: ClassVar[int] = 5

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
            TypeError: If an option has the wrong type.
            ValueError: If an option is not acceptable.
        """
        check_bool("advice", self.advice)
        check_reading(self.reading)

    def sequences(self) -> Batch:
        """All lines."""
        width = max(len(line) for line in LINES) + 1
        texts = [f"{line}\n".ljust(width) for line in LINES]
        symbols = torch.tensor([[ALPHABET.index(letter) for letter in text] for text in texts])
        inputs, outcomes = symbols[:, :-1], symbols[:, 1:]
        advised = torch.tensor([letter in CONSONANTS and self.advice for letter in ALPHABET])
        return Batch(inputs, outcomes, ~advised[outcomes]).read(self.reading)

    def describe(self, symbols: Tensor) -> list[str]:
        """The letters, newlines written as ``/`` and without the spaces at the end."""
        return [text.replace("\n", "/").rstrip() for text in spell(symbols, ALPHABET)]
