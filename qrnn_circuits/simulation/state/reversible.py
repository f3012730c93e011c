"""Runs gates on states of many wires, and back again: no gate's input is kept for its gradient.

Every gate is a set of invertible blocks, so the backward pass recovers the input of each gate from
its output. A block turns and scales, and inverting a gate can amplify relative errors by the ratio
of the largest to the smallest scale. Where the product of these ratios grows too large, the inputs
of a few gates are computed again and kept as fresh starting points. That bounds errors by the
largest amplitudes, but a gradient may be that of tiny ones, where an outcome is unlikely: recovered
inputs are compared with those that are known, and where the gradient would notice the difference,
all inputs are computed again.
"""

from collections.abc import Sequence
from math import log
from typing import Any, NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.gates import WorkspaceGate
from qrnn_circuits.simulation.state.blocks import GivenBlocks, StepBlocks, SymbolGroup
from qrnn_circuits.tracing import first_derivative

# Part of what a gradient multiplies that recovered inputs may be off before none is recovered.
MOST_DEVIATION = {torch.float32: 1e-3, torch.float64: 1e-8}
# How much inverted gates may amplify rounding errors, in the worst case, before a kept input.
MOST_AMPLIFICATION = {torch.float32: 1e3, torch.float64: 1e5}
# Up to so many amplitudes, a batch of several symbols goes through the gates as one group.
MOST_MIXED_AMPLITUDES = 2**16


class ReversibleEvolution:
    """Applies every gate to every state; the backward pass undoes the gates one by one.

    The gradients reach the states and the tables of the gates.
    """

    def __init__(self, gates: Sequence[WorkspaceGate]) -> None:
        """Keeps the gates.

        Args:
            gates: From :meth:`QRNNCell.step_gates`.
        """
        self._blocks = GivenBlocks(gates)
        self._tables = [table for gate in gates for table in (gate.cos, gate.sin)]

    def __call__(self, state: Tensor, inputs: Tensor) -> Tensor:
        """Takes workspace states ``(B, 2**W)`` and input symbols ``(B,)`` one step on."""
        (groups,) = symbol_groups(self._blocks, inputs[:, None])
        evolved: Tensor = _ReversibleStep.apply(  # type: ignore[no-untyped-call]
            self._blocks, groups, state, *self._tables
        )
        return evolved


class _ReversibleStep(torch.autograd.Function):
    """One step of a batch, from the states before its gates to those after them."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        blocks: GivenBlocks,
        groups: list[SymbolGroup],
        state: Tensor,
        *tables: Tensor,
    ) -> Tensor:
        evolved = evolve(blocks, groups, state)
        ctx.blocks, ctx.groups = blocks, groups
        # The tables are only saved so that torch notices where they are changed meanwhile.
        ctx.save_for_backward(state, evolved, *tables)
        return evolved

    @staticmethod
    @first_derivative
    def backward(
        ctx: Any,  # noqa: ANN401
        grad: Tensor,
    ) -> tuple[Tensor | None, ...]:
        state, evolved, *_ = ctx.saved_tensors
        pulled = evolve_back(ctx.blocks, ctx.groups, state, evolved, grad)
        if not is_accurate(pulled.deviation, state.dtype):
            ctx.blocks.take_gradients()
            pulled = evolve_back(ctx.blocks, ctx.groups, state, evolved, grad, undo=False)
        return None, None, pulled.gradient, *ctx.blocks.take_gradients()


class PulledBack(NamedTuple):
    """A gradient before some gates.

    Attributes:
        gradient: In the amplitudes before the gates, shape ``(B, 2**W)``.
        deviation: How far recovered inputs of gates were off where they are known, as the largest
            part of what the gradient of a row multiplies, shape ``()``.
    """

    gradient: Tensor
    deviation: Tensor


def is_accurate(deviation: Tensor, dtype: torch.dtype) -> bool:
    """Whether inputs that were recovered up to some deviation serve for a gradient.

    Args:
        deviation: See :class:`PulledBack`.
        dtype: Type of the amplitudes.
    """
    return bool(deviation <= MOST_DEVIATION[dtype])


def symbol_groups(
    blocks: StepBlocks, inputs: Tensor, lengths: Tensor | None = None
) -> list[list[SymbolGroup]]:
    """Groups the rows of each step by their input symbol, or not at all where states are small.

    Args:
        blocks: The gates that the groups are for.
        inputs: Input symbols, int64, shape ``(B, T)``.
        lengths: Number of steps of each row, int64, shape ``(B,)``, if not all have T. Rows that
            have ended are in no group.

    Returns:
        The groups of each step.
    """
    # A backward pass looks at the symbols again, which a user may have changed by then.
    each = inputs.T.clone()
    columns: list[list[int]] = each.tolist()
    left: list[Tensor | None] = [None] * len(columns)
    if lengths is not None:
        left = [(lengths > step).nonzero()[:, 0] for step in range(len(columns))]
    steps = []
    for step, (column, rows) in enumerate(zip(columns, left, strict=True)):
        symbol = each[step]
        if rows is not None:
            symbol = symbol[rows]
            column = symbol.tolist()
        symbols = tuple(sorted(set(column)))
        if len(symbols) == 1:
            steps.append([SymbolGroup(symbols, None, rows)])
        elif blocks.mixed and len(column) << blocks.workspace <= MOST_MIXED_AMPLITUDES:
            steps.append([SymbolGroup(symbols, symbol, rows)])
        else:
            order = symbol.argsort(stable=True)
            order = order if rows is None else rows[order]
            parts = order.split([column.count(symbol) for symbol in symbols])
            steps.append(
                [SymbolGroup((s,), None, own) for s, own in zip(symbols, parts, strict=True)]
            )
    return steps


def _covered(groups: list[SymbolGroup], rows: int) -> bool:
    """Whether every row is in a group."""
    return sum(rows if group.rows is None else len(group.rows) for group in groups) == rows


def evolve(blocks: StepBlocks, groups: list[SymbolGroup], state: Tensor) -> Tensor:
    """Applies the gates of a step to a batch of states.

    Args:
        blocks: The gates.
        groups: From :func:`symbol_groups`.
        state: Amplitudes, shape ``(B, 2**W)``; not changed.

    Returns:
        The new amplitudes, shape ``(B, 2**W)``; those of rows in no group are the old ones.
    """
    if len(groups) == 1 and groups[0].rows is None:
        return _forward(blocks, groups[0], state)
    evolved = torch.empty_like(state) if _covered(groups, len(state)) else state.clone()
    for group in groups:
        evolved[group.rows] = _forward(blocks, group, state[group.rows])
    return evolved


def evolve_back(
    blocks: StepBlocks,
    groups: list[SymbolGroup],
    state: Tensor,
    evolved: Tensor,
    grad: Tensor,
    *,
    undo: bool = True,
) -> PulledBack:
    """Pulls a gradient back through the gates of a step, which it adds to their gradients.

    Args:
        blocks: The gates.
        groups: From :func:`symbol_groups`.
        state: Amplitudes before the gates, shape ``(B, 2**W)``.
        evolved: Amplitudes after them, of the shape of ``state``.
        grad: The gradient in the amplitudes after the gates, of the shape of ``state``.
        undo: Whether gates may be undone, rather than all their inputs computed again.
    """
    if len(groups) == 1 and groups[0].rows is None:
        return _backward(blocks, groups[0], state, evolved, grad, undo)
    before = torch.empty_like(grad) if _covered(groups, len(grad)) else grad.clone()
    deviations = []
    for group in groups:
        rows = group.rows
        pulled = _backward(blocks, group, state[rows], evolved[rows], grad[rows], undo)
        before[rows] = pulled.gradient
        deviations.append(pulled.deviation)
    return PulledBack(before, torch.stack(deviations).max())


def kept_inputs(log_conditions: Sequence[float], limit: float) -> list[int]:
    """Chooses gates whose inputs must be kept for the others to be recovered accurately.

    Args:
        log_conditions: Natural log of each gate's condition number.
        limit: Natural log of the largest product of condition numbers of gates that are undone
            one after another.

    Returns:
        Positions of the gates, in order. The first gate's input is taken to be known.
    """
    kept, amplification = [], 0.0
    for gate, condition in enumerate(log_conditions):
        if gate == 0:
            continue
        amplification += condition
        if not amplification <= limit:
            kept.append(gate)
            amplification = 0.0
    return kept


def _forward(
    blocks: StepBlocks,
    group: SymbolGroup,
    state: Tensor,
    inputs: dict[int, Tensor] | None = None,
) -> Tensor:
    """Applies the gates to the states of a group; fills in the requested gates' inputs.

    The wires of a flat state are rotated so that a gate's target comes first. Its blocks put the
    target last: the next wire is then first, and no amplitude is read or written with a stride.
    """
    wires, first = blocks.workspace, 0
    for gate, target in enumerate(blocks.targets):
        pairs = _first_wire_pairs(_rotate(state, wires, target - first))
        block = blocks.block(gate, group)
        if inputs is not None and gate in inputs:
            inputs[gate] = pairs
            pairs = pairs * block
        else:
            pairs *= block
        state, first = torch.view_as_real(pairs).flatten(-2), target + 1
    return _rotate(state, wires, -first)


def _backward(
    blocks: StepBlocks,
    group: SymbolGroup,
    state: Tensor,
    evolved: Tensor,
    grad: Tensor,
    undo: bool,
) -> PulledBack:
    """Undoes the gates on the states of a group, and pulls a gradient back with them."""
    kept = list(range(1, len(blocks.targets)))
    if undo:
        limit = log(MOST_AMPLIFICATION[state.dtype])
        kept = kept_inputs(blocks.log_conditions(group.symbols), limit)
    inputs, deviations = dict.fromkeys(kept, state), [state.new_zeros(())]
    if inputs:
        _forward(blocks, group, state, inputs)
    wires, first = blocks.workspace, 0
    inputs[0] = _first_wire_pairs(_rotate(state, wires, blocks.targets[0]))
    both = torch.stack((evolved, grad))
    for gate in reversed(range(len(blocks.targets))):
        target = blocks.targets[gate]
        after = _last_wire_pairs(_rotate(both, wires, target + 1 - first))
        before = after * blocks.back(gate, group)
        if gate in inputs:
            known = inputs.pop(gate)
            if undo:
                deviations.append(_deviation(before[0], known, before[1]))
            before[0] = known
        blocks.add_gradient(gate, group, after[1] * before[0].conj())
        both, first = _split(before), target
    return PulledBack(_rotate(both[1], wires, -first), torch.stack(deviations).max())


def _deviation(recovered: Tensor, known: Tensor, gradient: Tensor) -> Tensor:
    """See :class:`PulledBack`; NaN where something recovered is."""
    size = gradient.abs()
    off = (size * (recovered - known).abs()).sum(-1)
    return torch.where(off == 0, 0, off / (size * known.abs()).sum(-1)).max()


def _rotate(state: Tensor, wires: int, shift: int) -> Tensor:
    """Moves the first wires of states ``(..., 2**W)`` behind the others: ``shift`` modulo W."""
    shift %= wires
    if shift == 0:
        return state
    rotated: Tensor = state.unflatten(-1, (1 << shift, -1)).mT.flatten(-2)
    return rotated


def _first_wire_pairs(state: Tensor) -> Tensor:
    """Complex numbers ``(..., 2**(W-1))`` from the amplitudes that differ in the first wire."""
    zero, one = state.tensor_split(2, -1)
    return torch.complex(zero, one)


def _last_wire_pairs(state: Tensor) -> Tensor:
    """Complex numbers ``(..., 2**(W-1))`` from the amplitudes that differ in the last wire."""
    return torch.view_as_complex(state.unflatten(-1, (-1, 2)))


def _split(pairs: Tensor) -> Tensor:
    """States ``(..., 2**W)`` of whose first wire real and imaginary parts are the amplitudes."""
    return torch.view_as_real(pairs).mT.flatten(-2)
