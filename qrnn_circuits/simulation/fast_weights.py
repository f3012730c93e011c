"""Circuits of which every step has angles of its own, as a fast-weight programmer sets them."""

from math import pi
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.simulation.variational import (
    apply_cnots,
    product_amplitudes,
    ry_amplitudes,
    turn_wire,
    z_signs,
)
from qrnn_circuits.tracing import full_precision, is_traced

# That are held at once: each gate keeps some copies of them for the backward pass.
_MOST_AMPLITUDES = 2**20


def brick_pairs(wires: int) -> list[tuple[int, int]]:
    """Control and target of each CNOT of an entangling layer: neighbours, even ones first."""
    return [(wire, wire + 1) for start in (0, 1) for wire in range(start, wires - 1, 2)]


def programmed_expectations(features: Tensor, angles: Tensor) -> Tensor:
    """Runs one circuit for each row; differentiable.

    H on each wire and RY of the features on the first ones, and in each layer the CNOTs of
    :func:`brick_pairs` and RY of each wire. All amplitudes are real. The states of many rows are
    made some after some, and once more for gradients.

    Args:
        features: Shape ``(..., F)``, for at most n features.
        angles: Shape ``(..., depth, n)``.

    Returns:
        The expectation of Z on each wire, shape ``(..., n)``.
    """
    rows = max(1, _MOST_AMPLITUDES >> angles.shape[-1])
    if is_traced() or features[..., 0].numel() <= rows:
        return _expectations(features, angles)
    flat = features.flatten(0, -2), angles.flatten(0, -3)
    found: Tensor = _InParts.apply(*flat, rows)  # type: ignore[no-untyped-call]
    return found.view(*features.shape[:-1], -1)


class _InParts(torch.autograd.Function):
    """As :func:`_expectations` of some rows after some; keeps no state for the backward pass."""

    @staticmethod
    def forward(features: Tensor, angles: Tensor, rows: int) -> Tensor:
        parts = zip(features.split(rows), angles.split(rows), strict=True)
        return torch.cat([_expectations(*part) for part in parts])

    @staticmethod
    def setup_context(
        ctx: Any,  # noqa: ANN401
        inputs: tuple[Tensor, Tensor, int],
        output: Tensor,
    ) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.rows = inputs[2]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        # Only create_graph=True turns this on: what follows then has a history.
        again = torch.is_grad_enabled()
        needed = ctx.needs_input_grad[:2]
        split = (each.split(ctx.rows) for each in (*ctx.saved_tensors, gradient))
        found = []
        with torch.enable_grad(), full_precision(gradient.device):
            for *part, outer in zip(*split, strict=True):
                if not again:
                    part = [e.detach().requires_grad_(n) for e, n in zip(part, needed, strict=True)]
                asked = [each for each, need in zip(part, needed, strict=True) if need]
                expected = _expectations(*part)
                found.append(torch.autograd.grad(expected, asked, outer, create_graph=again))
        gradients = (torch.cat(each) for each in zip(*found, strict=True))
        return (*(next(gradients) if need else None for need in needed), None)


def _expectations(features: Tensor, angles: Tensor) -> Tensor:
    """As :func:`programmed_expectations`, of all rows at once."""
    wires = angles.shape[-1]
    padded = torch.nn.functional.pad(features, (0, wires - features.shape[-1]))
    # H|0> is RY(pi/2)|0>.
    states = product_amplitudes(ry_amplitudes(padded + pi / 2))
    cos, sin = (angles / 2).cos(), (angles / 2).sin()
    gates = torch.stack((cos, -sin, sin, cos), -1).unflatten(-1, (2, 2))
    for layer in range(angles.shape[-2]):
        states = apply_cnots(states, brick_pairs(wires), wires)
        for wire in range(wires):
            states = turn_wire(states, gates[..., layer, wire, :, :], wire)
    return states.square() @ z_signs(wires, states)
