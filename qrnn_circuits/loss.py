"""Losses of a sequence of predicted distributions."""

from math import e, log
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from qrnn_circuits.checks import as_integer, check_choice, check_instance
from qrnn_circuits.choices import Loss as Loss
from qrnn_circuits.tensors import check_type
from qrnn_circuits.tracing import is_traced


def sequence_loss(
    log_probs: Tensor,
    outcomes: Tensor,
    scored: Tensor | None = None,
    *,
    kind: Loss = "nll",
    ignore_index: int | None = None,
) -> Tensor:
    """Mean loss over the scored steps of a batch.

    ``"nll"`` is the negative log-likelihood of the outcomes. ``"paper"`` is the loss of Bausch,
    arXiv:2006.14619: the cross-entropy with the probabilities themselves taken as logits, less
    its smallest value, which a certain and right prediction reaches.

    Args:
        log_probs: Natural logs of each step's distribution, shape ``(B, T, 2**I)``.
        outcomes: The right symbols, int64, shape ``(B, T)``; ``UNREAD`` and ``PADDING`` elsewhere.
        scored: The steps that count, bool, shape ``(B, T)``; by default all that have a symbol.
        kind: ``"nll"`` or ``"paper"``.
        ignore_index: A number in ``outcomes`` that stands for no symbol either: its steps count
            neither in the loss nor in the number that it is divided by.

    Returns:
        The mean, shape ``()``.

    Raises:
        TypeError: If a type is wrong.
        ValueError: If ``kind`` is unknown, shapes do not belong together, no step is scored, or one
            is whose outcome is no symbol.

    Example:
        Two steps, the first of them sure, the second one a guess between two symbols:

        >>> log_probs = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]]).log()
        >>> outcomes = torch.tensor([[0, 1]])
        >>> sequence_loss(log_probs, outcomes)
        tensor(0.3466)
        >>> sequence_loss(log_probs, outcomes, scored=torch.tensor([[False, True]]))
        tensor(0.6931)
        >>> sequence_loss(log_probs, torch.tensor([[0, -1]]), ignore_index=-1)
        tensor(-0.)
    """
    check_instance("log_probs", log_probs, Tensor, "a network's output has some")
    check_type("outcomes", outcomes, torch.int64, "a tensor of type torch.int64")
    if scored is not None:
        check_type("scored", scored, torch.bool, "a tensor of type torch.bool")
    for name, given in (("outcomes", outcomes), ("scored", scored)):
        if given is not None and given.shape != log_probs.shape[:-1]:
            raise ValueError(
                f"{name} must have shape {tuple(log_probs.shape[:-1])}, one entry for each "
                f"distribution of log_probs, got {tuple(given.shape)}"
            )
    if ignore_index is not None:
        counts = outcomes != as_integer("ignore_index", ignore_index, -(2**63))
        scored = counts & (outcomes >= 0) if scored is None else counts & scored
    elif scored is None:
        scored = outcomes >= 0
    symbols = log_probs.shape[-1]
    wrong = scored & ((outcomes < 0) | (outcomes >= symbols))
    if not is_traced() and wrong.any():
        raise ValueError(
            f"outcomes of scored steps must be symbols from 0 to {symbols - 1}, got "
            f"{outcomes[wrong][0].item()}: a step without a symbol must not be scored"
        )
    return mean_loss(log_probs, outcomes, scored, kind)


def mean_loss(log_probs: Tensor, outcomes: Tensor, scored: Tensor | None, kind: Loss) -> Tensor:
    """The loss as :func:`sequence_loss` has it, of all steps where ``scored`` is None."""
    check_choice("kind", kind, get_args(Loss))
    log_probs, outcomes = log_probs.flatten(0, -2), outcomes.flatten()
    if scored is not None and is_traced():
        # How many steps count is a number that tracing cannot ask for.
        marked = scored.flatten()
        return torch.where(marked, _step_losses(log_probs, outcomes, kind), 0).sum() / marked.sum()
    if scored is not None:
        steps = scored.flatten().nonzero()[:, 0]
        if not len(steps):
            raise ValueError("scored must mark at least one step, but is False everywhere")
        if len(steps) < len(outcomes):
            log_probs, outcomes = log_probs.index_select(0, steps), outcomes.index_select(0, steps)
    if kind == "nll":
        return nll_loss(log_probs, outcomes)
    return _step_losses(log_probs, outcomes, kind).mean()


def group_losses(
    log_probs: Tensor,
    outcomes: Tensor,
    scored: Tensor,
    groups: Tensor,
    count: int,
    kind: Loss,
) -> Tensor:
    """The mean loss of each of several groups of steps.

    Args:
        log_probs: Natural logs of each step's distribution, shape ``(R, 2**I)``.
        outcomes: The right symbols, int64, shape ``(R,)``.
        scored: The steps that count, bool, shape ``(R,)``, some of each group.
        groups: The number of each step's group, int64, shape ``(R,)``.
        count: Number of groups.
        kind: See :func:`sequence_loss`.

    Returns:
        Shape ``(count,)``.

    Raises:
        ValueError: If ``kind`` is unknown, or no step of a group is scored.
    """
    check_choice("kind", kind, get_args(Loss))
    steps = scored.nonzero()[:, 0]
    groups = groups.index_select(0, steps)
    numbers = torch.bincount(groups, minlength=count)
    if not numbers.all():
        raise ValueError("scored must mark at least one step of each network, but marks none")
    losses = _step_losses(log_probs.index_select(0, steps), outcomes.index_select(0, steps), kind)
    return losses.new_zeros(count).index_add(0, groups, losses) / numbers


def _step_losses(log_probs: Tensor, outcomes: Tensor, kind: Loss) -> Tensor:
    """The loss of each step, shape ``(R,)``; without meaning where a step is unread."""
    right = log_probs.gather(-1, outcomes.clamp(min=0)[..., None])[..., 0]
    if kind == "nll":
        return -right
    smallest = log(e + log_probs.shape[-1] - 1) - 1
    return torch.logsumexp(log_probs.exp(), -1) - right.exp() - smallest
