"""How well a network does on a fixed batch of sequences."""

from dataclasses import dataclass
from math import log

import torch

from qrnn_circuits.loss import Loss, sequence_loss
from qrnn_circuits.network import QRNN
from qrnn_circuits.tasks import Batch, Task

_CHUNK = 500


@dataclass(frozen=True)
class Validation:
    """The figures of one validation.

    Attributes:
        step: Optimiser steps taken before it.
        loss: Mean loss of the scored steps.
        error: Share of the answers whose most probable symbol is wrong.
        sampled_error: 1 minus the mean probability of the right answer: what one measurement gives.
        log10_acceptance: Decimal logarithm of the mean probability, over the sequences, that every
            ancilla and every conditioned outcome comes out right.
    """

    step: int
    loss: float
    error: float
    sampled_error: float
    log10_acceptance: float


@torch.no_grad()
def validate(model: QRNN, task: Task, batch: Batch, *, loss: Loss, step: int) -> Validation:
    """Measures a network on a batch, in chunks of sequences that keep memory small.

    Args:
        model: The network.
        task: Whose answers are counted.
        batch: The sequences.
        loss: Which loss to report.
        step: Optimiser steps taken so far.

    Raises:
        ZeroProbabilityError: A conditioned outcome has probability zero.
    """
    answers = task.answers(model, batch)
    total_loss, log_acceptances = 0.0, []
    for chunk in batch.chunks(_CHUNK):
        output = model(chunk.inputs, chunk.outcomes)
        mean = sequence_loss(output.log_probs, chunk.outcomes, chunk.scored, kind=loss)
        total_loss += mean.item() * int(chunk.scored.sum())
        log_acceptances.append(output.log_acceptance)
    log_acceptance = torch.cat(log_acceptances).logsumexp(0).item() - log(len(batch))
    return Validation(
        step=step,
        loss=total_loss / int(batch.scored.sum()),
        error=answers.test_error,
        sampled_error=answers.sampled_error,
        log10_acceptance=log_acceptance / log(10),
    )
