"""What a task gives a trainer, and what it reads back from a trained network."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor

from qrnn_circuits.cells.base import PADDING, UNREAD
from qrnn_circuits.checks import check_choice, check_integer
from qrnn_circuits.choices import Reading as Reading
from qrnn_circuits.tasks.base import BaseBatch, BaseTask
from qrnn_circuits.tensors import first_parameter

if TYPE_CHECKING:
    from qrnn_circuits.network import QRNNOutput, RecurrentNetwork

MOST_STEPS = 2**20
"""Greatest length of a generated sequence."""


@dataclass(frozen=True)
class Batch(BaseBatch):
    """Sequences to train or test on.

    Attributes:
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: The right symbol of each scored step, and the symbol that each other step is
            conditioned on, or ``UNREAD``, int64, shape ``(B, T)``; after the end of a sequence that
            is shorter than others ``PADDING``.
        scored: The steps that count, bool, shape ``(B, T)``.

    Example:
        >>> from qrnn_circuits.tasks import Memorise
        >>> batch = Memorise(length=3).validation()
        >>> batch.inputs.tolist(), batch.outcomes.tolist()
        ([[0, 1, 2], [4, 4, 4]], [[1, 2, 3], [4, 4, 4]])
        >>> [len(part) for part in batch.chunks(1)]
        [1, 1]
    """

    inputs: Tensor
    outcomes: Tensor
    scored: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """All fields."""
        return self.inputs, self.outcomes, self.scored

    @property
    def count(self) -> int:
        """Number of scored steps."""
        return int(self.scored.sum())

    def read(self, reading: Reading) -> "Batch":
        """The same sequences, of which only some steps are read.

        Args:
            reading: ``"every"`` for the sequences as they are; ``"scored"`` to leave every step
                unread that is not scored.
        """
        if reading == "every":
            return self
        unread = ~self.scored & (self.outcomes != PADDING)
        outcomes = self.outcomes.masked_fill(unread, UNREAD)
        return Batch(self.inputs, outcomes, self.scored)


@dataclass(frozen=True)
class Prompt:
    """Arguments for :meth:`QRNN.sample`.

    Attributes:
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: The symbol that each step is conditioned on unless it is sampled, or ``UNREAD``,
            int64, shape ``(B, T)``.
        sampled: The steps whose outcome is drawn, bool, shape ``(B, T)``.
        autoregressive: Whether a drawn outcome is the next step's input.

    Example:
        >>> from qrnn_circuits.tasks import Memorise
        >>> prompt = Memorise(length=3).prompt(2, torch.Generator())
        >>> prompt.inputs[:, 0].tolist(), prompt.autoregressive
        ([0, 4], True)
    """

    inputs: Tensor
    outcomes: Tensor
    sampled: Tensor
    autoregressive: bool


@dataclass(frozen=True)
class Answers:
    """How a network answered the questions of a batch.

    Attributes:
        correct: Whether the most probable answer is the right one, bool, shape ``(N,)``.
        probability: The probability of the right answer, float, shape ``(N,)``.

    Example:
        >>> answers = Answers(torch.tensor([True, False]), torch.tensor([0.9, 0.2]))
        >>> answers.count, answers.test_error, round(answers.sampled_error, 3)
        (2, 0.5, 0.45)
    """

    correct: Tensor
    probability: Tensor

    @property
    def count(self) -> int:
        """Number N of questions."""
        return self.correct.numel()

    @property
    def test_error(self) -> float:
        """Share of questions whose most probable answer is wrong."""
        return int((~self.correct).sum()) / self.count

    @property
    def sampled_error(self) -> float:
        """Expected share of wrong answers when each is sampled once."""
        return 1 - float(self.probability.double().mean())

    @property
    def standard_error(self) -> float:
        """Standard error of :attr:`test_error`, that of a binomial proportion."""
        return sqrt(self.test_error * (1 - self.test_error) / self.count)


def check_reading(reading: str) -> None:
    """Raises a ``ValueError`` if there is no such way to read a sequence."""
    check_choice("reading", reading, get_args(Reading))


class Task(BaseTask[Batch]):
    """A source of labelled sequences of symbols.

    Concrete tasks are frozen dataclasses of their options. A subclass is found by
    ``"module:Class"``, or by a name once it is registered
    (:func:`~qrnn_circuits.tasks.register_task`) or installed as an entry point of the group
    ``qrnn_circuits.tasks``.

    Example:
        >>> from qrnn_circuits.tasks import Xor
        >>> task: Task = Xor(length=6)
        >>> task.lane, task.default_recipe
        (2, 'default')
        >>> task.batch(8, torch.Generator().manual_seed(0)).inputs.shape
        torch.Size([8, 6])
    """

    @property
    def answer_unit(self) -> str:
        """What one answer is about, in the plural: ``"scored_steps"``."""
        return "scored_steps"

    @property
    def class_names(self) -> Sequence[str]:
        """What each outcome of a scored step is called, where that is not its symbol."""
        return ()

    @property
    def answers_need_runs(self) -> bool:
        """Whether there is more to an answer than what a scored step predicts."""
        return False

    @property
    @abstractmethod
    def lane(self) -> int:
        """Number I of lane wires that the symbols need."""

    @abstractmethod
    def prompt(self, count: int, generator: torch.Generator) -> Prompt:
        """What a trained network is given to go on from when it is sampled.

        Args:
            count: Number of sequences, at least 1.
            generator: Source of randomness, a CPU generator.

        Returns:
            The prompt.

        Raises:
            ValueError: If ``count`` is less than 1.
        """

    @abstractmethod
    def describe(self, symbols: Tensor) -> list[str]:
        """Writes sampled outcomes for a human reader.

        Args:
            symbols: Outcomes of a prompt's steps, int64, shape ``(B, T)``.

        Returns:
            One text per sequence.
        """

    def describe_sample(self, prompt: Prompt, symbols: Tensor) -> list[str]:
        """Writes sampled sequences for a human reader: by default, what was sampled.

        Args:
            prompt: What the network was given.
            symbols: Outcomes of the prompt's steps, int64, shape ``(B, T)``.

        Returns:
            One text per sequence.
        """
        return self.describe(symbols)

    @torch.no_grad()
    def answers(self, model: "RecurrentNetwork", batch: Batch, chunk: int = 500) -> Answers:
        """Asks a network every scored step of a batch, all earlier outcomes being right.

        Args:
            model: The network.
            batch: The questions.
            chunk: Number of sequences that are run at a time, at least 1.

        Returns:
            One answer per scored step (a task may define its questions otherwise), on the CPU.

        Raises:
            ValueError: If ``chunk`` is less than 1.
        """
        check_integer("chunk", chunk, 1)
        device = first_parameter(model).device
        correct, probability = [], []
        for part in batch.chunks(chunk):
            rows = part.to(device)
            answers = scored_answers(model(rows.inputs, rows.outcomes), rows)
            correct.append(answers.correct)
            probability.append(answers.probability)
        return Answers(torch.cat(correct), torch.cat(probability))


def scored_answers(output: "QRNNOutput", batch: Batch) -> Answers:
    """Reads one answer per scored step from what a network has predicted.

    Args:
        output: Of the batch.
        batch: The questions, on the same device.

    Returns:
        The answers, on the CPU.
    """
    log_probs, right = output.log_probs[batch.scored], batch.outcomes[batch.scored]
    return Answers(
        correct=(log_probs.argmax(-1) == right).cpu(),
        probability=log_probs.gather(-1, right[:, None])[:, 0].exp().cpu(),
    )


def draw_evenly(kinds: int, size: int, generator: torch.Generator) -> Tensor:
    """Draws numbers below ``kinds``, each equally often as far as ``size`` divides.

    Args:
        kinds: Number of different numbers, at least 1.
        size: How many to draw, at least 1.
        generator: Source of randomness.

    Returns:
        The numbers in random order, int64, shape ``(size,)``.

    Raises:
        ValueError: If ``size`` is less than 1.
    """
    check_integer("size", size, 1)
    rest = torch.randperm(kinds, generator=generator)[: size % kinds]
    numbers = torch.cat([torch.arange(size - len(rest)) % kinds, rest])
    return numbers[torch.randperm(size, generator=generator)]


def spell(symbols: Tensor, alphabet: Sequence[str]) -> list[str]:
    """Writes each sequence with one entry of ``alphabet`` per symbol.

    Args:
        symbols: Shape ``(B, T)``.
        alphabet: Text of each symbol. A wider lane than the task's can yield symbols beyond it,
            which are written as a number in angle brackets. An unread step is an underscore, and
            padding is not written.

    Returns:
        One text per sequence.
    """
    texts = {UNREAD: "_", PADDING: "", **dict(enumerate(alphabet))}
    return [
        "".join(texts.get(symbol, f"<{symbol}>") for symbol in sequence)
        for sequence in symbols.tolist()
    ]
