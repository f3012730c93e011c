"""What a simulator computes here, and what several of them compute it with."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.simulators.circuit import Multiplexer, StepCircuit

Simulator = Callable[[Tensor, Tensor, Tensor, bool], tuple[float, Tensor | None]]
"""Takes angles ``(A,)``, inputs and outcomes ``(B, T)``, and whether the gradient is wanted.

Returns the log-likelihood of all outcomes and its gradient in the angles, ``(A,)``.
"""


class UnsupportedError(Exception):
    """The simulator cannot run this circuit."""


def bits(symbols: Tensor, lane: int) -> Tensor:
    """The bits of symbols in a new first dimension, the most significant first."""
    return torch.stack([symbols >> place & 1 for place in reversed(range(lane))])


def reading_matrices(
    circuit: StepCircuit, inputs: Tensor, outcomes: Tensor
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], NDArray[np.complex128]]:
    """What is done to the lane between gates, as one real matrix for each lane wire.

    Returns:
        The matrices that write the first input, that take each input off, and that read each
        outcome and write the next input: shapes ``(I, B, 2, 2)``, ``(I, B, T, 2, 2)`` and
        ``(I, B, T, 2, 2)``. The last step's lane is left in 0.
    """
    basis = np.eye(2, dtype=np.complex128)
    flip = np.stack([basis, basis[::-1]])
    given = bits(inputs, circuit.lane).numpy()
    read = bits(outcomes, circuit.lane).numpy()
    following = np.concatenate([given[..., 1:], np.zeros_like(given[..., :1])], -1)
    return (
        flip[given[..., 0]],
        flip[given],
        basis[following][..., :, None] * basis[read][..., None, :],
    )


def multiplexer_matrix(angles: Tensor, gate: Multiplexer) -> Tensor:
    """The matrix of a multiplexer, its target the last wire, complex."""
    half = angles[gate.first : gate.first + gate.patterns] / 2
    cos, sin = half.cos(), half.sin()
    blocks = torch.stack([cos, -sin, sin, cos], -1).reshape(-1, 2, 2)
    matrix: Tensor = torch.block_diag(*blocks).to(torch.complex128)
    return matrix


def log_likelihood(states: Tensor) -> Tensor:
    """Of a batch of final states that were not normalised, shape ``(B, ...)``."""
    return (states.abs() ** 2).flatten(1).sum(1).log().sum()


def with_gradient(
    likelihood: Callable[[Tensor], Tensor], angles: Tensor, gradient: bool
) -> tuple[float, Tensor | None]:
    """Evaluates and differentiates by torch."""
    if not gradient:
        with torch.no_grad():
            return float(likelihood(angles)), None
    leaf = angles.detach().requires_grad_()
    value = likelihood(leaf)
    value.backward()
    return value.item(), leaf.grad
