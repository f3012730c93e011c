"""Logs of distributions of which some outcomes may be impossible."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def log_distribution(weights: Tensor) -> Tensor:
    """Natural logs of weights over their sum in the last dimension.

    Differentiable once. The log of an impossible outcome is minus infinity, and it contributes
    nothing to the gradient, where plain logs would make that NaN.

    Args:
        weights: At least 0, shape ``(..., n)``; where all are 0 the logs are NaN.
    """
    logs: Tensor = _LogDistribution.apply(weights)  # type: ignore[no-untyped-call]
    return logs


class _LogDistribution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor) -> Tensor:  # noqa: ANN401
        total = weights.sum(-1, keepdim=True)
        ctx.save_for_backward(weights, total)
        return weights.log() - total.log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        weights: Tensor
        weights, total = ctx.saved_tensors
        possible = weights > 0
        gradient = gradient.where(possible, 0)
        to_weights: Tensor = gradient / weights.where(possible, 1)
        to_weights -= gradient.sum(-1, keepdim=True) / total
        return to_weights
