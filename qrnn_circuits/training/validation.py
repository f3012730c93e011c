"""How well a network does on a fixed batch of sequences."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import log
from typing import cast

import torch
from torch import Tensor, nn

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.loss import Loss, sequence_loss
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Answers, BaseBatch, BaseTask, Batch, SeriesBatch, Task
from qrnn_circuits.tasks.task import scored_answers
from qrnn_circuits.tensors import first_parameter
from qrnn_circuits.threads import worthwhile_threads
from qrnn_circuits.training.ranks import Ranks

_CHUNK = 500

FIGURES = ("loss", "error", "sampled_error", "log10_acceptance")
"""Names of what a :class:`Validation` measures, which logs and summaries have too."""


@dataclass(frozen=True)
class Validation:
    """The figures of one validation.

    Attributes:
        step: Optimiser steps taken before it.
        loss: Mean loss of the scored steps; of forecasts their mean squared error.
        error: Share of the answers whose most probable symbol is wrong. Of forecasts their root
            mean squared error as a share of the targets' standard deviation, which counts as the
            sampled error too.
        sampled_error: 1 minus the mean probability of the right answer: what one measurement gives.
        log10_acceptance: Decimal logarithm of the mean probability, over the sequences, that every
            ancilla and every conditioned outcome comes out right; 0 of forecasts.
        pruned: Whether the network's small rotations have been pruned.

    Example:
        >>> validation = Validation(100, 0.2, error=0.0, sampled_error=0.1, log10_acceptance=-3)
        >>> validation.step, validation.error
        (100, 0.0)
    """

    step: int
    loss: float
    error: float
    sampled_error: float
    log10_acceptance: float
    pruned: bool = False

    @property
    def rank(self) -> tuple[bool, float, float]:
        """By which validations are compared: the least is the best."""
        return not self.pruned, self.sampled_error, self.error


@dataclass(frozen=True)
class _Tally:
    """What a process has counted on its sequences.

    Attributes:
        loss: Sum of the losses of the scored steps.
        answers: To the questions of the task.
        log_acceptance: Of each sequence, natural log, on the CPU.
    """

    loss: float
    answers: Answers
    log_acceptance: Tensor


@contextmanager
def judged(model: nn.Module) -> Iterator[None]:
    """While entered, a network is as it is used: nothing is dropped at random, as in training."""
    trained = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in trained:
            part.training = True


def validate(
    model: RecurrentNetwork | Forecaster,
    task: BaseTask,
    batch: BaseBatch,
    *,
    loss: Loss,
    step: int,
    pruned: bool = False,
    ranks: Ranks | None = None,
) -> Validation:
    """Measures a network on a batch, in chunks of sequences that keep memory small.

    Args:
        model: The network.
        task: Whose answers are counted.
        batch: The sequences.
        loss: Which loss to report.
        step: Optimiser steps taken so far.
        pruned: Whether small rotations have been pruned.
        ranks: The processes that share the sequences; by default this one alone.

    Returns:
        The figures, the same in every process.

    Raises:
        RankError: Another process has ended.
        ZeroProbabilityError: A conditioned outcome has probability zero.
    """
    shared = ranks or Ranks()
    if isinstance(batch, SeriesBatch):
        return _of_forecasts(cast(Forecaster, model), batch, step, shared)
    model, task, batch = cast(RecurrentNetwork, model), cast(Task, task), cast(Batch, batch)
    with judged(model):
        tallies = shared.from_all(lambda: _tally(model, task, shared.shard(batch), loss))
    answers = _joined([tally.answers for tally in tallies])
    log_acceptance = torch.cat([tally.log_acceptance for tally in tallies])
    return Validation(
        step=step,
        loss=sum(tally.loss for tally in tallies) / batch.count,
        error=answers.test_error,
        sampled_error=answers.sampled_error,
        log10_acceptance=(log_acceptance.logsumexp(0).item() - log(len(batch))) / log(10),
        pruned=pruned,
    )


@torch.no_grad()
def forecasts(model: Forecaster, batch: SeriesBatch) -> Tensor:
    """Forecasts from all windows of a batch, in chunks that keep memory small.

    Args:
        model: The network.
        batch: The windows; their targets are not used.

    Returns:
        Scaled values on the CPU, float64, shape ``(B, K)``.
    """
    device = first_parameter(model).device
    found = [torch.zeros_like(batch.targets[:0])]
    with judged(model):
        for chunk in batch.chunks(_CHUNK) if len(batch) else ():
            with worthwhile_threads(model, *chunk.inputs.shape[:2]):
                found.append(model(chunk.inputs.to(device)).cpu().to(batch.targets.dtype))
    return torch.cat(found)


def normalised_error(found: Tensor, targets: Tensor) -> float:
    """The root mean squared error of forecasts as a share of the targets' standard deviation.

    Args:
        found: The forecasts, shape ``(B, K)``.
        targets: The truth, of the same shape.

    Returns:
        Over all columns, each with its own standard deviation: 1 is what their means would give.
    """
    return float(normalised_squares(found, targets).mean().sqrt())


def normalised_squares(found: Tensor, targets: Tensor) -> Tensor:
    """The squared errors whose mean is the square of :func:`normalised_error`, shape ``(B,)``."""
    # A constant has no standard deviation: its errors count as they are.
    # Rounding gives it one where it is no power of two.
    spread = targets.var(0, correction=0) * (targets.amax(0) > targets.amin(0))
    return ((found - targets).square() / torch.where(spread > 0, spread, 1)).mean(1)


def root_mean_squares(errors: Tensor) -> Tensor:
    """The root mean square of each column, in whatever units: squares may overflow or vanish.

    Args:
        errors: Shape ``(B, K)``.

    Example:
        >>> root_mean_squares(torch.tensor([[1e200], [1e200]], dtype=torch.float64)).item()
        1e+200
    """
    scale = errors.abs().amax(0)
    scale = torch.where(scale > 0, scale, 1)
    return scale * (errors / scale).square().mean(0).sqrt()


def _of_forecasts(model: Forecaster, batch: SeriesBatch, step: int, ranks: Ranks) -> Validation:
    found = torch.cat(ranks.from_all(lambda: forecasts(model, ranks.shard(batch))))
    error = normalised_error(found, batch.targets)
    loss = float((found - batch.targets).square().mean())
    return Validation(step, loss, error, error, log10_acceptance=0.0)


@torch.no_grad()
def _tally(model: RecurrentNetwork, task: Task, batch: Batch, kind: Loss) -> _Tally:
    """Runs the network over some sequences, possibly none."""
    device = first_parameter(model).device
    total_loss = 0.0
    answers = [Answers(torch.zeros(0, dtype=torch.bool), torch.zeros(0))]
    log_acceptances = [torch.zeros(0, dtype=torch.float64)]
    for chunk in batch.chunks(_CHUNK) if len(batch) else ():
        rows = chunk.to(device)
        with worthwhile_threads(model, *rows.inputs.shape):
            output = model(rows.inputs, rows.outcomes)
        mean = sequence_loss(output.log_probs, rows.outcomes, rows.scored, kind=kind)
        total_loss += mean.item() * int(chunk.scored.sum())
        log_acceptances.append(output.log_acceptance.cpu())
        apart = task.answers_need_runs
        answers.append(task.answers(model, chunk) if apart else scored_answers(output, rows))
    return _Tally(total_loss, _joined(answers), torch.cat(log_acceptances))


def _joined(parts: list[Answers]) -> Answers:
    return Answers(
        torch.cat([part.correct for part in parts]), torch.cat([part.probability for part in parts])
    )
