"""The gates of one step as tables: one differentiable function of all neurons' coefficients.

The backward pass is written out: it is a few operations, where torch would record one for each
square, scale and slice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor

from qrnn_circuits.constants import constant
from qrnn_circuits.neuron import Semantics, apply_blocks, block_amplitudes
from qrnn_circuits.numerical_errors import PrecisionError
from qrnn_circuits.polynomial import BooleanPolynomial
from qrnn_circuits.tracing import is_of_many, is_traced


class GateTables(NamedTuple):
    """The blocks ``[[c, -s], [s, c]]`` of all neurons, each neuron's largest of norm 1.

    Attributes:
        blocks: ``c`` and then ``s`` of the neurons onto workspace wires, for each stage, target,
            input symbol and pattern of the other workspace wires, shape
            ``(2, 1 + stages, W, 2**I, 2**(W-1))``; of E cells, those of the first one's symbols
            come before the next one's, ``E * 2**I`` in all.
        readout: Amplitudes of the output stage for each outcome and workspace pattern, shape
            ``(2**I, 2**W)``, or ``(E * 2**I, 2**W)``.
        scales: What the blocks of each neuron were divided by, shape ``(N, 1)`` for
            ``N = W * (1 + stages) + I``, or ``(N, E, 1)``; not differentiable.
    """

    blocks: Tensor
    readout: Tensor
    scales: Tensor


def gate_tables(
    coefficients: Tensor,
    polynomial: BooleanPolynomial,
    *,
    lane: int,
    workspace: int,
    order: int,
    semantics: Semantics,
) -> GateTables:
    """Turns the coefficients of all neurons into tables.

    Args:
        coefficients: Of each neuron in the order in which they act, shape ``(N, P)``; or of E cells
            at once, shape ``(N, E, P)``.
        polynomial: Which gives the angle in radians at each pattern of a neuron's controls, lane
            wires first.
        lane: Number I of lane wires.
        workspace: Number W of workspace wires.
        order: Order of the neurons; with order 0 all scales are 1.
        semantics: ``"postselected"`` or ``"unitary"``.
    """
    options = (lane, workspace, order, semantics)
    if is_traced():
        return _recorded_tables(polynomial.table(coefficients), *options)
    tables = _GateTables.apply(coefficients, polynomial, *options)  # type: ignore[no-untyped-call]
    return GateTables(*tables)


def _recorded_tables(
    angles: Tensor, lane: int, workspace: int, order: int, semantics: Semantics
) -> GateTables:
    """The same of PyTorch's own operations, which have derivatives of any order."""
    blocks = torch.stack(block_amplitudes(angles, order, semantics))
    scales = torch.ones_like(angles[..., :1])
    if order > 0 and semantics == "postselected":
        scales = torch.hypot(blocks[0], blocks[1]).amax(-1, keepdim=True).detach()
        blocks = blocks / scales
    neurons, cells = len(angles) - lane, angles[0, ..., 0].numel()
    tables = blocks[:, :neurons].reshape(2, -1, workspace, cells * 2**lane, 2 ** (workspace - 1))
    rows = _readout_rows(lane, neurons, cells, angles.device)
    factors = blocks.reshape(-1, 2**workspace).index_select(0, rows)
    return GateTables(tables, factors.view(lane, -1, 2**workspace).prod(0), scales)


class _GateTables(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        coefficients: Tensor,
        polynomial: BooleanPolynomial,
        lane: int,
        workspace: int,
        order: int,
        semantics: Semantics,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(coefficients)
        ctx.polynomial, ctx.options = polynomial, (lane, workspace, order, semantics)
        angles = polynomial.table(coefficients)
        unitary = semantics == "unitary"
        half = angles / 2
        roots = torch.stack((half.cos(), half.sin()))
        # The slopes are the derivatives of -c and s by the angle.
        if order == 0:
            blocks, scales = roots, torch.ones_like(half[..., :1])
            ctx.slopes = roots.flip(0).div_(2)
        else:
            # The powers 2**order - 1 and 2**order of both.
            lower, powers = roots, roots * roots
            for _ in range(order - 1):
                lower, powers = lower * powers, powers * powers
            norms = torch.hypot(powers[0], powers[1])
            scales = torch.ones_like(norms[..., :1]) if unitary else norms.amax(-1, keepdim=True)
            blocks = powers.div_(norms if unitary else scales)
            if unitary:
                # From c = cos(f/2) and s = sin(f/2) with tan(f/2) = tan(phi/2)**(2**order).
                steepness = 2 ** (order - 1) * lower[0] * lower[1] / (norms * norms)
                ctx.slopes = blocks.flip(0) * steepness
            else:
                ctx.slopes = roots.flip(0).mul_(lower).mul_(2 ** (order - 1) / scales)

        neurons, cells = len(angles) - lane, angles[0, ..., 0].numel()
        tables = blocks[:, :neurons].view(2, -1, workspace, cells * 2**lane, 2 ** (workspace - 1))
        ctx.rows = _readout_rows(lane, neurons, cells, angles.device)
        factors = blocks.view(-1, 2**workspace).index_select(0, ctx.rows)
        ctx.factors = factors.view(lane, -1, 2**workspace)
        ctx.mark_non_differentiable(scales)
        return tables, ctx.factors.prod(0), scales

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        blocks: Tensor,
        readout: Tensor,
        _: Tensor,
    ) -> tuple[Tensor, None, None, None, None, None]:
        (coefficients,) = ctx.saved_tensors
        again = torch.is_grad_enabled()
        if again or is_of_many(blocks) or is_of_many(readout):
            # Asked for with create_graph=True, for derivatives of this one, or of several at once.
            with torch.enable_grad():
                tables = _recorded_tables(ctx.polynomial.table(coefficients), *ctx.options)
            (gradient,) = torch.autograd.grad(
                tables[:2], coefficients, (blocks, readout), create_graph=again
            )
            return gradient, None, None, None, None, None
        lane, size = len(ctx.factors), ctx.factors.shape[-1]
        gradient = torch.zeros_like(ctx.slopes)
        neurons = gradient.shape[1] - lane
        gradient[:, :neurons].view_as(blocks).copy_(blocks)
        # The product of all factors but one.
        others = ctx.factors.expand(lane, -1, -1, -1).clone()
        others.diagonal().fill_(1)
        to_factors = (readout * others.prod(1)).view(-1, size)
        gradient.view(-1, size).index_add_(0, ctx.rows, to_factors)
        to_cos, to_sin = gradient.mul_(ctx.slopes).unbind(0)
        to_angles = to_sin - to_cos
        if not isfinite(to_angles.sum()):
            raise PrecisionError(
                f"the gradient of the neurons' angles is not finite in {to_angles.dtype}: what is "
                "differentiated is not finite itself, or some outcome is so unlikely that its "
                "gradient leaves the range of the type. Build the network with dtype float64 or of "
                "a lower order"
            )
        return ctx.polynomial.gradient(to_angles), None, None, None, None, None


@constant
def _readout_rows(lane: int, neurons: int, cells: int, device: torch.device) -> Tensor:
    """The rows of the blocks, ``(2 * N * E * 2**(I-1), 2**W)``, whose product is the readout.

    Returns:
        For each lane wire, each of E cells and each outcome, shape ``(I * E * 2**I,)``.
    """
    outcomes, cell = torch.arange(2**lane), torch.arange(cells)[:, None]
    rows = []
    for wire in range(lane):
        # Lane wires before this one hold the outcome so far; those after it still read 0.
        after = lane - 1 - wire
        controls = (outcomes >> (after + 1)) << after
        bit = (outcomes >> after) & 1
        neuron = bit * (neurons + lane) + neurons + wire
        rows.append((((neuron * cells + cell) << (lane - 1)) + controls).flatten())
    return torch.cat(rows).to(device)


class WorkspaceGate(NamedTuple):
    """A rotation block of one workspace wire, as the lane and the other workspace wires set it.

    Attributes:
        target: Position of the target among the workspace wires.
        cos: ``c`` for each input symbol and each pattern of the other workspace wires, shape
            ``(2**I, 2**(W-1))``, or ``(1, 1)`` for a rotation without controls.
        sin: ``s``, of the shape of ``cos``.
    """

    target: int
    cos: Tensor
    sin: Tensor


@dataclass(frozen=True, eq=False)
class WorkspaceStages(Sequence[WorkspaceGate]):
    """The input and work stages of one step: tables of all neurons, and their gates in order.

    Attributes:
        blocks: ``c`` and then ``s`` for each stage, target wire, input symbol and pattern of the
            other workspace wires, shape ``(2, 1 + stages, W, S, 2**(W-1))``. Stage 0 is the input
            stage; S is ``2**I`` unless only some symbols are kept, and times E for E cells.
        theta: Angles of the work stages' own rotations in radians, shape ``(stages, W)``, or
            ``(stages, E, W)``.
    """

    blocks: Tensor
    theta: Tensor

    def of_symbols(self, symbols: Tensor) -> "WorkspaceStages":
        """The same stages for some of the input symbols, int64, shape ``(n,)``."""
        return WorkspaceStages(self.blocks.index_select(3, symbols), self.theta)

    @cached_property
    def gates(self) -> list[WorkspaceGate]:
        """The gates one by one, in the order in which they act."""
        half = self.theta / 2
        # Without work stages theta is empty, and has a gradient as every parameter has.
        blocks = self.blocks if len(half) else self.blocks + half.sum()
        gates = []
        for stage, (cos, sin) in enumerate(zip(*blocks, strict=True)):
            if stage > 0:
                for wire, angle in enumerate(half[stage - 1]):
                    gates.append(
                        WorkspaceGate(wire, angle.cos().reshape(1, 1), angle.sin().reshape(1, 1))
                    )
            for wire, (c, s) in enumerate(zip(cos, sin, strict=True)):
                gates.append(WorkspaceGate(wire, c, s))
        return gates

    def __len__(self) -> int:
        return len(self.gates)

    @overload
    def __getitem__(self, index: int) -> WorkspaceGate: ...
    @overload
    def __getitem__(self, index: slice) -> list[WorkspaceGate]: ...
    def __getitem__(self, index: int | slice) -> WorkspaceGate | list[WorkspaceGate]:
        return self.gates[index]


class StepGates(NamedTuple):
    """All that one step does to the workspace, evaluated at the current parameters.

    Attributes:
        workspace: The input and work stages.
        readout: ``readout[o, x]`` is the amplitude with which the output stage writes outcome o on
            the lane where the workspace reads x, shape ``(2**I, 2**W)``. The output stage is
            diagonal in the workspace, since its neurons only ever use it as controls.
        scales: Positive factors that the amplitudes of the neurons lack, shape ``(N, 1)``: it keeps
            them near 1 where postselection is unlikely.

    Those of E cells at once have the shapes of :class:`GateTables`.
    """

    workspace: WorkspaceStages
    readout: Tensor
    scales: Tensor

    @property
    def cells(self) -> int:
        """Number E of cells."""
        return self.scales[0].numel()

    def first_symbols(self, rows: int) -> Tensor:
        """Number of the first symbol of each sequence's cell among those of all, int64.

        Args:
            rows: Number of sequences, of each cell equally many, those of the first cell first.
        """
        first = torch.arange(self.cells, device=self.readout.device)
        return self.by_row(first * (len(self.readout) // self.cells), rows)

    def by_row(self, values: Tensor, rows: int) -> Tensor:
        """A number for each cell, shape ``(E,)``, as one for each of its sequences."""
        return values if self.cells == 1 else values.repeat_interleave(rows // self.cells)

    @property
    def log_scale(self) -> Tensor:
        """Natural log of the product of all scales, shape ``()``, or ``(E,)``, float64."""
        return self.scales.double().log().sum(0)[..., 0]

    @property
    def readout_log_scale(self) -> Tensor:
        """The output stage's part of :attr:`log_scale`, which steps that are not read lack."""
        # An integer also where torch.jit.trace has sizes as tensors.
        lane = int(len(self.readout) // self.cells).bit_length() - 1
        return self.scales[-lane:].double().log().sum(0)[..., 0]


def apply_workspace_gates(gates: Sequence[WorkspaceGate], state: Tensor, inputs: Tensor) -> Tensor:
    """Applies the gates of the input and work stages to a batch of states.

    Args:
        gates: From :meth:`QRNNCell.step_gates`.
        state: Amplitudes, shape ``(2**W, B)``.
        inputs: The input symbol of each column, int64, shape ``(B,)``.

    Returns:
        The new amplitudes, shape ``(2**W, B)``.
    """
    for gate in gates:
        if gate.cos.shape == (1, 1):
            cos, sin = gate.cos, gate.sin
        else:
            cos = gate.cos.T.index_select(1, inputs)
            sin = gate.sin.T.index_select(1, inputs)
        state = apply_blocks(state, cos, sin, gate.target)
    return state
