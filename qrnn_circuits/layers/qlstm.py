"""The quantum LSTM and its linear-enhanced form."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from qrnn_circuits.layers.base import Reading
from qrnn_circuits.layers.hybrid import CircuitBank, HybridCell, HybridLayer, check_circuits
from qrnn_circuits.simulation.variational import Evaluate

if TYPE_CHECKING:
    import pennylane as qml


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

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        reading: Reading = "every",
        qubits: int | None = None,
        depth: int = 1,
        linear: bool = False,
        generator: torch.Generator | None = None,
        device: "torch.device | qml.devices.Device | str | None" = None,
        shots: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Makes the cells and draws their parameters.

        Args:
            input_size: Number of features of a step.
            hidden_size: Number of values H that each direction returns of a step, and of h and c.
            num_layers: Number of layers.
            batch_first: Whether a batch of inputs and outputs has its sequences in front.
            dropout: Probability with which an output that another layer takes in is set to 0.
            bidirectional: Whether another cell runs from back to front.
            reading: ``"every"``, or ``"last"`` to return the last step's values alone.
            qubits: Number of wires of every circuit; by default as many as a circuit takes in
                values, or 4 of a linear-enhanced layer.
            depth: Number of variational layers of every circuit.
            linear: Whether a linear layer stands before and one behind every circuit.
            generator: Source of randomness, a CPU generator.
            device: Where the parameters live (``"cpu"``, ``"cuda"``); or the PennyLane device, or
                its name, that runs the layer, see :meth:`on`.
            shots: Number of shots of each circuit on that device; none for an exact device.
            dtype: Type of the parameters, float32 or float64; by default torch's default type.

        Raises:
            ValueError: If an option is out of range, or there are shots without a device.
        """
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            reading=reading,
        )
        home = self._home(device, shots=shots)
        if linear and qubits is None:
            qubits = 4
        cells = [
            _QLSTMCell(size, hidden_size, qubits, depth, linear=linear, device=home, dtype=dtype)
            for size in self.input_sizes()
        ]
        self.cells = nn.ModuleList(cells)
        self.reset_parameters(generator)

    @property
    def state_size(self) -> int:
        """Number of values of h and c together."""
        return 2 * self.hidden_size


class _QLSTMCell(HybridCell):
    """The four gates, and the two circuits behind them."""

    def __init__(
        self,
        features: int,
        hidden: int,
        qubits: int | None,
        depth: int,
        *,
        linear: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        joint = hidden + features
        banks = []
        for circuits, inputs in ((4, joint), (2, hidden)):
            width = inputs if qubits is None else qubits
            check_circuits(width, depth, 1 if linear else inputs)
            banks.append(
                CircuitBank(
                    circuits,
                    inputs,
                    hidden,
                    qubits=width,
                    depth=depth,
                    linear=linear,
                    device=device,
                    dtype=dtype,
                )
            )
        self.banks = nn.ModuleList(banks)

    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        hidden, memory = state.chunk(2, -1)
        gates, mappings = self.banks
        forget, update, candidate, output = gates(torch.cat((hidden, inputs), -1), circuits[0])
        memory = forget.sigmoid() * memory + update.sigmoid() * candidate.tanh()
        hidden, returned = mappings(output.sigmoid() * memory.tanh(), circuits[1])
        return returned, torch.cat((hidden, memory), -1)
