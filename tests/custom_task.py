"""Tasks that the package does not know, as a user writes them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from qrnn_circuits.tasks import BaseTask, Batch, Forecast, option
from qrnn_circuits.tasks.generated import GeneratedTask
from qrnn_circuits.tasks.task import spell


@dataclass(frozen=True)
class Echo(GeneratedTask):
    """Random bits: predict the bit that was just read."""

    bits: int = option(4, "Bits of a sequence.")

    name: ClassVar[str] = "echo"

    @property
    def lane(self) -> int:
        return 1

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        inputs = torch.randint(2, (size, self.bits), generator=generator)
        return Batch(inputs, inputs, torch.ones_like(inputs, dtype=torch.bool))

    def describe(self, symbols: Tensor) -> list[str]:
        return spell(symbols, "01")


echo_of_three = Echo(bits=3)


@dataclass(frozen=True)
class Ordered(Echo):
    """Has an option that is called as a setting of every run."""

    order: int = option(1, "Of what it is not said.")


@dataclass(frozen=True)
class Nameless(GeneratedTask):
    """Has no name."""

    lane: ClassVar[int] = 1

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        return Echo().batch(size, generator)

    def describe(self, symbols: Tensor) -> list[str]:
        return spell(symbols, "01")


@dataclass(frozen=True, kw_only=True)
class OwnForecast(Forecast):
    """A forecast by another name."""

    name: ClassVar[str] = "own-forecast"


@dataclass(frozen=True)
class Unlabelled(BaseTask[Batch]):
    """Neither symbols with a right answer nor real values to forecast."""

    name: ClassVar[str] = "unlabelled"

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        return Echo().batch(size, generator)

    def validation(self) -> Batch:
        return Echo().validation()

    def test(self) -> Batch:
        return Echo().test()
