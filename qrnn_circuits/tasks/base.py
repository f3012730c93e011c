"""What a trainer asks of a task and of its batches, whether they hold symbols or real values."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Generic, Self

import torch
from torch import Tensor
from typing_extensions import TypeVar

from qrnn_circuits.settings.task_options import TaskOptions


class BaseBatch(ABC):
    """Sequences to train or test on, as tensors with one row for each.

    A subclass is a frozen dataclass whose fields are all such tensors, ``inputs`` the first.

    Attributes:
        inputs: Shape ``(B, T)`` or ``(B, T, F)``.

    Example:
        >>> from qrnn_circuits.tasks import Memorise
        >>> batch: BaseBatch = Memorise(length=3).test()
        >>> len(batch), batch.count, len(batch.rows(slice(1)))
        (2, 6, 1)
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


BatchT_co = TypeVar("BatchT_co", bound=BaseBatch, default=BaseBatch, covariant=True)


class BaseTask(TaskOptions, ABC, Generic[BatchT_co]):
    """A source of sequences to train, validate and test on.

    Attributes:
        name: The task's name on the command line.

    Example:
        >>> from qrnn_circuits.tasks import Forecast
        >>> task: BaseTask = Forecast(series="bessel", points=50)
        >>> len(task.batch(8, torch.Generator().manual_seed(0)))
        8
    """

    name: ClassVar[str]

    @property
    def found(self) -> str:
        """What a file of the user's own was found to hold; empty for other sources."""
        return ""

    @abstractmethod
    def batch(self, size: int, generator: torch.Generator) -> BatchT_co:
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
    def validation(self) -> BatchT_co:
        """The sequences that a run is watched on, the same at every call."""

    @abstractmethod
    def test(self) -> BatchT_co:
        """The sequences that a trained network is judged on, the same at every call."""
