"""Transfer operators: what the input and work stages of a step do, as one matrix a symbol.

The neurons of a stage act in wire order, so that the neuron onto wire j is controlled by the new
bits y of the wires before it and by the old bits x of those after it. Hence every entry of the
matrix of consecutive neurons is a product without any sum,

    <y| neurons |x> = product over j of block_j(y_j, x_j; y_before_j, x_after_j),

which is built by one elementwise product a neuron, each twice as large as the one before. A stage
is done as two halves: neurons onto the first half of the wires keep the bits of the other half,
and the other way round, so that each half is a batch of ``2**(W/2)`` small matrices. Everything has
its backward pass written out, which takes half the time of the one that torch records.
"""

from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.constants import constant
from qrnn_circuits.gates import WorkspaceStages
from qrnn_circuits.tracing import first_derivative

# Up to so many wires, matrices of whole stages are multiplied rather than those of half-stages.
_MOST_WIRES_AT_ONCE = 5


def transfer_operators(stages: WorkspaceStages, symbols: int) -> Tensor:
    """The matrix of the input and work stages for each input symbol.

    Args:
        stages: From :meth:`QRNNCell.step_gates`.
        symbols: Number of input symbols, ``2**I``, of all E cells; of each cell equally many.

    Returns:
        Shape ``(2**I, 2**W, 2**W)``; column x is what becomes of the workspace basis state x.
    """
    theta = stages.theta
    operators: Tensor = _TransferOperators.apply(  # type: ignore[no-untyped-call]
        stages.blocks, theta if theta.ndim == 3 else theta[:, None]
    )
    return operators.view(symbols, operators.shape[-1], -1)


class _TransferOperators(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        blocks: Tensor,
        theta: Tensor,
    ) -> Tensor:
        _, count, wires, symbols, _ = blocks.shape
        # Small matrices are too small for their halves: all neurons count as the first.
        before = wires // 2 if wires > _MOST_WIRES_AT_ONCE else wires
        a, b, size = 2**before, 2 ** (wires - before), 2**wires
        ctx.save_for_backward(blocks, theta)
        ctx.before, ctx.between = before, []
        ctx.first_half = _HalfStages(_first_half(blocks, before, b))
        first = list(ctx.first_half.matrices.unbind(0))
        ctx.last_half = None
        if before < wires:
            ctx.last_half = _HalfStages(_last_half(blocks, before, a))
            last = list(ctx.last_half.matrices.unbind(0))
        if count > 1:
            # A rotation of the first half goes with the half-stage after it, one of the last half
            # with the half-stage before it: neither acts on wires that control what is in between.
            ctx.early = _rotations(theta[..., :before]).flatten(0, 1)
            # The rows of all matrices of a cell are rotated in one product.
            rows = ctx.first_half.matrices[1:].view(len(ctx.early), -1, a)
            ctx.first_rotated = torch.bmm(rows, ctx.early)
            first[1:] = ctx.first_rotated.view(-1, *first[0].shape).unbind(0)
            if before < wires:
                ctx.late = _rotations(theta[..., before:])[:, :, None, None]
                ctx.last_rotated = ctx.late @ _by_cell(ctx.last_half.matrices[:-1], theta.shape[1])
                last[:-1] = ctx.last_rotated.flatten(1, 2).unbind(0)
        # Axes: symbol, first half of y, last half of y, first half of x, last half of x.
        operators: Tensor = first[0]
        if before < wires:
            operators = last[0].unsqueeze(3) * _entries(first[0])
        for stage in range(1, count):
            entered = operators.view(symbols, a, b, size).transpose(1, 2)
            halfway = (first[stage] @ entered).transpose(1, 2)
            operators = last[stage] @ halfway if before < wires else halfway
            ctx.between.append((entered, halfway))
        ctx.first, ctx.last = first, last if before < wires else None
        return operators.reshape(symbols, size, size)

    @staticmethod
    @first_derivative
    def backward(
        ctx: Any,  # noqa: ANN401
        gradient: Tensor,
    ) -> tuple[Tensor, Tensor]:
        blocks, theta = ctx.saved_tensors
        first, last, before = ctx.first, ctx.last, ctx.before
        symbols, b, a, _ = first[0].shape
        to_first = torch.empty_like(ctx.first_half.matrices)
        if last:
            to_last = torch.empty_like(ctx.last_half.matrices)
        gradient = gradient.reshape(symbols, a, b, -1)
        for stage in range(len(first) - 1, 0, -1):
            entered, halfway = ctx.between[stage - 1]
            if last:
                torch.matmul(gradient, halfway.mT, out=to_last[stage])
                gradient = last[stage].mT @ gradient
            gradient = gradient.transpose(1, 2)
            torch.matmul(gradient, entered.mT, out=to_first[stage])
            gradient = (first[stage].mT @ gradient).transpose(1, 2)
        if last:
            gradient = gradient.reshape(symbols, a, b, a, b)
            torch.sum(gradient * _entries(first[0]), 3, out=to_last[0])
            to_first[0] = (gradient * last[0].unsqueeze(3)).sum(2).permute(0, 3, 1, 2)
        else:
            to_first[0] = gradient.view_as(to_first[0])
        angles = torch.zeros_like(theta)
        if len(first) > 1:
            rotated = to_first[1:].view_as(ctx.first_rotated)
            generators = torch.bmm(ctx.first_rotated.mT, rotated).view(*theta.shape[:2], a, a)
            angles[..., :before] = _angles(generators)
            rotated.copy_(torch.bmm(rotated, ctx.early.mT))
            if last:
                rotated = _by_cell(to_last[:-1], theta.shape[1])
                angles[..., before:] = _angles((rotated @ ctx.last_rotated.mT).sum((2, 3)))
                rotated.copy_(ctx.late.mT @ rotated)
        to_blocks = torch.empty_like(blocks)
        _first_half(to_blocks, before, b).copy_(ctx.first_half.backward(to_first))
        if last:
            _last_half(to_blocks, before, a).copy_(ctx.last_half.backward(to_last))
        return to_blocks, angles


def _by_cell(matrices: Tensor, cells: int) -> Tensor:
    """The matrices of :class:`_HalfStages` with an axis of E cells before that of their symbols."""
    by_cell: Tensor = matrices.unflatten(1, (cells, -1))
    return by_cell


def _first_half(blocks: Tensor, before: int, patterns: int) -> Tensor:
    """The neurons onto the first wires, as :class:`_HalfStages` takes them."""
    tables: Tensor = blocks[:, :, :before].unflatten(4, (-1, patterns))
    return tables.permute(0, 2, 4, 1, 3, 5)


def _last_half(blocks: Tensor, before: int, patterns: int) -> Tensor:
    """The neurons onto the last wires, which keep the bits of the first ones."""
    tables: Tensor = blocks[:, :, before:].unflatten(4, (patterns, -1))
    return tables.permute(0, 2, 5, 1, 3, 4)


def _entries(first: Tensor) -> Tensor:
    """Matrices of the first half, to be multiplied entry by entry with those of the last."""
    return first.permute(0, 2, 3, 1).contiguous().unsqueeze(2)


class _HalfStages:
    """The matrices of the neurons onto some neighbouring wires.

    Every entry is a product of one entry of each neuron's block. It is built one neuron after
    another, with all circuits in the innermost axis: operations on long rows are fast.

    Attributes:
        matrices: Shape ``(1 + stages, 2**I, P, 2**n, 2**n)``: for each of P patterns of the other
            wires the matrix of n neurons.
    """

    def __init__(self, tables: Tensor) -> None:
        """Multiplies entry by entry.

        Args:
            tables: ``c`` and then ``s`` of n neurons for each pattern of the other n - 1 of these
                wires, shape ``(2, n, 2**(n-1), 1 + stages, 2**I, P)``.
        """
        self._shape = tables.shape
        wires, circuits = tables.shape[1], tables.shape[3:]
        rows = tables.reshape(2, -1, circuits.numel())
        signed = torch.cat((rows, -rows[1:])).flatten(0, 1)
        entries = signed.index_select(0, _block_entries(wires, tables.device))
        product, *neurons = entries.view(wires, 2 ** (wires + 1), -1).unbind(0)
        self._factors: list[tuple[Tensor, Tensor]] = []
        for wire, neuron in enumerate(neurons, 1):
            done = 2**wire
            # Axes: new bits so far, new bit, old bits so far, old bit and the rest.
            product, neuron = product.view(done, 1, done, -1), neuron.view(done, 2, 1, -1)
            self._factors.append((product, neuron))
            product = product * neuron
        self.matrices = product.view(4**wires, -1).T.contiguous()
        self.matrices = self.matrices.view(*circuits, 2**wires, 2**wires)

    def backward(self, gradient: Tensor) -> Tensor:
        """Gradient of the tables, from that of the matrices."""
        gradient = gradient.view(-1, gradient.shape[-1] ** 2).T.contiguous()
        wires = self._shape[1]
        to_entries = gradient.new_empty(wires, 2 ** (wires + 1), gradient.shape[1])
        for wire in range(wires - 1, 0, -1):
            product, neuron = self._factors[wire - 1]
            done = 2**wire
            gradient = gradient.view(done, 2, done, -1)
            torch.sum(gradient * product, 2, out=to_entries[wire].view(done, 2, -1))
            gradient = (gradient * neuron).sum(1)
        to_entries[0] = gradient.view(to_entries.shape[1:])
        both = to_entries.flatten(0, 1).index_select(0, _table_entries(wires, gradient.device))
        both = both.view(2, 2, -1, to_entries.shape[2])
        to_tables = torch.stack((both[0, 0] + both[0, 1], both[1, 0] - both[1, 1]))
        return to_tables.view(self._shape)


@constant
def _block_entries(wires: int, device: torch.device) -> Tensor:
    """Where to find the entries of n neurons' blocks ``[[c, -s], [s, c]]`` among their tables.

    Returns:
        For each neuron, new bits of the wires before its target, its new and its old bit, and old
        bits of the wires after it, the row among those of c, s and -s, shape ``(n * 2**(n+1),)``.
    """
    kinds = torch.tensor([[0, 2], [1, 0]])[:, :, None]
    patterns = 2 ** (wires - 1)
    rows = []
    for wire in range(wires):
        pattern = torch.arange(patterns).view(2**wire, 1, 1, -1)
        rows.append(((kinds * wires + wire) * patterns + pattern).flatten())
    return torch.cat(rows).to(device)


@constant
def _table_entries(wires: int, device: torch.device) -> Tensor:
    """Which two entries of :func:`_block_entries` hold each c, and which hold each s and -s.

    Returns:
        For c and s, and for the one and the other, a row for each neuron and pattern, shape
        ``(n * 2**(n+1),)``.
    """
    order = _block_entries(wires, torch.device("cpu")).argsort(stable=True)
    cos, sin = order.view(2, -1)
    return torch.cat((cos.view(-1, 2).T.flatten(), sin)).to(device)


def _rotations(theta: Tensor) -> Tensor:
    """The matrices of ``RY(theta)`` on each of n wires.

    Args:
        theta: Shape ``(G, E, n)``.

    Returns:
        Shape ``(G, E, 2**n, 2**n)``.
    """
    half = theta / 2
    cos, sin = half.cos(), half.sin()
    stages, cells, wires = theta.shape
    factors = torch.stack((cos, -sin, sin, cos), 2).view(stages * cells, -1)
    factors = factors.index_select(1, _factor_entries(wires, theta.device))
    product = factors.view(stages, cells, wires, -1).prod(2)
    return product.view(stages, cells, 2**wires, 2**wires)


@constant
def _factor_entries(wires: int, device: torch.device) -> Tensor:
    """Which entry of each wire's rotation is a factor of each entry of their product.

    Returns:
        ``entry * n + wire``, shape ``(n * 4**n,)``.
    """
    bits = torch.arange(2**wires) >> torch.arange(wires).flip(0)[:, None] & 1
    entries = 2 * bits[:, :, None] + bits[:, None, :]
    return (entries * wires + torch.arange(wires)[:, None, None]).flatten().to(device)


def _angles(gradient: Tensor) -> Tensor:
    """Gradients of the angles, from those of the generators that act on the rotated matrices."""
    wires = gradient.shape[-1].bit_length() - 1
    angles: Tensor = gradient.flatten(-2) @ _generators(wires, gradient.dtype, gradient.device)
    return angles


@constant
def _generators(wires: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """``RY(pi) / 2`` on each of n wires, as columns, shape ``(4**n, n)``.

    The derivative of ``RY(theta)`` is ``RY(theta) @ RY(pi) / 2``.
    """
    half = torch.tensor([[0, -0.5], [0.5, 0]], dtype=dtype, device=device)
    columns = []
    for wire in range(wires):
        before, after = (
            torch.eye(2**count, dtype=dtype, device=device) for count in (wire, wires - 1 - wire)
        )
        columns.append(torch.kron(torch.kron(before, half), after).flatten())
    return torch.stack(columns, 1)
