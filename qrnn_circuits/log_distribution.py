"""Logs of distributions of which some outcomes may be impossible."""

from typing import Any

import torch
from torch import Tensor


def log_distribution(weights: Tensor) -> Tensor:
    """Natural logs of weights over their sum in the last dimension.

    The log of an impossible outcome is minus infinity, and it contributes
    nothing to the gradient, where plain logs would make that NaN.

    Args:
        weights: At least 0, shape ``(..., n)``; where all are 0 the logs are NaN.
    """
    logs: Tensor = _LogDistribution.apply(weights)  # type: ignore[no-untyped-call]
    return logs


class _LogDistribution(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weights: Tensor) -> Tensor:
        return weights.log() - weights.sum(-1, keepdim=True).log()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:  # noqa: ANN401
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        weights: Tensor
        (weights,) = ctx.saved_tensors
        possible = weights > 0
        gradient = gradient.where(possible, 0)
        total = weights.sum(-1, keepdim=True)
        return gradient / weights.where(possible, 1) - gradient.sum(-1, keepdim=True) / total

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:  # noqa: ANN401
        weights: Tensor
        (weights,) = ctx.saved_tensors
        possible = weights > 0
        change = tangent.where(possible, 0) / weights.where(possible, 1)
        total = tangent.sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)
        return (change - total).where(possible, 0)
