"""Logs of distributions of which some outcomes may be impossible."""

from math import inf

from torch import Tensor


def log_distribution(weights: Tensor, *, all_possible: bool = False) -> Tensor:
    """Natural logs of weights over their sum in the last dimension.

    The log of an impossible outcome is minus infinity, and it contributes
    nothing to the gradient, where plain logs would make that NaN.

    Args:
        weights: At least 0, shape ``(..., n)``; where all are 0 the logs are NaN.
        all_possible: Whether none is 0, so that plain logs do.
    """
    log_total = weights.sum(-1, keepdim=True).log()
    if all_possible:
        return weights.log() - log_total
    possible = weights > 0
    # NaN where all are 0.
    impossible = -inf - log_total.detach()
    return (weights.where(possible, 1).log() - log_total).where(possible, impossible)
