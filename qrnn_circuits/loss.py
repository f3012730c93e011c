"""Losses of a sequence of predicted distributions."""

from math import e, log
from typing import Literal, get_args

import torch
from torch import Tensor

Loss = Literal["nll", "paper"]


def sequence_loss(
    log_probs: Tensor, outcomes: Tensor, scored: Tensor | None = None, *, kind: Loss = "nll"
) -> Tensor:
    """Mean loss over the scored steps of a batch.

    ``"nll"`` is the negative log-likelihood of the outcomes. ``"paper"`` is the loss of Bausch,
    arXiv:2006.14619: the cross-entropy with the probabilities themselves taken as logits, less
    its smallest value, which a certain and right prediction reaches.

    Args:
        log_probs: Natural logs of each step's distribution, shape ``(B, T, 2**I)``.
        outcomes: The right symbols, int64, shape ``(B, T)``.
        scored: The steps that count, bool, shape ``(B, T)``; by default all.
        kind: ``"nll"`` or ``"paper"``.

    Returns:
        The mean, shape ``()``.

    Raises:
        ValueError: If ``kind`` is unknown or no step is scored.
    """
    if kind not in get_args(Loss):
        raise ValueError(f"kind must be one of {get_args(Loss)}, got {kind!r}")
    if scored is not None:
        if not scored.any():
            raise ValueError("scored must mark at least one step, but is False everywhere")
        log_probs, outcomes = log_probs[scored], outcomes[scored]
    if kind == "nll":
        return -log_probs.gather(-1, outcomes[..., None]).mean()
    probabilities = log_probs.exp()
    symbols = log_probs.shape[-1]
    smallest = log(e + symbols - 1) - 1
    right = probabilities.gather(-1, outcomes[..., None])[..., 0]
    return (torch.logsumexp(probabilities, -1) - right).mean() - smallest
