"""The operators that a batch asks for, as one differentiable function.

They are the transfer operators of the input symbols, then products of several steps, each scaled to
a largest entry of 1; or these, each with the readout of the outcome before it.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.buckets import on_device
from qrnn_circuits.simulation.transfer.products import Integers, Products
from qrnn_circuits.tracing import first_derivative


class BatchOperators(NamedTuple):
    """Operators and what they were divided by.

    Attributes:
        operators: Shape ``(n, 2**W, 2**W)``.
        scales: The constants that the transfer operators of all symbols, and the products built
            from scaled operators, were divided by, 1 for symbols that are not used, shape
            ``(m, 1, 1)``; not differentiable.
    """

    operators: Tensor
    scales: Tensor


class OperatorIndices(NamedTuple):
    """Which operators to build.

    Attributes:
        used: The input symbols that occur, int64, shape ``(S,)``.
        products: For each level of products the indices of
            :class:`~qrnn_circuits.simulation.transfer.products.Products`: of symbols, then of
            products, ...
        pairs: Pairs of an operator and the outcome before it, two tensors of shape ``(n,)``;
            ``None`` for all operators as they are.
    """

    used: Tensor
    products: list[tuple[Tensor, Tensor, Tensor]]
    pairs: tuple[Tensor, Tensor] | None


def operator_indices(
    used: Integers,
    products: list[Products],
    pairs: Integers | None,
    symbols: int,
    device: torch.device,
) -> OperatorIndices:
    """Moves the numbers of operators to a device.

    Args:
        used: The input symbols that occur, shape ``(S,)``.
        products: Those of symbols, then those of products, ...
        pairs: Pairs from :func:`~qrnn_circuits.simulation.transfer.buckets.distinct_pairs`, or
            ``None``.
        symbols: Number of symbols, ``2**I``.
        device: Where the numbers are needed.
    """
    lists = [used]
    lists += [index for level in products for index in (level.left, level.outcome, level.right)]
    if pairs is not None:
        lists += np.divmod(pairs, symbols + 1)
    symbols_used, *rest = on_device(lists, device)
    levels = [(rest[i], rest[i + 1], rest[i + 2]) for i in range(0, 3 * len(products), 3)]
    return OperatorIndices(symbols_used, levels, None if pairs is None else (rest[-2], rest[-1]))


def build_operators(transfer: Tensor, readout: Tensor, indices: OperatorIndices) -> BatchOperators:
    """Builds the operators of a batch.

    Args:
        transfer: The transfer operators of the input symbols that are used, shape
            ``(S, 2**W, 2**W)``.
        readout: Amplitudes of the output stage, shape ``(2**I, 2**W)``.
        indices: Which operators.
    """
    return BatchOperators(
        *_BatchOperators.apply(transfer, readout, indices)  # type: ignore[no-untyped-call]
    )


class _BatchOperators(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        transfer: Tensor,
        readout: Tensor,
        indices: OperatorIndices,
    ) -> tuple[Tensor, Tensor]:
        used, products, pairs = indices
        count, size = readout.shape
        total = count + sum(len(left) for left, _, _ in products)
        # What is not filled is not used.
        every = transfer.new_empty(total, size, size)
        scales = transfer.new_ones(total, 1, 1)
        scale = transfer.abs().amax((1, 2), keepdim=True)
        scales.index_copy_(0, used, scale)
        every.index_copy_(0, used, transfer / scale)
        ctx.levels = []
        # After the last symbol: no outcome, which leaves the state as it is.
        amplitudes = torch.cat((readout, readout.new_ones(1, size)))
        for left, outcome, right in products:
            made, scale = (table[count : count + len(left)] for table in (every, scales))
            between = amplitudes.index_select(0, outcome).unsqueeze(1)
            first, last = every.index_select(0, left), every.index_select(0, right)
            then = last * between
            torch.bmm(then, first, out=made)
            torch.amax(made.abs(), (1, 2), keepdim=True, out=scale)
            made.div_(scale)
            ctx.levels.append((count, left, outcome, right, first, between, last, then))
            count += len(left)
        ctx.pairs = None
        result = every
        if pairs is not None:
            which, outcome = pairs
            before = amplitudes.index_select(0, outcome).unsqueeze(1)
            chosen = every.index_select(0, which)
            result = chosen * before
            ctx.pairs = which, outcome, before, chosen
        ctx.scales, ctx.used, ctx.outcomes = scales, used, len(readout)
        ctx.mark_non_differentiable(scales)
        return result, scales

    @staticmethod
    @first_derivative
    def backward(
        ctx: Any,  # noqa: ANN401
        gradient: Tensor,
        _: Tensor,
    ) -> tuple[Tensor, Tensor, None]:
        size = gradient.shape[-1]
        to_readout = gradient.new_zeros(ctx.outcomes + 1, size)
        if ctx.pairs is not None:
            which, outcome, before, chosen = ctx.pairs
            to_readout.index_add_(0, outcome, (gradient * chosen).sum(1))
            to_every = gradient.new_zeros(len(ctx.scales), size, size)
            to_every.index_add_(0, which, gradient * before)
        else:
            to_every = gradient.clone()
        for begin, left, outcome, right, first, between, last, then in reversed(ctx.levels):
            end = begin + len(left)
            to_made = to_every[begin:end].div_(ctx.scales[begin:end])
            to_then = torch.bmm(to_made, first.mT)
            to_every.index_add_(0, left, torch.bmm(then.mT, to_made))
            to_every.index_add_(0, right, to_then * between)
            to_readout.index_add_(0, outcome, to_then.mul_(last).sum(1))
        to_transfer = to_every.index_select(0, ctx.used).div_(ctx.scales.index_select(0, ctx.used))
        return to_transfer, to_readout[:-1], None
