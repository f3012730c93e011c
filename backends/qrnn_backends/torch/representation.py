"""How the branches of a dynamic circuit are held: as statevectors, or as density matrices.

Statevectors cost ``2**wires`` numbers for each branch, and branches that only unread outcomes tell
apart double with each measurement. A density matrix is the sum of all of them: it costs
``4**wires`` numbers, however many they are, and is a smooth function of all parameters, so that it
is differentiable to any order.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from pennylane.operation import Operator
from torch import Tensor

from qrnn_backends.torch.state import LEAD, apply_operator, squared_norms


class Representation(ABC):
    """What branches are made of; their first axes are those of the branches and of the batch.

    Attributes:
        rounding: Power of the share that is due to rounding, relative to statevectors' weights.
    """

    rounding: float

    @abstractmethod
    def apply(self, state: Tensor, operator: Operator, dtype: torch.dtype) -> Tensor:
        """Applies an operator to every branch."""

    @abstractmethod
    def project(self, state: Tensor, wire: int, value: int, reset: bool) -> Tensor:
        """What a measurement of a wire leaves where it reads a value."""

    @abstractmethod
    def weights(self, state: Tensor) -> Tensor:
        """Probability of each branch, shape ``(branches, batch)``."""

    @abstractmethod
    def divided(self, state: Tensor, weights: Tensor) -> Tensor:
        """The branches with their probabilities divided by weights of shape ``(batch,)``."""


class StateVectors(Representation):
    """Branches of shape ``(branches, batch, 2, ..., 2)``, one axis for each wire."""

    rounding = 1.0

    def apply(self, state: Tensor, operator: Operator, dtype: torch.dtype) -> Tensor:
        """Applies an operator to every branch."""
        return apply_operator(state, operator, dtype)

    def project(self, state: Tensor, wire: int, value: int, reset: bool) -> Tensor:
        """The half of the amplitudes with this value, beside zeros."""
        return _projected(state, LEAD + wire, value, reset)

    def weights(self, state: Tensor) -> Tensor:
        """Squared norms."""
        return squared_norms(state)

    def divided(self, state: Tensor, weights: Tensor) -> Tensor:
        """Amplitudes by the root of the weights."""
        return state * weights.rsqrt().reshape(-1, *(1,) * (state.ndim - LEAD))


class DensityMatrices(Representation):
    """Branches of shape ``(branches, batch, 2, ..., 2)``, two axes for each wire.

    Those of the kets come first. Probabilities are sums of entries, of which rounding leaves the
    root of what it leaves of an amplitude's square.
    """

    rounding = 0.5

    def apply(self, state: Tensor, operator: Operator, dtype: torch.dtype) -> Tensor:
        """Applies an operator to the kets and to the bras."""
        half = _adjoint(apply_operator(state, operator, dtype))
        return _adjoint(apply_operator(half, operator, dtype))

    def project(self, state: Tensor, wire: int, value: int, reset: bool) -> Tensor:
        """The quarter of the entries with this value, beside zeros."""
        half = _projected(state, LEAD + wire, value, reset)
        return _projected(half, LEAD + (state.ndim - LEAD) // 2 + wire, value, reset)

    def weights(self, state: Tensor) -> Tensor:
        """Traces."""
        return as_matrices(state).diagonal(dim1=-2, dim2=-1).real.sum(-1)

    def divided(self, state: Tensor, weights: Tensor) -> Tensor:
        """Entries by the weights."""
        return state / weights.reshape(-1, *(1,) * (state.ndim - LEAD))


def density_matrices(state: Tensor, group: NDArray[np.int64]) -> Tensor:
    """The density matrix of each group of statevectors.

    Args:
        state: Shape ``(branches, batch, 2, ..., 2)``.
        group: The group of each branch, numbered from 0.

    Returns:
        Shape ``(groups, batch, 2, ..., 2)`` with the axes of :class:`DensityMatrices`.
    """
    vectors = state.flatten(LEAD).movedim(0, 1)
    matrices = []
    for index in range(int(group.max()) + 1):
        members = vectors[:, torch.as_tensor(np.flatnonzero(group == index), device=state.device)]
        matrices.append(members.mT @ members.conj())
    wires = state.shape[LEAD:]
    found: Tensor = torch.stack(matrices).unflatten(-1, wires).unflatten(2, wires)
    return found


def summed(state: Tensor, group: NDArray[np.int64]) -> Tensor:
    """The sum of each group of density matrices."""
    rows = torch.as_tensor(group, device=state.device)
    zeros = state.new_zeros(int(group.max()) + 1, *state.shape[1:])
    return zeros.index_add(0, rows, state)


def as_matrices(state: Tensor) -> Tensor:
    """Density matrices with one axis for all kets and one for all bras."""
    wires = (state.ndim - LEAD) // 2
    return state.reshape(*state.shape[:LEAD], 2**wires, 2**wires)


def _adjoint(state: Tensor) -> Tensor:
    wires = (state.ndim - LEAD) // 2
    kets, bras = range(LEAD, LEAD + wires), range(LEAD + wires, state.ndim)
    return state.permute(0, 1, *bras, *kets).conj()


def _projected(state: Tensor, axis: int, value: int, reset: bool) -> Tensor:
    part = state.narrow(axis, value, 1)
    pair = [part, torch.zeros_like(part)]
    return torch.cat(pair[::-1] if value and not reset else pair, axis)
