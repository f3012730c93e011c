"""Recurrent layers whose gates are variational circuits with classical arithmetic around them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import pi
from typing import TYPE_CHECKING, ClassVar, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.angle_checks import check_angles
from qrnn_circuits.checks import as_integer, check_bool
from qrnn_circuits.circuits.variational import variational_circuits_on
from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.steps import Reading, Steps
from qrnn_circuits.numerical_errors import ParameterRangeError
from qrnn_circuits.random_parameters import draw_uniform
from qrnn_circuits.simulation.pauli_strings import single_layer_circuits
from qrnn_circuits.simulation.variational import Evaluate, variational_circuits
from qrnn_circuits.tensors import real_type
from qrnn_circuits.tracing import full_precision, is_traced

if TYPE_CHECKING:
    import pennylane as qml

# Of a circuit that is simulated by amplitudes: beyond, one state has more than a million.
MOST_QUBITS = 20


class CircuitBank(nn.Module):
    """Variational circuits of one width, which each take in and return equally many values.

    Attributes:
        angles: Of the rotations of G circuits, shape ``(G, depth, n, 3)``.
    """

    def __init__(
        self,
        circuits: int,
        inputs: int,
        outputs: int,
        *,
        qubits: int,
        depth: int,
        linear: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        """Makes the parameters and leaves them undefined.

        Args:
            circuits: Number G of circuits.
            inputs: Number of values that a circuit takes in.
            outputs: Number of values that it returns.
            qubits: Number n of wires.
            depth: Number of variational layers.
            linear: Whether a linear layer stands before and one behind each circuit. Else values
                are encoded on the first wires, zeros on the others, and the first wires are read.
            device: Of the parameters.
            dtype: Of the parameters.
        """
        super().__init__()
        self.outputs, self.qubits, self.linear = outputs, qubits, linear

        def empty(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(circuits, *shape, device=device, dtype=dtype))

        self.angles = empty(depth, qubits, 3)
        if linear:
            self.weights_before, self.bias_before = empty(qubits, inputs), empty(qubits)
            self.weights_after, self.bias_after = empty(outputs, qubits), empty(outputs)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws angles uniformly from a whole turn, and linear layers as ``torch.nn.Linear``.

        Args:
            generator: Source of randomness, a CPU generator.
        """
        draw_uniform(self.angles, pi, generator)
        if self.linear:
            for weights, bias in (
                (self.weights_before, self.bias_before),
                (self.weights_after, self.bias_after),
            ):
                bound = weights.shape[-1] ** -0.5
                draw_uniform(weights, bound, generator)
                draw_uniform(bias, bound, generator)

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        circuits, depth = self.angles.shape[:2]
        return f"{circuits} circuits, qubits={self.qubits}, depth={depth}, linear={self.linear}"

    def forward(self, values: Tensor, evaluate: Evaluate) -> Tensor:
        """What the circuits return of values.

        Args:
            values: Shape ``(B, inputs)``, alike for all circuits.
            evaluate: Runs the circuits on encoded values.

        Returns:
            Shape ``(G, B, outputs)``.
        """
        if not self.linear:
            padded = nn.functional.pad(values, (0, self.qubits - values.shape[-1]))
            return evaluate(padded[None])[..., : self.outputs]
        encoded = values @ self.weights_before.mT + self.bias_before[:, None]
        return evaluate(encoded) @ self.weights_after.mT + self.bias_after[:, None]


class HybridCell(nn.Module, ABC):
    """One step of a layer, which runs the circuits of its banks one bank after another.

    A subclass says how many circuits there are (:meth:`bank_sizes`), and what the step makes of
    what they return (:meth:`step`).

    Attributes:
        banks: Of circuits that run together, each a :class:`~qrnn_circuits.layers.CircuitBank`.

    Example:
        A minimal gated unit (Zhou et al., arXiv:1603.09420) of circuits:

        >>> class MinimalGatedCell(HybridCell):
        ...     def bank_sizes(self, features, hidden):
        ...         return (1, hidden + features), (1, hidden + features)
        ...
        ...     def step(self, inputs, state, circuits):
        ...         gates, candidates = self.banks
        ...         (gate,) = gates(torch.cat((state, inputs), -1), circuits[0]).sigmoid()
        ...         kept = torch.cat((gate * state, inputs), -1)
        ...         (candidate,) = candidates(kept, circuits[1]).tanh()
        ...         state = (1 - gate) * state + gate * candidate
        ...         return state, state
        >>> class MinimalGatedLayer(HybridLayer):
        ...     cell_type = MinimalGatedCell
        >>> MinimalGatedLayer(input_size=1, hidden_size=3)(torch.randn(20, 5, 1))[0].shape
        torch.Size([20, 5, 3])
    """

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
        """Makes the circuits and leaves their parameters undefined.

        Args:
            features: Number F of values of a step's input.
            hidden: Number H of values that a circuit returns.
            qubits: Number of wires of every circuit; None for one for each value that it takes in.
            depth: Number of variational layers of every circuit.
            linear: Whether a linear layer stands before and one behind every circuit.
            device: Of the parameters.
            dtype: Of the parameters.

        Raises:
            ValueError: If a number is out of range.
        """
        super().__init__()
        banks = []
        for circuits, inputs in self.bank_sizes(features, hidden):
            width = inputs if qubits is None else qubits
            check_circuits(width, depth, 1 if linear else inputs)
            bank = CircuitBank(
                circuits,
                inputs,
                hidden,
                qubits=width,
                depth=depth,
                linear=linear,
                device=device,
                dtype=dtype,
            )
            banks.append(bank)
        self.banks = nn.ModuleList(banks)

    @abstractmethod
    def bank_sizes(self, features: int, hidden: int) -> Sequence[tuple[int, int]]:
        """The banks of a cell, in the order in which a step runs them.

        Args:
            features: Number F of values of a step's input.
            hidden: Number H of values that a circuit returns.

        Returns:
            Of each bank the number G of its circuits, and of values that each of them takes in.
        """

    @abstractmethod
    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        """Runs one step.

        Args:
            inputs: Shape ``(B, F)``.
            state: Shape ``(B, S)``.
            circuits: What runs the circuits of each of ``banks``: a bank is called with values
                ``(B, inputs)`` and this, and returns ``(G, B, H)``.

        Returns:
            The outputs, shape ``(B, H)``, and the state after the step, shape ``(B, S)``.
        """

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws the parameters anew.

        Args:
            generator: Source of randomness, a CPU generator.
        """
        for bank in self.banks:
            cast(CircuitBank, bank).reset_parameters(generator)


class HybridLayer(RecurrentLayer):
    """A layer of :class:`HybridCell`, whose state is classical, and known on a device too.

    A circuit encodes each value v on a wire by H, ``RY(arctan(v))`` and ``RZ(arctan(v**2))``, and
    then has ``depth`` layers of CNOTs of ranges 1 and 2 on a ring and of a rotation
    ``RZ(gamma) RY(beta) RZ(alpha)`` of every wire; it returns Z of its first wires (Chen, Yoo and
    Fang, arXiv:2009.01783). Of a subclass, ``cell_type`` is the class of its cells.
    """

    cell_type: ClassVar[type[HybridCell]]
    vectorised = True

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
            hidden_size: Number of values H that each direction returns of a step, and of each part
                of the state.
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
            TypeError: If an option is of the wrong type.
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
        check_bool("linear", linear)
        home, dtype = self.parameter_device(device, shots=shots), real_type(dtype)
        if linear and qubits is None:
            qubits = 4
        cells = [
            self.cell_type(
                size, hidden_size, qubits, depth, linear=linear, device=home, dtype=dtype
            )
            for size in self.input_sizes()
        ]
        self.cells = nn.ModuleList(cells)
        self.reset_parameters(generator)

    @property
    def state_size(self) -> int:
        """Number of values of the state: by default those that a step returns."""
        return self.hidden_size

    def run_cell(
        self, cell: nn.Module, inputs: Tensor, state: Tensor, steps: Steps
    ) -> tuple[Tensor, Tensor]:
        """One step after another, each with the circuits of all sequences that go on."""
        cell = cast(HybridCell, cell)
        samples = inputs.shape[0] * inputs.shape[1]
        outputs, states = [], []
        with full_precision(inputs.device):
            circuits = [self._circuits(cast(CircuitBank, bank), samples) for bank in cell.banks]
            for values, here in zip(inputs, steps.present, strict=True):
                if self.quantum_device is None or here.all():
                    output, state = cell.step(values, state, circuits)
                else:
                    # A device runs no circuit for sequences that have ended.
                    rows = here.nonzero()[:, 0]
                    some, after = cell.step(values[rows], state[rows], circuits)
                    output = some.new_zeros(len(values), self.hidden_size).index_copy(0, rows, some)
                    state = state.index_copy(0, rows, after)
                outputs.append(output)
                states.append(state)
        found = torch.stack(outputs), torch.stack(states)
        if not is_traced() and not all(torch.isfinite(values).all() for values in found):
            raise ParameterRangeError(
                "parameters must be finite and not so large that values of a layer are not, but "
                "these hold NaN or infinity: a smaller learning rate keeps parameters small"
            )
        return found

    def _circuits(self, bank: CircuitBank, samples: int) -> Evaluate:
        check_angles("angles", bank.angles)
        if self.quantum_device is not None:
            return variational_circuits_on(bank.angles, self.quantum_device, self.shots)
        if bank.angles.shape[1] == 1:
            return single_layer_circuits(bank.angles)
        return variational_circuits(bank.angles, samples)


def check_circuits(qubits: int, depth: int, needed: int) -> None:
    """Checks how wide and deep variational circuits are.

    Args:
        qubits: Number of wires.
        depth: Number of variational layers.
        needed: The number of values that are encoded.

    Raises:
        ValueError: If one is out of range.
    """
    for name, value in (("qubits", qubits), ("depth", depth)):
        as_integer(name, value, 1)
    if qubits < needed:
        raise ValueError(
            f"qubits must be at least {needed}, one for each value of state and features, got "
            f"{qubits}: take more, or linear=True, which brings the values onto any number"
        )
    if depth > 1 and qubits > MOST_QUBITS:
        raise ValueError(
            f"qubits must be at most {MOST_QUBITS} with a depth of more than 1, got {qubits}, by "
            "default one for each value of state and features: take depth=1, fewer values, or "
            "linear=True with fewer qubits"
        )
