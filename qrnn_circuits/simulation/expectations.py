"""What is expected of the lane along real sequences of which no step is read.

Features set the gates of all steps before any state is known, so that the matrices of all steps are
built at once, and only products of matrices and states follow one another.
"""

from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.gates import WorkspaceStages
from qrnn_circuits.neuron import apply_blocks
from qrnn_circuits.simulation.transfer.operators import transfer_operators
from qrnn_circuits.tracing import first_derivative, is_traced

# Up to so many entries in the matrices of all steps; beyond, gates act on states one by one.
MOST_ENTRIES = 2**24


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
    steps, (batch, size) = len(inputs), state.shape
    stages, _ = cell.stages_at(inputs.flatten(0, 1))
    unitary = cell.order == 0 or cell.semantics == "unitary"
    if is_traced() or steps * batch * size * size > MOST_ENTRIES:
        states: Tensor = _gate_by_gate(stages, state, steps, unitary=unitary)
    else:
        operators = transfer_operators(stages, steps * batch).view(steps, batch, size, size)
        states = _Recurrence.apply(operators, state, unitary)  # type: ignore[no-untyped-call]
    if not unitary:
        states = states / torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return states


def _gate_by_gate(stages: WorkspaceStages, state: Tensor, steps: int, *, unitary: bool) -> Tensor:
    """As :class:`_Recurrence`, by PyTorch's own operations."""
    states = []
    state = state.T
    blocks = stages.blocks.unflatten(3, (steps, -1))
    for step in range(steps):
        for gate in WorkspaceStages(blocks[:, :, :, step], stages.theta):
            state = apply_blocks(state, gate.cos.T, gate.sin.T, gate.target)
        if not unitary:
            state = state / torch.linalg.vector_norm(state.detach(), dim=0)
        states.append(state.T)
    return torch.stack(states)


class _Recurrence(torch.autograd.Function):
    """States after each step, divided by norms that count as constants where there are any.

    The gradients of all operators are one product, where torch would record one for each step.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        operators: Tensor,
        state: Tensor,
        unitary: bool,
    ) -> Tensor:
        states = state.new_empty(len(operators), *state.shape)
        norms = state.new_ones(len(operators), len(state), 1)
        before = state
        for operator, after, norm in zip(operators, states, norms, strict=True):
            torch.bmm(operator, before[:, :, None], out=after[:, :, None])
            if not unitary:
                torch.linalg.vector_norm(after, dim=1, keepdim=True, out=norm)
                after /= norm
            before = after
        ctx.save_for_backward(operators, state, states, norms)
        ctx.unitary = unitary
        return states

    @staticmethod
    @first_derivative
    def backward(
        ctx: Any,  # noqa: ANN401
        gradient: Tensor,
    ) -> tuple[Tensor, Tensor, None]:
        operators, state, states, norms = ctx.saved_tensors
        scaled = gradient.clone()
        carried = torch.zeros_like(state)
        for step in range(len(operators) - 1, -1, -1):
            scaled[step] += carried
            if not ctx.unitary:
                scaled[step] /= norms[step]
            carried = torch.bmm(scaled[step][:, None], operators[step])[:, 0]
        before = torch.cat((state[None], states[:-1]))
        return scaled[..., None] * before[:, :, None], carried, None
