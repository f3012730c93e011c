"""Variational circuits on states of a few wires, batched: the state of wire 0 varies slowest."""

from collections.abc import Callable, Sequence
from math import pi

import torch
from torch import Tensor

from qrnn_circuits.constants import constant
from qrnn_circuits.tracing import is_open

# Wires whose rotations are one matrix, and how many products per amplitude its use costs besides.
_MOST_GROUPED = 4
_MOVING = 8

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
    wires = factors.shape[-2]
    if wires == 1:
        return factors.squeeze(-2)
    # Halves, so that all products but the last are of few amplitudes.
    sizes = [wires // 2, wires - wires // 2]
    first, second = map(product_amplitudes, factors.split(sizes, -2))
    return (first[..., :, None] * second[..., None, :]).flatten(-2)


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
    halves = torch.stack((-phases, phases), -1) / 2
    return product_amplitudes(torch.polar(ry_amplitudes(turned + pi / 2), halves))


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


@constant
def _sources(pairs: tuple[tuple[int, int], ...], wires: int, device: torch.device) -> Tensor:
    """From where each amplitude comes when CNOTs act one after another, shape ``(2**n,)``."""
    sources = list(range(1 << wires))
    for control, target in pairs:
        on, flip = 1 << wires - 1 - control, 1 << wires - 1 - target
        sources = [sources[k ^ flip if k & on else k] for k in range(1 << wires)]
    return torch.tensor(sources, device=device)


def apply_cnots(states: Tensor, pairs: list[tuple[int, int]], wires: int) -> Tensor:
    """Applies CNOTs, pairs of control and target, to states ``(..., 2**n)``."""
    if not pairs:
        return states
    sources = _sources(tuple(pairs), wires, states.device)
    # For complex numbers faster than `index_select`.
    return states.gather(-1, sources.expand_as(states))


def wire_groups(wires: int) -> list[int]:
    """Into how many wires each a register is cut, at most 4 and about equally many."""
    count = -(-wires // _MOST_GROUPED)
    return [(wires + place) // count for place in range(count)]


def group_matrices(angles: Tensor) -> list[Tensor]:
    """The rotations of a layer, or of several, on each group of wires, as one matrix.

    Args:
        angles: Shape ``(..., n, 3)``.

    Returns:
        For each group of m wires, see :func:`wire_groups`, complex, ``(..., 2**m, 2**m)``.
    """
    found = []
    for gates in rotations(angles).split(wire_groups(angles.shape[-2]), -3):
        joint, *others = gates.unbind(-3)
        for gate in others:
            joint = joint[..., :, None, :, None] * gate[..., None, :, None, :]
            joint = joint.flatten(-4, -3).flatten(-2, -1)
        found.append(joint)
    return found


def turn_groups(states: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Applies matrices to groups of neighbouring wires.

    Args:
        states: Amplitudes of G circuits, shape ``(G, B, 2**n)``, or ``(1, B, 2**n)`` for all.
        matrices: For each group of m wires, in order, shape ``(G, 2**m, 2**m)``.

    Returns:
        Shape ``(G, B, 2**n)``.
    """
    # Each product takes the last wires, and leaves them in front.
    for matrix in reversed(matrices):
        rows = states.unflatten(-1, (-1, matrix.shape[-1]))
        turned = rows.flatten(1, 2) @ matrix.mT
        states = turned.unflatten(1, rows.shape[1:3]).mT.flatten(2)
    return states


def variational_circuits(angles: Tensor, samples: int) -> Evaluate:
    """Variational circuits with encoded values, simulated exactly; differentiable.

    Each is layers of CNOTs (:func:`cnot_pairs`) and of a rotation of each wire.

    Args:
        angles: Of G circuits, shape ``(G, depth, n, 3)``.
        samples: About how many states each circuit will act on. For more than it has dimensions,
            its matrix is built first where that is less work, but not if any number is left open.

    Returns:
        From values ``(G, B, n)``, or ``(1, B, n)`` for all circuits, to ``(G, B, n)``.
    """
    depth, wires = angles.shape[1:3]
    size = 1 << wires
    # For the square of the real part of each amplitude, and of the imaginary part.
    signs = z_signs(wires, angles).repeat_interleave(2, 0)
    pairs = cnot_pairs(wires)
    layers = list(zip(*(group.unbind(1) for group in group_matrices(angles)), strict=True))

    def run(states: Tensor) -> Tensor:
        for matrices in layers:
            states = turn_groups(apply_cnots(states, pairs, wires), matrices)
        return states

    matrix = None
    # For each amplitude, as many products as a matrix has columns; moving groups costs more.
    by_groups = depth * sum(matrices.shape[-1] + _MOVING for matrices in layers[0])
    if not is_open(samples) and size <= min(samples, by_groups):
        identity = torch.eye(size, dtype=angles.dtype, device=angles.device)
        matrix = run(torch.complex(identity, torch.zeros_like(identity))[None])

    def evaluate(values: Tensor) -> Tensor:
        states = encoded_states(values)
        states = run(states) if matrix is None else states @ matrix
        return torch.view_as_real(states).square().flatten(-2) @ signs

    return evaluate
