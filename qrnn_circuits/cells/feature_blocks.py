"""What the neurons of a cell of real features do to pairs of amplitudes."""

from typing import NamedTuple

import torch
from torch import Tensor


class LaneBlocks(NamedTuple):
    """The blocks ``[[c, -s], [s, c]]`` of the neurons onto lane wires, each's largest of norm 1.

    Attributes:
        cos: ``c`` for each lane wire, row of features and pattern of the workspace, shape
            ``(I, B, 2**W)``.
        sin: ``s``, of the shape of ``cos``.
        log_scale: Natural log of what the blocks of each row were divided by together, shape
            ``(B,)``, float64; ``None`` if all are of norm 1.
    """

    cos: Tensor
    sin: Tensor
    log_scale: Tensor | None

    def amplitudes(self) -> Tensor:
        """Of each outcome and workspace pattern, shape ``(B, 2**I, 2**W)``."""
        joint = torch.ones_like(self.cos[0, :, None])
        for cos, sin in zip(self.cos, self.sin, strict=True):
            joint = (joint[:, :, None] * torch.stack((cos, sin), 1)[:, None]).flatten(1, 2)
        return joint

    def expectations(self, populations: Tensor) -> Tensor:
        """The expectation of Z on each lane wire.

        Args:
            populations: Of the workspace, which add up to 1, shape ``(B, 2**W)``.

        Returns:
            Between -1 and 1, shape ``(B, I)``.
        """
        zero, one = self.cos.square(), self.sin.square()
        if self.log_scale is None:
            return ((zero - one) * populations).sum(-1).T
        norms = zero + one
        kept = populations * norms.prod(0)
        return ((zero - one) / norms * kept).sum(-1).T / kept.sum(-1, keepdim=True)


class WorkspaceRotations(NamedTuple):
    """Blocks ``r [[cos(a/2), -sin(a/2)], [sin(a/2), cos(a/2)]]`` of neurons onto workspace wires.

    Attributes:
        angles: ``a`` in radians for each neuron in order, each pattern of the other workspace
            wires and each row of features, shape ``(W + stages * W, 2**(W-1), B)``.
        norms: ``r``, of that shape, the largest of a neuron and row being 1; ``None`` if all are 1.
    """

    angles: Tensor
    norms: Tensor | None
