"""Tasks whose sequences are drawn at random without end."""

import torch

from qrnn_circuits.tasks.task import Batch, Prompt, Task

_VALIDATION_SIZE, _VALIDATION_SEED = 128, 1
_TEST_SIZE, _TEST_SEED = 1024, 2


class GeneratedTask(Task):
    """A task that draws validation and test sequences as it draws a batch, from fixed seeds."""

    def validation(self) -> Batch:
        """128 sequences."""
        return self.batch(_VALIDATION_SIZE, torch.Generator().manual_seed(_VALIDATION_SEED))

    def test(self) -> Batch:
        """1,024 sequences."""
        return self.batch(_TEST_SIZE, torch.Generator().manual_seed(_TEST_SEED))

    def prompt(self, count: int, generator: torch.Generator) -> Prompt:
        """Random sequences: all inputs are given, the scored outcomes are for the network."""
        batch = self.batch(count, generator)
        return Prompt(batch.inputs, batch.outcomes, batch.scored, autoregressive=False)

    def describe_sample(self, prompt: Prompt, symbols: torch.Tensor) -> list[str]:
        """The inputs, which the prompt gives, and each step's outcome under its input."""
        lines = zip(self.describe(prompt.inputs), self.describe(symbols), strict=True)
        return [f"{given}\n{told}" for given, told in lines]
