"""Tasks that learn a few given sequences by heart."""

from abc import abstractmethod
from functools import cached_property

import torch

from qrnn_circuits.checks import check_integer
from qrnn_circuits.tasks.task import Batch, Prompt, Task, draw_evenly


class FixedTask(Task):
    """A task whose training, validation and test sequences are the same few."""

    @abstractmethod
    def sequences(self) -> Batch:
        """Every sequence of the task once, the same at every call."""

    @cached_property
    def _every(self) -> Batch:
        return self.sequences()

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Draws sequences, each equally often as far as ``size`` divides."""
        every = self._every
        return every.rows(draw_evenly(len(every), size, generator))

    def validation(self) -> Batch:
        """Every sequence once."""
        return self._every

    def test(self) -> Batch:
        """Every sequence once."""
        return self._every

    def prompt(self, count: int, generator: torch.Generator) -> Prompt:
        """The first symbol of each sequence in turn; all scored steps are for the network."""
        check_integer("count", count, 1)
        every = self._every
        chosen = every.rows(torch.arange(count) % len(every))
        return Prompt(chosen.inputs, chosen.outcomes, chosen.scored, autoregressive=True)

    def describe_sample(self, prompt: Prompt, symbols: torch.Tensor) -> list[str]:
        """The first symbol, which the prompt gives, and those that follow."""
        return self.describe(torch.cat([prompt.inputs[:, :1], symbols], 1))
