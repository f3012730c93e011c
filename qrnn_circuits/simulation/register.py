"""Recurrent circuits on a register that is reset in part, by density matrices of what is kept."""

from math import isqrt
from typing import NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.simulation.variational import (
    product_amplitudes,
    ry_amplitudes,
    turn_wire,
    z_signs,
)
from qrnn_circuits.tracing import is_open


class RegisterSizes(NamedTuple):
    """The wires of a recurrent circuit, which have roles: the first take in features.

    Attributes:
        inputs: Number F of wires that take in features.
        memory: Number M of wires that are kept from step to step.
        staggered: Whether the roles move on by F wires at each step, so that each wire is reset
            in turn, rather than the same ones.
    """

    inputs: int
    memory: int
    staggered: bool

    @property
    def wires(self) -> int:
        """Number n of wires."""
        return self.inputs + self.memory

    def places(self, step: int) -> list[int]:
        """The wire that has each role at a step, counted from 0."""
        shift = step * self.inputs if self.staggered else 0
        return [(role + shift) % self.wires for role in range(self.wires)]


def coupled_pairs(wires: int) -> list[tuple[int, int]]:
    """The neighbours on a ring of wires, which RZZ couples."""
    if wires == 2:
        return [(0, 1)]
    return [(wire, (wire + 1) % wires) for wire in range(wires)] if wires > 2 else []


def encoding_angles(features: Tensor) -> Tensor:
    """The angles of RY that encode features, ``pi * x``: from 0 to pi for features in [0, 1]."""
    return torch.pi * features


def block_states(states: Tensor, rotations: Tensor, couplings: Tensor) -> Tensor:
    """Applies the block that all steps share.

    ``RX(gamma) RZ(beta) RX(alpha)`` of every wire, and for each layer RZZ of neighbours on a ring
    and the rotations once more.

    Args:
        states: Complex amplitudes, shape ``(..., 2**n)``.
        rotations: Angles, shape ``(depth + 1, n, 3)``.
        couplings: Angles, shape ``(depth, pairs)``.
    """
    wires = rotations.shape[1]
    signs = z_signs(wires, rotations)
    pairs = coupled_pairs(wires)
    products = [signs[:, one] * signs[:, other] for one, other in pairs]
    for layer, of_wires in enumerate(_turns(rotations)):
        if layer and pairs:
            phases = couplings[layer - 1] / -2 @ torch.stack(products)
            states = states * torch.complex(phases.cos(), phases.sin())
        for wire, gate in enumerate(of_wires):
            states = turn_wire(states, gate, wire)
    return states


def _turns(angles: Tensor) -> Tensor:
    """``RX(gamma) RZ(beta) RX(alpha)``, shape ``(..., 2, 2)``."""
    cos, sin = (angles / 2).cos(), (angles / 2).sin()
    zeros = torch.zeros_like(cos)
    real = torch.stack((cos, zeros, zeros, cos), -1)
    around_x = torch.complex(real, torch.stack((zeros, -sin, -sin, zeros), -1))
    around_z = torch.complex(real, torch.stack((-sin, zeros, zeros, sin), -1))
    shape = (*angles.shape[:-1], 2, 2)
    first, middle, last = around_x[..., 0, :], around_z[..., 1, :], around_x[..., 2, :]
    return last.view(shape) @ middle.view(shape) @ first.view(shape)


def register_states(
    sizes: RegisterSizes,
    rotations: Tensor,
    couplings: Tensor,
    inputs: Tensor,
    state: Tensor,
    *,
    last: bool = False,
) -> tuple[Tensor, Tensor]:
    """Runs sequences; differentiable.

    Args:
        sizes: The wires.
        rotations: Of the block, shape ``(depth + 1, n, 3)``.
        couplings: Of the block, shape ``(depth, pairs)``.
        inputs: Features, shape ``(T, B, F)``.
        state: To start from, shape ``(B, 4**M)``, see :func:`packed`.
        last: Whether nothing but what belongs to the last step is asked for.

    Returns:
        The populations of the wires, in the order of their roles, just before wires are reset,
        shape ``(T, B, 2**n)``; and the states after each step of the wires that are kept,
        ``(T, B, 4**M)``. Or those of the last step, ``(1, ...)``.
    """
    order = torch.arange(1 << sizes.wires, device=inputs.device).view([2] * sizes.wires)
    # Roles of the next step: what takes in its features is traced out.
    order = order.permute(sizes.places(1)).flatten()
    kept, size = 1 << sizes.memory, 1 << sizes.inputs
    density = unpacked(state)
    encoded = product_amplitudes(ry_amplitudes(encoding_angles(inputs))).to(density.dtype)
    # The block acts on the features of all steps, or once on all that they may be made of.
    few = not is_open(state.shape[0]) and inputs.shape[0] * state.shape[0] < size
    basis = encoded if few else torch.eye(size, dtype=density.dtype, device=inputs.device)
    memory = torch.eye(kept, dtype=density.dtype, device=inputs.device)
    beside = (basis[..., None, :, None] * memory[:, None]).flatten(-2)
    blocks = block_states(beside, rotations, couplings)[..., order]
    populations, states = [], []
    for step, features in enumerate(encoded):
        # Of each basis state of the kept wires, what the block makes of it beside the features.
        amplitudes = (
            blocks[step] if few else (features @ blocks.flatten(1)).unflatten(1, (kept, -1))
        )
        mixed = density.mT @ amplitudes
        asked = not last or step == len(encoded) - 1
        if asked:
            populations.append((mixed * amplitudes.conj()).real.sum(1))
        left, right = (each.view(each.shape[0], len(order), kept) for each in (mixed, amplitudes))
        density = left.mT @ right.conj()
        if asked:
            states.append(packed(density))
    # The block is unitary to rounding, which adds up along sequences: both have the trace of then.
    found = torch.stack(populations)[..., order.argsort()]
    trace = found.sum(-1, keepdim=True)
    return found / trace, torch.stack(states) / trace


def packed(density: Tensor) -> Tensor:
    """Density matrices ``(..., N, N)`` as real numbers ``(..., N**2)``: the sum of both parts.

    The real part is symmetric and the imaginary one antisymmetric, so that neither is lost.
    """
    return (density.real + density.imag).flatten(-2)


def unpacked(state: Tensor) -> Tensor:
    """The density matrices ``(..., N, N)`` of real numbers ``(..., N**2)``."""
    # An integer also where torch.jit.trace has sizes as tensors.
    side = isqrt(int(state.shape[-1]))
    square = state.unflatten(-1, (side, side))
    return torch.complex((square + square.mT) / 2, (square - square.mT) / 2)
