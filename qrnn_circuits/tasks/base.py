"""What a trainer asks of a task and of its batches, whether they hold symbols or real values."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Self

import torch
from torch import Tensor


class BaseBatch(ABC):
    """Sequences to train or test on, as tensors with one row for each.

    A subclass is a frozen dataclass whose fields are all such tensors, ``inputs`` the first.

    Attributes:
        inputs: Shape ``(B, T)`` or ``(B, T, F)``.
    """

    inputs: Tensor

    @property
    @abstractmethod
    def tensors(self) -> tuple[Tensor, ...]:
        """All fields, in the order of the constructor."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of predictions that are scored."""

    def __len__(self) -> int:
        """Number B of sequences."""
        return self.inputs.shape[0]

    def to(self, device: torch.device | str) -> Self:
        """The same sequences on another device."""
        return type(self)(*(each.to(device) for each in self.tensors))

    def rows(self, rows: Tensor | slice) -> Self:
        """Some of the sequences."""
        return type(self)(*(each[rows] for each in self.tensors))

    def chunks(self, size: int) -> Iterator[Self]:
        """The same sequences in order, at most ``size`` at a time."""
        for parts in zip(*(torch.split(each, size) for each in self.tensors), strict=True):
            yield type(self)(*parts)


class BaseTask(ABC):
    """A source of sequences to train, validate and test on.

    Attributes:
        name: The task's name on the command line.
    """

    name: ClassVar[str]

    @property
    def default_recipe(self) -> str:
        """Name of the recipe that a run takes if it is told none, see :mod:`~.tasks.recipes`."""
        return "default"

    @abstractmethod
    def batch(self, size: int, generator: torch.Generator) -> BaseBatch:
        """Draws a training batch.

        Args:
            size: Number of sequences, at least 1.
            generator: Source of randomness, a CPU generator.

        Returns:
            The batch.

        Raises:
            ValueError: If ``size`` is less than 1.
        """

    @abstractmethod
    def validation(self) -> BaseBatch:
        """The sequences that a run is watched on, the same at every call."""

    @abstractmethod
    def test(self) -> BaseBatch:
        """The sequences that a trained network is judged on, the same at every call."""
