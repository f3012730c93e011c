"""Circuits of which every step has angles of its own, as a fast-weight programmer sets them."""

from math import pi

import torch
from torch import Tensor

from qrnn_circuits.simulation.variational import (
    apply_cnots,
    product_amplitudes,
    ry_amplitudes,
    turn_wire,
    z_signs,
)


def brick_pairs(wires: int) -> list[tuple[int, int]]:
    """Control and target of each CNOT of an entangling layer: neighbours, even ones first."""
    return [(wire, wire + 1) for start in (0, 1) for wire in range(start, wires - 1, 2)]


def programmed_expectations(features: Tensor, angles: Tensor) -> Tensor:
    """Runs one circuit for each row; differentiable.

    H on each wire and RY of the features on the first ones, and in each layer the CNOTs of
    :func:`brick_pairs` and RY of each wire. All amplitudes are real.

    Args:
        features: Shape ``(..., F)``, for at most n features.
        angles: Shape ``(..., depth, n)``.

    Returns:
        The expectation of Z on each wire, shape ``(..., n)``.
    """
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
