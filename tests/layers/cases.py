from collections.abc import Callable
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
