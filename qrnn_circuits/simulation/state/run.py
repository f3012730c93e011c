"""Runs a cell along sequences gate by gate, keeping one state for each step and nothing else."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.neuron import block_amplitudes
from qrnn_circuits.sequences import ended
from qrnn_circuits.simulation.state.blocks import CellBlocks, GivenBlocks, StepBlocks, SymbolGroup
from qrnn_circuits.simulation.state.reversible import (
    evolve,
    evolve_back,
    is_accurate,
    symbol_groups,
)
from qrnn_circuits.tracing import first_derivative

# Tables of all neurons are evaluated at once up to this size; beyond, one by one in less memory.
MOST_TABLE_BYTES = 2**20


class StateSequence(NamedTuple):
    """What sequences of steps lead to.

    Attributes:
        weights: The distribution of each step's lane, given all earlier inputs and outcomes, up to
            a factor for each step, shape ``(B, T, 2**I)``; differentiable.
        log_scales: Natural log of the factor that the square roots of each step's weights lack,
            shape ``(B, T)``, float64; of an unread step, half the log of the probability that
            nothing postselected fails, differentiable.
        state: Normalised workspace amplitudes after the last step, shape ``(B, 2**W)``;
            differentiable.
        least: The smallest largest amplitude that any state had on the way, shape ``()``.
    """

    weights: Tensor
    log_scales: Tensor
    state: Tensor
    least: Tensor


def run_states(
    cell: QRNNCell,
    inputs: Tensor,
    outcomes: Tensor,
    state: Tensor,
    lengths: Tensor | None = None,
) -> StateSequence:
    """Runs a cell on a batch of sequences and conditions every step on its outcome.

    The gradients reach the cell's parameters and ``state``. What follows an outcome of weight zero
    is NaN.

    Args:
        cell: The cell.
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: The outcome that each step is conditioned on, or ``UNREAD``, int64, shape
            ``(B, T)``.
        state: Normalised amplitudes to start from, shape ``(B, 2**W)``, of the type in which all is
            computed.
        lengths: Number of steps of each sequence, int64, shape ``(B,)``, if not all have T. What
            follows them is unread, and leaves the states as they are.

    Raises:
        ValueError: If a parameter is not finite.
    """
    neurons = cell.workspace * (1 + cell.stages)
    table_bytes = neurons * 2 ** (cell.workspace + cell.lane - 1) * state.element_size()
    blocks: StepBlocks
    parameters: tuple[Tensor, ...]
    if table_bytes <= MOST_TABLE_BYTES:
        gates = cell.step_gates(state.dtype)
        blocks = GivenBlocks(gates.workspace)
        parameters = tuple(table for gate in gates.workspace for table in (gate.cos, gate.sin))
        readout, log_scale = gates.readout, gates.log_scale
        readout_log_scale = gates.readout_log_scale
    else:
        blocks = CellBlocks(cell, inputs.unique().tolist(), state.dtype)
        parameters = cell.coefficients.to(state.dtype), cell.theta.to(state.dtype)
        readout, log_scale = _readout(cell, state.dtype)
        readout_log_scale = log_scale
    groups = symbol_groups(blocks, inputs, lengths)
    # The number after the last symbol's: no outcome, which leaves the state as it is.
    unread = outcomes == UNREAD
    outcomes = outcomes.masked_fill(unread, len(readout))
    readout = torch.cat((readout, readout.new_ones(1, readout.shape[1])))
    weights, log_scales, state, least = _StateSequence.apply(  # type: ignore[no-untyped-call]
        blocks, groups, outcomes, torch.is_grad_enabled(), readout, state, *parameters
    )
    log_scales += log_scale - readout_log_scale * unread
    kept = weights[..., -1].double().log() / 2
    log_scales = torch.where(unread, log_scales + kept, log_scales)
    if lengths is not None:
        log_scales = log_scales.masked_fill(ended(lengths, inputs.shape[1]), 0)
    return StateSequence(weights[..., :-1], log_scales, state, least)


class _StateSequence(torch.autograd.Function):
    """The recurrence, of which only the states just after each step's gates are kept."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        blocks: StepBlocks,
        groups: list[list[SymbolGroup]],
        outcomes: Tensor,
        keep: bool,
        readout: Tensor,
        state: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        initial, readout_weights = state, readout.square().T
        states, weights, scales, log_scales = [], [], [], []
        for step, outcome in zip(groups, outcomes.T, strict=True):
            evolved = evolve(blocks, step, state)
            # Largest amplitude 1, so that no square underflows however unlikely the step was.
            scale = evolved.abs().amax(-1, keepdim=True)
            evolved /= scale
            weight = evolved.square() @ readout_weights
            state = _condition(evolved, readout, weight, outcome)
            log_scale = scale[:, 0].double().log()
            for group in step if not blocks.mixed else ():
                rows = slice(None) if group.rows is None else group.rows
                log_scale[rows] += blocks.log_scale(group.symbols[0])
            weights.append(weight)
            scales.append(scale)
            log_scales.append(log_scale)
            if keep:
                states.append(evolved)
        ctx.blocks, ctx.groups = blocks, groups
        if keep:
            # The parameters are only saved so that torch notices where they are changed meanwhile.
            ctx.save_for_backward(
                readout, initial, outcomes, *states, *weights, *scales, *parameters
            )
        least = torch.stack([scale.min() for scale in scales]).min()
        result = torch.stack(weights, 1), torch.stack(log_scales, 1), state, least
        ctx.mark_non_differentiable(result[1], least)
        return result

    @staticmethod
    @first_derivative
    def backward(
        ctx: Any,  # noqa: ANN401
        grad_weights: Tensor,
        _: Tensor,
        grad: Tensor,
        __: Tensor,
    ) -> tuple[Tensor | None, ...]:
        gradients, accurate = _pull_back(ctx, grad_weights, grad, undo=True)
        if not accurate:
            gradients = _pull_back(ctx, grad_weights, grad, undo=False)[0]
        return gradients


def _pull_back(
    ctx: Any,  # noqa: ANN401
    grad_weights: Tensor,
    grad: Tensor,
    *,
    undo: bool,
) -> tuple[tuple[Tensor | None, ...], bool]:
    """The gradients of the recurrence, and whether gates could be undone accurately."""
    readout, initial, outcomes, *kept = ctx.saved_tensors
    steps = outcomes.shape[1]
    states, weights, scales = kept[:steps], kept[steps : 2 * steps], kept[2 * steps : 3 * steps]
    readout_weights = readout.square().T
    grad_readout = torch.zeros_like(readout)
    grad_readout_weights = torch.zeros_like(readout)
    deviation = readout.new_zeros(())
    for t in reversed(range(steps)):
        outcome, evolved = outcomes[:, t], states[t]
        root = weights[t].gather(1, outcome[:, None]).sqrt()
        grad_weight = grad_weights[:, t].clone()
        # Through the conditioned state, evolved * readout[outcome] / root.
        grad = grad / root
        product = evolved * grad
        grad_readout.index_add_(0, outcome, product)
        amplitudes = readout.index_select(0, outcome)
        through_root = (product * amplitudes).sum(1, keepdim=True) / root.square()
        grad_weight.scatter_add_(1, outcome[:, None], through_root / -2)
        # Through the weights, evolved**2 @ readout_weights.
        grad_readout_weights += grad_weight.T @ evolved.square()
        grad = grad * amplitudes
        grad += (grad_weight @ readout_weights.T).mul_(evolved).mul_(2)
        if t > 0:
            state = _condition(states[t - 1], readout, weights[t - 1], outcomes[:, t - 1])
        else:
            state = initial
        # The gates are linear, so that they may as well be taken to start from state / scale.
        pulled = evolve_back(ctx.blocks, ctx.groups[t], state / scales[t], evolved, grad, undo=undo)
        deviation = torch.maximum(deviation, pulled.deviation)
        grad = pulled.gradient / scales[t]
    grad_readout += 2 * readout * grad_readout_weights
    to_blocks = ctx.blocks.take_gradients()
    accurate = not undo or is_accurate(deviation, grad.dtype)
    return (None, None, None, None, grad_readout, grad, *to_blocks), accurate


def _readout(cell: QRNNCell, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The output stage as in :class:`~qrnn_circuits.gates.StepGates`, and the log of its scale."""
    readout = cell.coefficients.new_ones(1, 2**cell.workspace, dtype=dtype)
    log_scale = readout.new_zeros((), dtype=torch.float64)
    for wire, coefficients in enumerate(cell.readout_coefficients.to(dtype)):
        # Lane wires before this one hold the outcome so far; those after it still read 0.
        angles = cell.polynomial.table(coefficients).view(2**wire, 2 ** (cell.lane - 1 - wire), -1)
        zero, one = block_amplitudes(angles[:, 0], cell.order, cell.semantics)
        scale = (zero * zero + one * one).amax().sqrt().detach()
        readout = torch.stack((readout * zero, readout * one), 1).flatten(0, 1) / scale
        log_scale = log_scale + scale.double().log()
    return readout, log_scale


def _condition(evolved: Tensor, readout: Tensor, weight: Tensor, outcome: Tensor) -> Tensor:
    """The normalised states once the lane has been read."""
    root = weight.gather(1, outcome[:, None]).sqrt()
    return readout.index_select(0, outcome).mul_(evolved).div_(root)
