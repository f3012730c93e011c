"""What is expected of the lane along real sequences of which no step is read.

Features set the gates of all steps before any state is known, so that the blocks of all gates are
evaluated at once, and only products of blocks and amplitudes follow one another.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.cells.feature_blocks import WorkspaceRotations
from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.tracing import full_precision, is_joint, is_traced


def feature_states(cell: FeatureQRNNCell, inputs: Tensor, state: Tensor) -> Tensor:
    """Runs sequences without reading any step; differentiable.

    Args:
        cell: The cell.
        inputs: Features, shape ``(T, B, F)``.
        state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``.

    Returns:
        Normalised workspace amplitudes after each step, given that every ancilla has read 0, shape
        ``(T, B, 2**W)``.
    """
    rotations = cell.rotations_at(inputs.transpose(0, 1).flatten(0, 1))
    states = _run(rotations, cell.theta / 2, state, len(inputs))
    if rotations.norms is not None:
        states = states / torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return states


def _run(rotations: WorkspaceRotations, half_theta: Tensor, state: Tensor, steps: int) -> Tensor:
    """The states after all steps, of neurons at each step of the first sequence, the next, ..."""

    def by_step(tensor: Tensor) -> Tensor:
        wires = half_theta.shape[1]
        each: Tensor = tensor.unflatten(1, (-1, steps)).unflatten(0, (-1, wires))
        return each.permute(3, 0, 1, 2, 4)

    norms = None if rotations.norms is None else by_step(rotations.norms)
    gates = by_step(rotations.half_angles), norms, half_theta[..., None]
    if is_traced() and not is_joint():
        return _recorded(*gates, state)
    keep = torch.is_grad_enabled()
    states: Tensor = _Recurrence.apply(*gates, state, keep)[0]  # type: ignore[no-untyped-call]
    return states


def _recorded(
    half_angles: Tensor, norms: Tensor | None, half_theta: Tensor, state: Tensor
) -> Tensor:
    """The states of :class:`_Recurrence` by PyTorch's own operations, of any derivatives."""
    states = []
    for step, of_neurons in enumerate(half_angles):
        for stage, of_stage in enumerate(of_neurons):
            for angle in half_theta[stage - 1, :, :, None] if stage else ():
                state = _turned(state, angle.cos(), angle.sin())
            for wire, angle in enumerate(of_stage):
                norm = 1 if norms is None else norms[step, stage, wire]
                state = _turned(state, norm * angle.cos(), norm * angle.sin())
        if norms is not None:
            state = state / torch.linalg.vector_norm(state.detach(), dim=1, keepdim=True)
        states.append(state)
    return torch.stack(states)


def _turned(state: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Applies a gate to the first wire, which becomes the last."""
    zero, one = state.tensor_split(2, 1)
    return torch.stack((cos * zero - sin * one, sin * zero + cos * one), -1).flatten(1)


class _Recurrence(torch.autograd.Function):
    """States after each step, divided by norms that count as constants where there are any.

    A block ``r [[cos(a), -sin(a)], [sin(a), cos(a)]]`` is a complex number ``r exp(i a)``, and a
    pair of amplitudes another. A gate finds its target as the first wire and leaves it as the last,
    so that the next gate finds its own target first.
    """

    @staticmethod
    def forward(
        half_angles: Tensor, norms: Tensor | None, half_theta: Tensor, state: Tensor, keep: bool
    ) -> tuple[Tensor, ...]:
        """Runs the gates.

        Args:
            half_angles: ``a`` of the neurons, shape ``(T, 1 + stages, W, B, 2**(W-1))``.
            norms: ``r`` of the neurons, of that shape, if they are not all 1.
            half_theta: ``a`` of the rotations, shape ``(stages, W, 1)``, or ``(stages, W, B)``
                where they differ between sequences.
            state: Shape ``(B, 2**W)``.
            keep: Whether there will be a backward pass.

        Returns:
            The states, ``(T, B, 2**W)``; the norms that they had, ``(T, B, 1)``; and, of all gates
            in order, blocks and pairs that came out, each ``(T, G, B, 2**(W-1))``.
        """
        steps, stages, wires, batch, half = half_angles.shape
        count = wires * (2 * stages - 1)
        shape = steps, count, batch, half
        gates = torch.empty(shape, dtype=state.dtype.to_complex(), device=state.device)
        pairs = torch.empty_like(gates if keep else gates[:1])
        half_angles = half_angles.contiguous()
        turns = torch.complex(half_theta.cos(), half_theta.sin())[..., None]
        states = state.new_empty(steps, batch, 2 * half)
        lengths = state.new_ones(steps, batch, 1)
        scratch = torch.empty_like(gates[0, 0])
        zero, one = state.tensor_split(2, 1)
        # Step by step, so that what a gate needs is still in the processor's cache.
        for step in range(steps):
            for of_gates, of_neurons in _neurons(gates[step], half_angles[step]):
                torch.complex(of_neurons.cos(), of_neurons.sin(), out=of_gates)
            for of_gates, of_neurons in () if norms is None else _neurons(gates[step], norms[step]):
                of_gates *= of_neurons
            _rotations(gates[step], stages, wires).copy_(turns)
            own = pairs[step if keep else 0]
            flat = torch.view_as_real(own).flatten(1).view(count, batch, -1)
            halves = [each.unbind() for each in flat.tensor_split(2, -1)]
            each_gate = zip(gates[step].unbind(), own.unbind(), *halves, strict=True)
            for gate, out, next_zero, next_one in each_gate:
                torch.complex(zero, one, out=scratch)
                torch.mul(scratch, gate, out=out)
                zero, one = next_zero, next_one
            state = states[step]
            state.copy_(flat[-1])
            if norms is not None:
                torch.linalg.vector_norm(state, dim=1, keepdim=True, out=lengths[step])
                state /= lengths[step]
            zero, one = state.tensor_split(2, 1)
        return states, lengths, gates, pairs

    @staticmethod
    def setup_context(
        ctx: Any,  # noqa: ANN401
        inputs: tuple[Any, ...],
        output: tuple[Tensor, ...],
    ) -> None:
        half_angles, _, half_theta, *_ = inputs
        ctx.mark_non_differentiable(*output[1:])
        # Zeros in place of gradients of what has none would be large.
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:4], *output[1:])
        ctx.sizes, ctx.by_sequence = half_angles.shape, half_theta.shape[-1] > 1

    @staticmethod
    def vmap(
        info: Any,  # noqa: ANN401
        in_dims: tuple[int | None, ...],
        half_angles: Tensor,
        norms: Tensor | None,
        half_theta: Tensor,
        state: Tensor,
        keep: bool,
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Takes the sequences of all networks as one batch."""
        count = info.batch_size

        def each(tensor: Tensor, dim: int | None, place: int) -> Tensor:
            """With a dimension of the networks."""
            if dim is not None:
                return tensor.movedim(dim, place)
            sizes = tensor.shape[:place], tensor.shape[place:]
            return tensor.unsqueeze(place).expand(*sizes[0], count, *sizes[1])

        half_angles = each(half_angles, in_dims[0], 3)
        batch = half_angles.shape[4]
        if norms is not None:
            norms = each(norms, in_dims[1], 3).flatten(3, 4)
        half_theta = each(half_theta, in_dims[2], 2).expand(-1, -1, -1, batch)
        state = each(state, in_dims[3], 0).flatten(0, 1)
        found = _Recurrence.apply(  # type: ignore[no-untyped-call]
            half_angles.flatten(3, 4), norms, half_theta.flatten(2, 3), state, keep
        )
        dims = (1, 1, 2, 2)
        split = zip(found, dims, strict=True)
        return tuple(tensor.unflatten(dim, (count, batch)) for tensor, dim in split), dims

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
            if torch.is_grad_enabled():
                return _Recurrence._recorded_backward(ctx, gradient)
            return _Recurrence._backward(ctx, gradient)

    @staticmethod
    def _recorded_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """The same with derivatives of its own, of states that are computed once more."""
        inputs = ctx.saved_tensors[:4]
        needed = ctx.needs_input_grad[:4]
        asked = [each for each, need in zip(inputs, needed, strict=True) if need]
        states = _recorded(*inputs)
        # Without work stages no rotation is used.
        found = iter(
            torch.autograd.grad(states, asked, gradient, create_graph=True, allow_unused=True)
        )
        return (*(next(found) if need else None for need in needed), None)

    @staticmethod
    def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        _, norms, _, _, lengths, gates, pairs = ctx.saved_tensors
        steps, count, batch, half = gates.shape
        stages, wires = ctx.sizes[1:3]
        # In the pairs that come out of each gate of a step, and as the next gate pairs them.
        outgoing = torch.empty_like(gates[0])
        each_outgoing = outgoing.unbind()
        amplitudes = torch.view_as_real(outgoing).flatten(2)
        each_pairs = amplitudes.view(count, batch, 2, half).mT.unbind()
        last = amplitudes[-1]
        scratch = torch.empty_like(each_outgoing[0])
        incoming = torch.view_as_real(scratch)
        to_half_angles = gradient.new_empty(steps, stages, wires, batch, half)
        to_norms = None if norms is None else torch.empty_like(to_half_angles)
        to_half_theta = gradient.new_zeros(stages - 1, wires, batch if ctx.by_sequence else 1)
        for step in range(steps - 1, -1, -1):
            if step == steps - 1:
                last.copy_(gradient[step])
            else:
                torch.add(incoming.mT.flatten(1), gradient[step], out=last)
            if norms is not None:
                last.div_(lengths[step])
            each_gate = gates[step].conj_physical().unbind()
            for gate in range(count - 1, -1, -1):
                torch.mul(each_outgoing[gate], each_gate[gate], out=scratch)
                if gate:
                    each_pairs[gate - 1].copy_(incoming)
            # In norm and angle of a gate, whose own factor both contain.
            products = pairs[step].conj_physical().mul_(outgoing)
            for of_gates, of_neurons in _neurons(products, to_half_angles[step]):
                of_neurons.copy_(of_gates.imag)
            if to_norms is not None:
                for of_gates, of_neurons in _neurons(products, to_norms[step]):
                    of_neurons.copy_(of_gates.real)
            of_rotations = _rotations(products, stages, wires).imag.sum(-1)
            to_half_theta += of_rotations if ctx.by_sequence else of_rotations.sum(-1, True)
        if to_norms is not None:
            to_norms /= norms
        return to_half_angles, to_norms, to_half_theta, incoming.mT.flatten(1), None


def _neurons(gates: Tensor, neurons: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of the same entries, of the input stage and then of all work stages.

    Args:
        gates: Of all gates of a step in order, ``(G, B, 2**(W-1))``.
        neurons: Of neurons alone, ``(1 + stages, W, B, 2**(W-1))``.
    """
    stages, wires = neurons.shape[:2]
    yield gates[:wires], neurons[0]
    yield _work_stages(gates, stages, wires)[:, 1], neurons[1:]


def _rotations(gates: Tensor, stages: int, wires: int) -> Tensor:
    """Of all gates of a step in order the rotations, ``(stages, W, B, 2**(W-1))``."""
    return _work_stages(gates, stages, wires)[:, 0]


def _work_stages(gates: Tensor, stages: int, wires: int) -> Tensor:
    """Rotations, and then neurons, of each work stage."""
    each: Tensor = gates[wires:].unflatten(0, (stages - 1, 2, wires))
    return each
