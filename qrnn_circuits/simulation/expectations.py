"""What is expected of the lane along real sequences of which no step is read.

Features set the gates of all steps before any state is known, so that the blocks of all gates are
evaluated at once, and only products of blocks and amplitudes follow one another.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.cells.feature_blocks import WorkspaceRotations
from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.tracing import full_precision, is_joint, is_of_many, is_traced


def feature_states(
    cell: FeatureQRNNCell, inputs: Tensor, state: Tensor, *, last: bool = False
) -> Tensor:
    """Runs sequences without reading any step; differentiable.

    Args:
        cell: The cell.
        inputs: Features, shape ``(T, B, F)``, of the type in which all is computed.
        state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``, of that type.
        last: Whether nothing but the state after the last step is asked for.

    Returns:
        Normalised workspace amplitudes after each step, given that every ancilla has read 0, shape
        ``(T, B, 2**W)``, or ``(1, B, 2**W)`` after the last one.
    """
    rotations = cell.rotations_at(inputs.flatten(0, 1))
    states = _run(rotations, cell.theta.to(inputs.dtype), state.T, len(inputs))
    states = (states[-1:] if last else states).transpose(1, 2)
    # Where all gates keep the norm too: rounding adds up, in states and in gradients along them.
    norms: Tensor = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return states / norms


def _run(rotations: WorkspaceRotations, theta: Tensor, state: Tensor, steps: int) -> Tensor:
    """The states after all steps, of neurons at the first step of each sequence, the next, ..."""

    def by_step(tensor: Tensor) -> Tensor:
        wires = theta.shape[1]
        each: Tensor = tensor.unflatten(2, (steps, -1)).unflatten(0, (-1, wires))
        return each.movedim(3, 0)

    norms = None if rotations.norms is None else by_step(rotations.norms)
    gates = by_step(rotations.angles), norms, theta[..., None]
    if is_traced() and not is_joint():
        return _recorded(*gates, state)
    keep = torch.is_grad_enabled()
    states: Tensor = _Recurrence.apply(*gates, state, keep)[0]  # type: ignore[no-untyped-call]
    return states


def _recorded(angles: Tensor, norms: Tensor | None, theta: Tensor, state: Tensor) -> Tensor:
    """The states of :class:`_Recurrence` by PyTorch's own operations, of any derivatives."""
    states = []
    # Without work stages theta is empty, and has a gradient as every parameter has.
    half = angles / 2 if len(theta) else angles / 2 + theta.sum()
    for step, of_neurons in enumerate(half):
        for stage, of_stage in enumerate(of_neurons):
            for wire, angle in enumerate(theta[stage - 1] / 2) if stage else ():
                state = _turned(state, angle.cos()[None], angle.sin()[None], wire)
            for wire, angle in enumerate(of_stage):
                norm = 1 if norms is None else norms[step, stage, wire]
                state = _turned(state, norm * angle.cos(), norm * angle.sin(), wire)
        if norms is not None:
            state = state / torch.linalg.vector_norm(state.detach(), dim=0, keepdim=True)
        states.append(state)
    return torch.stack(states)


def _turned(state: Tensor, cos: Tensor, sin: Tensor, wire: int) -> Tensor:
    """Applies a gate with a block for each pattern of the other wires, or one for all."""
    zero, one = (part.flatten(0, 1) for part in _on_wire(state, wire).unbind(1))
    parts = cos * zero - sin * one, sin * zero + cos * one
    return torch.stack([part.unflatten(0, (2**wire, -1)) for part in parts], 1).flatten(0, 2)


def _on_wire(states: Tensor, wire: int, dim: int = 0) -> Tensor:
    """A view with dimensions of the wires before a wire, of itself and of those after it."""
    paired: Tensor = states.unflatten(dim, (2**wire, 2, -1))
    return paired


class _Recurrence(torch.autograd.Function):
    """States after each step, divided by norms that count as constants where there are any.

    A rotation of the first wire commutes with those that stand between it and the neuron onto that
    wire; one of the last wire follows the neuron onto it. Both are taken into these neurons.

    In shapes, ``...`` are the sequences, ``(B,)`` or those of each network, ``(E, B)``. They come
    last, so that an operation runs over numbers that lie side by side.
    """

    @staticmethod
    def forward(
        angles: Tensor, norms: Tensor | None, theta: Tensor, state: Tensor, keep: bool
    ) -> tuple[Tensor, ...]:
        """Runs the gates.

        Args:
            angles: ``a`` of the neurons, whose blocks are
                ``r [[cos(a/2), -sin(a/2)], [sin(a/2), cos(a/2)]]``, shape
                ``(T, 1 + stages, W, 2**(W-1), ...)``.
            norms: ``r`` of the neurons, of that shape, if they are not all 1.
            theta: ``a`` of the rotations, shape ``(stages, W, 1)``, or ``(stages, W, E, 1)``.
            state: Shape ``(2**W, ...)``.
            keep: Whether there will be a backward pass.

        Returns:
            The states, ``(T, 2**W, ...)``; the norms that they had, ``(T, 1, ...)``; the blocks of
            neurons, ``(2, 2, T, 1 + stages, W, 2**(W-1), ...)``, and those of rotations,
            ``(2, 2, 1, stages, W - 2, 1, ...)``; and with norms, for a backward pass, the states
            after each gate, ``(T, G, 2**W, ...)``: gates of norm 1 can be undone instead. There, as
            below, rotations of the first and the last wire have a place too, which is not used.
        """
        steps, stages, wires, half, *batch = angles.shape
        kept = steps if keep else 1
        blocks = state.new_empty(2, 2, kept, stages, wires, half, *batch)
        turns = state.new_empty(2, 2, 1, stages - 1, wires - 2, 1, *theta.shape[2:])
        places = _places(stages, wires)
        count = places[-1] + 1 if keep and norms is not None else 0
        after = state.new_zeros(kept, count, 2 * half, *batch)
        states = state.new_empty(steps, 2 * half, *batch)
        lengths = state.new_ones(steps, 1, *batch)
        taken_in = _taken_in(theta)
        half_angles = state.new_empty(stages, wires, half, *batch)
        _fill(turns[:, :, 0], theta[:, 1:-1, None] / 2, None)
        gates = _gates(blocks, turns, 1)
        # A gate reads the one and writes the other.
        current, other = (_Buffer(each, wires) for each in state.new_empty(2, 1, 2 * half, *batch))
        current.states.copy_(state)
        # Step by step, so that what a gate needs is still in the processor's cache.
        for step in range(steps):
            at = step if keep else 0
            # Cosines of numbers that lie side by side are faster.
            torch.add(taken_in, angles[step], alpha=0.5, out=half_angles)
            _fill(blocks[:, :, at], half_angles, None if norms is None else norms[step])
            for place, (first, second) in zip(places, gates[at], strict=True):
                zero, one = current.halves[place % wires]
                out = other.pairs[place % wires]
                torch.mul(zero, first, out=out)
                out.addcmul_(one, second)
                current, other = other, current
                if count:
                    after[step, place] = current.states[0]
            if norms is not None:
                torch.linalg.vector_norm(current.states[0], dim=0, keepdim=True, out=lengths[step])
                current.states /= lengths[step]
            states[step] = current.states[0]
        return states, lengths, blocks, turns, after

    @staticmethod
    def setup_context(
        ctx: Any,  # noqa: ANN401
        inputs: tuple[Any, ...],
        output: tuple[Tensor, ...],
    ) -> None:
        ctx.mark_non_differentiable(*output[1:])
        # Zeros in place of gradients of what has none would be large.
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:4], *output)

    @staticmethod
    def vmap(
        info: Any,  # noqa: ANN401
        in_dims: tuple[int | None, ...],
        angles: Tensor,
        norms: Tensor | None,
        theta: Tensor,
        state: Tensor,
        keep: bool,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Takes the sequences of all networks together."""

        def each(tensor: Tensor, dim: int | None, place: int) -> Tensor:
            """With a dimension of the networks."""
            if dim is not None:
                return tensor.movedim(dim, place)
            sizes = tensor.shape[:place], tensor.shape[place:]
            return tensor.unsqueeze(place).expand(*sizes[0], info.batch_size, *sizes[1])

        found = _Recurrence.apply(  # type: ignore[no-untyped-call]
            each(angles, in_dims[0], 4),
            None if norms is None else each(norms, in_dims[1], 4),
            each(theta, in_dims[2], 2),
            each(state, in_dims[3], 1),
            keep,
        )
        return found, (2, 2, 6, 6, 3)

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        gradient: Tensor | None,
        *_: None,
    ) -> tuple[Tensor | None, ...]:
        if gradient is None:
            return None, None, None, None, None
        with full_precision(gradient.device):
            # Within a backward pass, only create_graph=True turns this on.
            if torch.is_grad_enabled() or is_of_many(gradient):
                return _Recurrence._recorded_backward(ctx, gradient)
            return _Recurrence._backward(ctx, gradient)

    @staticmethod
    def _recorded_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """The same by PyTorch's own operations, of states that are computed once more."""
        inputs = ctx.saved_tensors[:4]
        needed = ctx.needs_input_grad[:4]
        asked = [each for each, need in zip(inputs, needed, strict=True) if need]
        keep = torch.is_grad_enabled()
        with torch.enable_grad():
            states = _recorded(*inputs)
        if not states.requires_grad:
            return None, None, None, None, None
        found = iter(torch.autograd.grad(states, asked, gradient, create_graph=keep))
        return (*(next(found) if need else None for need in needed), None)

    @staticmethod
    def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        angles, norms, theta, _, states, lengths, blocks, turns, after = ctx.saved_tensors
        steps, stages, wires, half, *batch = angles.shape
        gates = _gates(blocks, turns, 0)
        rounds = 2 * stages - 1
        # Of a step, the gradients in the state before its first gate and after each; and where
        # norms are 1 these states, since a transposed block also undoes its gate.
        both = 2 if norms is None else 1
        trail = gradient.new_zeros(rounds * wires + 1, both, 2 * half, *batch)
        moves = []
        for before, behind in pairwise((-1, *_places(stages, wires))):
            wire = behind % wires
            zeros, ones = _on_wire(trail[behind + 1], wire, 1).tensor_split(2, 2)
            moves.append((zeros, ones, _on_wire(trail[before + 1], wire, 1)))
        to_angles = torch.empty_like(angles)
        to_norms = None if norms is None else torch.empty_like(norms)
        to_turns = gradient.new_zeros(stages - 1, wires - 2, half, *batch)
        # Input stage, rotations and neurons of the first work stage, ...
        products = gradient.new_empty(rounds, wires, half, *batch)
        each_product = _by_wire(products)
        each_gradient = _halves(trail[1:, 0], wires)
        each_state = _halves(trail[1:, -1], wires)
        for step in range(steps - 1, -1, -1):
            torch.add(trail[0, 0], gradient[step], out=trail[-1, 0])
            if norms is None:
                trail[-1, 1] = states[step]
            else:
                trail[-1, 0] /= lengths[step]
                each_state = _halves(after[step], wires)
            back = zip(reversed(moves), reversed(gates[step]), strict=True)
            for (zeros, ones, out), (first, second) in back:
                torch.mul(zeros, first, out=out)
                out.addcmul_(ones, second)
            each = list(zip(each_product, each_state, each_gradient, strict=True))
            for product, (zero, one), (to_zero, to_one) in each:
                torch.mul(zero, to_one, out=product)
                product.addcmul_(one, to_zero, value=-1)
            torch.mul(products[::2], 0.5, out=to_angles[step])
            to_turns += products[1::2, 1:-1]
            if to_norms is not None:
                for product, (zero, one), (to_zero, to_one) in each:
                    torch.mul(zero, to_zero, out=product)
                    product.addcmul_(one, to_one)
                torch.div(products[::2], norms[step], out=to_norms[step])
        to_theta = torch.empty_like(theta)
        to_theta[:, 1:-1] = to_turns.sum(2).sum_to_size(theta[:, 1:-1].shape) / 2
        takers = {0: to_angles[:, 1:, 0], -1: to_angles[:, :-1, -1]}
        for wire, of_takers in takers.items():
            to_theta[:, wire] = of_takers.sum((0, 2)).sum_to_size(theta[:, wire].shape)
        return to_angles, to_norms, to_theta, trail[0, 0], None


def _fill(blocks: Tensor, half_angles: Tensor, norms: Tensor | None) -> None:
    """Writes the blocks of gates, ``(2, 2, S, W, 2**(W-1), ...)``, of angles without the 2 by 2."""
    torch.cos(half_angles, out=blocks[0, 0])
    torch.sin(half_angles, out=blocks[1, 0])
    if norms is not None:
        blocks[:, 0] *= norms
    torch.neg(blocks[1, 0], out=blocks[0, 1])
    blocks[1, 1] = blocks[0, 0]


def _taken_in(theta: Tensor) -> Tensor:
    """What rotations of a neuron's wire add to half of its angle, ``(1 + stages, W, 1, ...)``."""
    found = theta.new_zeros(len(theta) + 1, *theta.shape[1:])
    found[1:, 0] += theta[:, 0] / 2
    found[:-1, -1] += theta[:, -1] / 2
    return found[:, :, None]


def _gates(blocks: Tensor, turns: Tensor, dim: int) -> list[list[tuple[Tensor, Tensor]]]:
    """The first and the second row or column of the blocks of all gates of each step, in order.

    Args:
        blocks: Of neurons, shape ``(2, 2, T, 1 + stages, W, 2**(W-1), ...)``.
        turns: Of rotations, shape ``(2, 2, 1, stages, W - 2, 1, ...)``.
        dim: 0 for rows, 1 for columns.
    """
    stages = blocks.shape[3]

    def by_wire(blocks: Tensor, first: int) -> list[tuple[tuple[Tensor, Tensor], ...]]:
        found = []
        for wire, own in enumerate(blocks.flatten(2, 3).unbind(3), first):
            parts = own.unflatten(3, (2**wire, -1)).movedim(2, 0).unbind(dim + 1)
            found.append(zip(*(part.movedim(1, 2).unbind() for part in parts), strict=True))
        return list(zip(*found, strict=True)) or [()] * (stages - 1)

    neurons = by_wire(blocks, 0)
    rotations = by_wire(turns.expand(-1, -1, -1, -1, -1, *blocks.shape[5:]), 1)
    starts = range(0, len(neurons), stages)
    return [_each_gate(neurons[start : start + stages], rotations) for start in starts]


def _places(stages: int, wires: int) -> list[int]:
    """Where the gates of a step are among all neurons and rotations, of which each round has W."""
    inner, rounds = range(1, wires - 1), range(2 * stages - 1)
    return [r * wires + wire for r in rounds for wire in (inner if r % 2 else range(wires))]


def _each_wire(gates: Tensor) -> list[Tensor]:
    """For each wire what belongs to its gates, of all neurons and rotations ``(G / W, W, ...)``."""
    inner = gates[:, 1:-1].unbind(1)
    return [gates[::2, 0], *inner, gates[::2, -1]]


def _by_wire(gates: Tensor) -> list[Tensor]:
    """Views, for each wire, of what belongs to each pattern of the other wires."""
    return [own.unflatten(1, (2**wire, -1)) for wire, own in enumerate(_each_wire(gates))]


def _halves(states: Tensor, wires: int) -> list[tuple[Tensor, Tensor]]:
    """For each wire, of the states after its gates, the amplitudes with it in 0 and in 1."""
    each = _each_wire(states.unflatten(0, (-1, wires)))
    pairs = [_on_wire(own, wire, 1) for wire, own in enumerate(each)]
    return [(own.select(2, 0), own.select(2, 1)) for own in pairs]


def _each_gate(neurons: Sequence[Sequence[Any]], rotations: Sequence[Sequence[Any]]) -> list[Any]:
    """In the order of the gates what belongs to the neurons and rotations of each stage."""
    found = list(neurons[0])
    for of_rotations, of_neurons in zip(rotations, neurons[1:], strict=True):
        found += [*of_rotations, *of_neurons]
    return found


class _Buffer:
    """Some states of the workspace, with views by each wire.

    Attributes:
        states: Shape ``(N, 2**W, ...)``.
        pairs: For each wire, shape ``(N, 2**w, 2, 2**(W-1-w), ...)``.
        halves: Of each wire the amplitudes with it in 0 and those with it in 1, of that shape.
    """

    def __init__(self, states: Tensor, wires: int) -> None:
        self.states = states
        self.pairs = [_on_wire(states, wire, 1) for wire in range(wires)]
        self.halves = [pairs.tensor_split(2, 2) for pairs in self.pairs]
