"""Learn two simple sequences by heart."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qrnn_circuits.checks import check_integer
from qrnn_circuits.settings.built_in_tasks import MemoriseOptions
from qrnn_circuits.tasks.fixed import FixedTask
from qrnn_circuits.tasks.task import MOST_STEPS, Batch, spell


@dataclass(frozen=True)
class Memorise(MemoriseOptions, FixedTask):
    """The sequences 0, 1, 2, 3, 0, 1, ... and 4, 4, 4, ...: predict each next symbol.

    Attributes:
        length: Number T of steps, at least 1.

    Example:
        >>> task = Memorise(length=6)
        >>> task.describe(task.sequences().inputs)
        ['012301', '444444']
    """

    name: ClassVar[str] = "memorise"
    lane: ClassVar[int] = 3

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
            TypeError: If an option has the wrong type.
            ValueError: If an option is out of range.
        """
        check_integer("length", self.length, 1, MOST_STEPS)

    def sequences(self) -> Batch:
        """Both sequences; every step is scored."""
        counting = torch.arange(self.length + 1) % 4
        symbols = torch.stack([counting, torch.full_like(counting, 4)])
        inputs, outcomes = symbols[:, :-1], symbols[:, 1:]
        return Batch(inputs, outcomes, torch.ones_like(outcomes, dtype=torch.bool))

    def describe(self, symbols: Tensor) -> list[str]:
        """The symbols as digits."""
        return spell(symbols, "01234567")
