"""The quantum GRU and its linear-enhanced form."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from qrnn_circuits.layers.base import Reading
from qrnn_circuits.layers.hybrid import CircuitBank, HybridCell, HybridLayer, check_circuits
from qrnn_circuits.simulation.variational import Evaluate

if TYPE_CHECKING:
    import pennylane as qml


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
            hidden_size: Number of values H of the state, which each direction returns of a step.
            num_layers: Number of layers.
            batch_first: Whether a batch of inputs and outputs has its sequences in front.
            dropout: Probability with which an output that another layer takes in is set to 0.
            bidirectional: Whether another cell runs from back to front.
            reading: ``"every"``, or ``"last"`` to return the last step's values alone.
            qubits: Number of wires of every circuit; by default as many as it takes in values, or
                4 of a linear-enhanced layer.
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
            _QGRUCell(size, hidden_size, qubits, depth, linear=linear, device=home, dtype=dtype)
            for size in self.input_sizes()
        ]
        self.cells = nn.ModuleList(cells)
        self.reset_parameters(generator)

    @property
    def state_size(self) -> int:
        """Number of values of h."""
        return self.hidden_size


class _QGRUCell(HybridCell):
    """The two gates, and the circuit of the candidate."""

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
        width = joint if qubits is None else qubits
        check_circuits(width, depth, 1 if linear else joint)
        self.banks = nn.ModuleList(
            CircuitBank(
                circuits,
                joint,
                hidden,
                qubits=width,
                depth=depth,
                linear=linear,
                device=device,
                dtype=dtype,
            )
            for circuits in (2, 1)
        )

    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        gates, candidates = self.banks
        reset, keep = gates(torch.cat((state, inputs), -1), circuits[0]).sigmoid()
        (candidate,) = candidates(torch.cat((reset * state, inputs), -1), circuits[1]).tanh()
        state = keep * state + (1 - keep) * candidate
        return state, state
