"""Losses of a sequence of predicted distributions."""

from math import e, log
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

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

    Example:
        Two steps, the first of them sure, the second one a guess between two symbols:

        >>> log_probs = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]).log()
        >>> outcomes = torch.tensor([[0, 1]])
        >>> sequence_loss(log_probs, outcomes)
        tensor(0.3466)
        >>> sequence_loss(log_probs, outcomes, scored=torch.tensor([[False, True]]))
        tensor(0.6931)
    """
    if kind not in get_args(Loss):
        raise ValueError(f"kind must be one of {get_args(Loss)}, got {kind!r}")
    log_probs, outcomes = log_probs.flatten(0, -2), outcomes.flatten()
    if scored is not None:
        steps = scored.flatten().nonzero()[:, 0]
        if not len(steps):
            raise ValueError("scored must mark at least one step, but is False everywhere")
        if len(steps) < len(outcomes):
            log_probs, outcomes = log_probs.index_select(0, steps), outcomes.index_select(0, steps)
    if kind == "nll":
        return nll_loss(log_probs, outcomes)
    probabilities = log_probs.exp()
    symbols = log_probs.shape[-1]
    smallest = log(e + symbols - 1) - 1
    right = probabilities.gather(-1, outcomes[..., None])[..., 0]
    return (torch.logsumexp(probabilities, -1) - right).mean() - smallest
