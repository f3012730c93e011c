"""The quantum GRU and its linear-enhanced form."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qrnn_circuits.layers.hybrid import HybridCell, HybridLayer
from qrnn_circuits.simulation.variational import Evaluate


class _QGRUCell(HybridCell):
    """The two gates, and the circuit of the candidate."""

    def bank_sizes(self, features: int, hidden: int) -> Sequence[tuple[int, int]]:
        return (2, hidden + features), (1, hidden + features)

    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        gates, candidates = self.banks
        reset, keep = gates(torch.cat((state, inputs), -1), circuits[0]).sigmoid()
        (candidate,) = candidates(torch.cat((reset * state, inputs), -1), circuits[1]).tanh()
        state = keep * state + (1 - keep) * candidate
        return state, state


class QGRU(HybridLayer):
    """The quantum GRU of Chen et al. (arXiv:2211.02612), called as ``torch.nn.RNN``.

    A GRU whose gates are variational circuits. A step is

    ``r, z = sigmoid(Q1([h, x])), sigmoid(Q2([h, x]))``,
    ``h' = z * h + (1 - z) * tanh(Q3([r * h, x]))``,

    and h' is also what it returns. A circuit encodes each value v on a wire by H,
    ``RY(arctan(v))`` and ``RZ(arctan(v**2))``, and then has ``depth`` layers of CNOTs of ranges 1
    and 2 on a ring and of a rotation ``RZ(gamma) RY(beta) RZ(alpha)`` of every wire; it returns Z
    of its first wires. With ``linear=True`` a linear layer stands before and one behind every
    circuit (Cao et al. 2023).

    Example:
        >>> layer = QGRU(input_size=1, hidden_size=3, batch_first=True)
        >>> output, state = layer(torch.randn(5, 20, 1))
        >>> output.shape, state.shape
        (torch.Size([5, 20, 3]), torch.Size([1, 5, 3]))
        >>> enhanced = QGRU(input_size=2, hidden_size=16, linear=True, qubits=4)
        >>> on_device = enhanced.on("qrnn.torch", shots=1000)
        >>> on_device(torch.randn(2, 1, 2))[0].shape
        torch.Size([2, 1, 16])
    """

    cell_type = _QGRUCell
