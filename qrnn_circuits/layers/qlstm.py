"""The quantum LSTM and its linear-enhanced form."""

from collections.abc import Sequence

import torch
from torch import Tensor

from qrnn_circuits.layers.hybrid import HybridCell, HybridLayer
from qrnn_circuits.simulation.variational import Evaluate


class _QLSTMCell(HybridCell):
    """The four gates, and the two circuits behind them."""

    def bank_sizes(self, features: int, hidden: int) -> Sequence[tuple[int, int]]:
        return (4, hidden + features), (2, hidden)

    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        hidden, memory = state.chunk(2, -1)
        gates, mappings = self.banks
        forget, update, candidate, output = gates(torch.cat((hidden, inputs), -1), circuits[0])
        memory = forget.sigmoid() * memory + update.sigmoid() * candidate.tanh()
        hidden, returned = mappings(output.sigmoid() * memory.tanh(), circuits[1])
        return returned, torch.cat((hidden, memory), -1)


class QLSTM(HybridLayer):
    """The quantum LSTM of Chen, Yoo and Fang (arXiv:2009.01783), called as ``torch.nn.RNN``.

    An LSTM whose gates are variational circuits. With ``v = [h, x]``, a step is

    ``f, i, o = sigmoid(Q1(v)), sigmoid(Q2(v)), sigmoid(Q4(v))``,
    ``c' = f * c + i * tanh(Q3(v))``, ``h' = Q5(o * tanh(c'))``, ``y = Q6(o * tanh(c'))``.

    A circuit encodes each value v on a wire by H, ``RY(arctan(v))`` and ``RZ(arctan(v**2))``, and
    then has ``depth`` layers of CNOTs of ranges 1 and 2 on a ring and of a rotation
    ``RZ(gamma) RY(beta) RZ(alpha)`` of every wire; it returns Z of its first wires. With
    ``linear=True`` a linear layer stands before and one behind every circuit (Cao et al. 2023).

    The state is one tensor with h and then c, so that ``hx`` has ``2 * hidden_size`` values of a
    sequence. It is classical, and the same on a quantum device.

    Example:
        >>> layer = QLSTM(input_size=1, hidden_size=3, batch_first=True)
        >>> output, state = layer(torch.randn(5, 20, 1))
        >>> output.shape, state.shape
        (torch.Size([5, 20, 3]), torch.Size([1, 5, 6]))
        >>> enhanced = QLSTM(input_size=2, hidden_size=16, linear=True, qubits=4)
        >>> on_device = enhanced.on("qrnn.torch", shots=1000)
        >>> on_device(torch.randn(2, 1, 2))[0].shape
        torch.Size([2, 1, 16])
    """

    cell_type = _QLSTMCell

    @property
    def state_size(self) -> int:
        """Number of values of h and c together."""
        return 2 * self.hidden_size
