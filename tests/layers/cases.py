from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from qrnn_circuits import QGRU, QLSTM, FastWeightProgrammer, QRNNLayer, RecurrentCircuitLayer
from qrnn_circuits.layers import RecurrentLayer

Make = Callable[..., RecurrentLayer]

LAYERS: dict[str, Make] = {
    "QRNNLayer": QRNNLayer,
    "QLSTM": QLSTM,
    "linear-enhanced QLSTM": partial(QLSTM, linear=True, qubits=3),
    "QGRU": QGRU,
    "fast-weight programmer": FastWeightProgrammer,
    "plain recurrent circuit": RecurrentCircuitLayer,
    "staggered recurrent circuit": partial(RecurrentCircuitLayer, staggered=True),
    "populations of a recurrent circuit": partial(RecurrentCircuitLayer, readout="populations"),
}


CLASSICAL_STATES = ("QLSTM", "linear-enhanced QLSTM", "QGRU", "fast-weight programmer")
"""Layers whose state is classical."""


def maker(layer: Make) -> Make:
    def make(input_size: int = 2, hidden_size: int = 4, **options: object) -> RecurrentLayer:
        defaults: dict[str, object] = {
            "generator": torch.Generator().manual_seed(0),
            "dtype": torch.float64,
        }
        return layer(input_size, hidden_size, **(defaults | options))

    return make


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def assert_alike(
    found: Sequence[Tensor], expected: Sequence[Tensor], parameters: list[Tensor]
) -> None:
    """Checks outputs and states, and the gradients of a weighted sum of them."""
    generator = torch.Generator().manual_seed(5)
    sums = [torch.zeros((), dtype=torch.float64) for _ in range(2)]
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)
        weights = torch.randn(one.shape, generator=generator, dtype=torch.float64)
        sums = [sums[0] + (one * weights).sum(), sums[1] + (other * weights).sum()]
    for one, other in zip(
        torch.autograd.grad(sums[0], parameters),
        torch.autograd.grad(sums[1], parameters),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=0, atol=1e-9)
