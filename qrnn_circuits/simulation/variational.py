"""Variational circuits on states of a few wires, batched: the state of wire 0 varies slowest."""

from collections.abc import Callable
from functools import lru_cache
from math import pi

import torch
from torch import Tensor

from qrnn_circuits.tracing import is_open

Evaluate = Callable[[Tensor], Tensor]
"""From encoded values ``(..., n)`` to the expectation of Z on each wire, of the same shape."""


def encoding_angles(values: Tensor) -> tuple[Tensor, Tensor]:
    """The angles of RY and of RZ that encode values: ``arctan(v)`` and ``arctan(v**2)``."""
    return values.arctan(), values.square().arctan()


def cnot_pairs(wires: int) -> list[tuple[int, int]]:
    """Control and target of each CNOT of an entangling layer, of ranges 1 and 2 on a ring."""
    return [
        (wire, (wire + distance) % wires)
        for distance in (1, 2)
        for wire in range(wires)
        if distance % wires
    ]


def z_signs(wires: int, like: Tensor) -> Tensor:
    """Of each basis state the eigenvalue of Z on each wire, shape ``(2**n, n)``."""
    places = torch.arange(wires - 1, -1, -1, device=like.device)
    bits = torch.arange(1 << wires, device=like.device)[:, None] >> places & 1
    return (1 - 2 * bits).to(like)


def product_amplitudes(factors: Tensor) -> Tensor:
    """The amplitudes ``(..., 2**n)`` of a product of states of one wire, ``(..., n, 2)``."""
    joint = factors[..., 0, :]
    for wire in range(1, factors.shape[-2]):
        joint = (joint[..., :, None] * factors[..., wire, None, :]).flatten(-2)
    return joint


def ry_amplitudes(angles: Tensor) -> Tensor:
    """The amplitudes of ``RY(angle)|0>``, shape ``(..., 2)``."""
    return torch.stack(((angles / 2).cos(), (angles / 2).sin()), -1)


def encoded_states(values: Tensor) -> Tensor:
    """The states that H, RY and RZ make of 0 on each wire, see :func:`encoding_angles`.

    Args:
        values: Shape ``(..., n)``.

    Returns:
        Complex amplitudes, shape ``(..., 2**n)``.
    """
    turned, phases = encoding_angles(values)
    # H|0> is RY(pi/2)|0>.
    amplitudes = product_amplitudes(ry_amplitudes(turned + pi / 2))
    return torch.polar(amplitudes, phases / -2 @ z_signs(values.shape[-1], values).T)


def rotations(angles: Tensor) -> Tensor:
    """The matrices of ``R(alpha, beta, gamma) = RZ(gamma) RY(beta) RZ(alpha)``.

    Args:
        angles: Shape ``(..., 3)``.

    Returns:
        Complex, shape ``(..., 2, 2)``.
    """
    alpha, beta, gamma = angles.unbind(-1)
    cos, sin = (beta / 2).cos(), (beta / 2).sin()
    total, difference = (alpha + gamma) / 2, (alpha - gamma) / 2
    diagonal = torch.complex(cos * total.cos(), -cos * total.sin())
    off = torch.complex(sin * difference.cos(), -sin * difference.sin())
    entries = torch.stack((diagonal, -off.conj(), off, diagonal.conj()), -1)
    return entries.view(*entries.shape[:-1], 2, 2)


def turn_wire(states: Tensor, gates: Tensor, wire: int) -> Tensor:
    """Applies gates to one wire.

    Args:
        states: Amplitudes, shape ``(..., 2**n)``.
        gates: Of the type of the states, shape ``(..., 2, 2)``.
        wire: Its index.
    """
    zero, one = states.unflatten(-1, (1 << wire, 2, -1)).unbind(-2)
    entries = gates[..., None, None]
    first = entries[..., 0, 0, :, :] * zero + entries[..., 0, 1, :, :] * one
    second = entries[..., 1, 0, :, :] * zero + entries[..., 1, 1, :, :] * one
    return torch.stack((first, second), -2).flatten(-3)


@lru_cache(maxsize=64)
def _sources(pairs: tuple[tuple[int, int], ...], wires: int) -> tuple[int, ...]:
    """From where each amplitude comes when CNOTs act one after another."""
    sources = list(range(1 << wires))
    for control, target in pairs:
        on, flip = 1 << wires - 1 - control, 1 << wires - 1 - target
        sources = [sources[k ^ flip if k & on else k] for k in range(1 << wires)]
    return tuple(sources)


def apply_cnots(states: Tensor, pairs: list[tuple[int, int]], wires: int) -> Tensor:
    """Applies CNOTs, pairs of control and target, to states ``(..., 2**n)``."""
    if not pairs:
        return states
    sources = torch.tensor(_sources(tuple(pairs), wires), device=states.device)
    return states.index_select(-1, sources)


def variational_states(states: Tensor, angles: Tensor) -> Tensor:
    """Applies layers of CNOTs (:func:`cnot_pairs`) and of a rotation of each wire.

    Args:
        states: Complex amplitudes, shape ``(..., 2**n)``.
        angles: Shape ``(..., depth, n, 3)``.
    """
    wires = angles.shape[-2]
    gates = rotations(angles)
    for layer in range(angles.shape[-3]):
        states = apply_cnots(states, cnot_pairs(wires), wires)
        for wire in range(wires):
            states = turn_wire(states, gates[..., layer, wire, :, :], wire)
    return states


def variational_circuits(angles: Tensor, samples: int) -> Evaluate:
    """Variational circuits with encoded values, simulated exactly; differentiable.

    Args:
        angles: Of G circuits, shape ``(G, depth, n, 3)``.
        samples: About how many states each circuit will act on. For more than it has dimensions,
            its matrix is built first, but not where any number is left open.

    Returns:
        From values ``(G, B, n)``, or ``(1, B, n)`` for all circuits, to ``(G, B, n)``.
    """
    wires = angles.shape[-2]
    size = 1 << wires
    signs = z_signs(wires, angles)
    matrices = None
    if not is_open(samples) and size <= samples:
        identity = torch.eye(size, dtype=angles.dtype, device=angles.device)
        matrices = variational_states(
            torch.complex(identity, torch.zeros_like(identity)), angles[:, None]
        )

    def evaluate(values: Tensor) -> Tensor:
        states = encoded_states(values)
        if matrices is None:
            states = variational_states(states, angles[:, None])
        else:
            states = states @ matrices
        return (states.real.square() + states.imag.square()) @ signs

    return evaluate
