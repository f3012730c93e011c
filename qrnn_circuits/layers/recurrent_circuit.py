"""Plain and staggered recurrent circuits as a layer."""

from math import pi
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.angle_checks import SCALE_FEATURES, check_angles, check_parameters
from qrnn_circuits.checks import as_integer, check_bool
from qrnn_circuits.circuits.register import register_readings
from qrnn_circuits.circuits.tapes import Readout, wires_read
from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.steps import Reading, Steps
from qrnn_circuits.random_parameters import draw_uniform
from qrnn_circuits.simulation.register import (
    RegisterSizes,
    coupled_pairs,
    encoding_angles,
    register_states,
    unpacked,
)
from qrnn_circuits.simulation.variational import z_signs
from qrnn_circuits.tensors import real_type, zero_states
from qrnn_circuits.tracing import full_precision, is_traced

if TYPE_CHECKING:
    import pennylane as qml

# Of a register that is simulated: the block is a matrix of 4**n numbers.
MOST_WIRES = 12


class RecurrentCircuitLayer(RecurrentLayer):
    """The plain and staggered QRNN of Li et al. (arXiv:2302.03244), called as ``torch.nn.RNN``.

    A register has one wire for each feature, and ``memory`` wires. A step sets the wires of
    features to 0, encodes each feature x on one by ``RY(pi * x)``, and applies one block to all
    wires, the same at each step: ``RX(gamma) RZ(beta) RX(alpha)`` of every wire, and ``depth``
    times RZZ of neighbours on a ring and such rotations again. The layer returns Z of the first
    ``hidden_size`` wires, those of features before those of memory, or the populations of the first
    ``log2(hidden_size)``. With ``staggered=True`` all roles move on by as many wires as there are
    features at each step, so that no wire has to hold a state for long.

    No measurement changes what later steps return: on a device each step that is read is a circuit
    of its own. The state is the density matrix of the wires that are kept, ``4**memory`` numbers
    (the sum of its real and its imaginary part); a device cannot tell it: there it is NaN, and
    there is no ``hx``. Bring features to [0, 1].

    Example:
        >>> layer = RecurrentCircuitLayer(1, 3, staggered=True, batch_first=True)
        >>> output, state = layer(torch.rand(5, 20, 1))
        >>> output.shape, state.shape
        (torch.Size([5, 20, 3]), torch.Size([1, 5, 16]))
        >>> on_device = layer.on("qrnn.torch", shots=1000)
        >>> on_device(torch.rand(1, 2, 1))[0].shape
        torch.Size([1, 2, 3])
    """

    classical_state = False
    vectorised = True
    affordable_hidden_size = 4

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
        memory: int | None = None,
        depth: int = 1,
        staggered: bool = False,
        readout: Readout = "expectations",
        generator: torch.Generator | None = None,
        device: "torch.device | qml.devices.Device | str | None" = None,
        shots: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Makes the cells and draws their parameters.

        Args:
            input_size: Number of features of a step.
            hidden_size: Number of values that each direction returns of a step: the expectation
                of Z on each of as many wires, or the probabilities of their basis states.
            num_layers: Number of layers.
            batch_first: Whether a batch of inputs and outputs has its sequences in front.
            dropout: Probability with which an output that another layer takes in is set to 0.
            bidirectional: Whether another cell runs from back to front.
            reading: ``"every"``, or ``"last"`` to return the last step's values alone, for which a
                device runs one circuit instead of one for each step.
            memory: Number of wires that are kept; by default as many as are read beside those of
                features, at least 1.
            depth: How often the block couples the wires.
            staggered: Whether the wires take turns to be reset.
            readout: ``"expectations"``, or ``"populations"`` of ``log2(hidden_size)`` wires.
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
        self._read_wires = wires_read(readout, hidden_size)
        check_bool("staggered", staggered)
        if memory is None:
            memory = max(1, self._read_wires - input_size)
        for name, value in (("memory", memory), ("depth", depth)):
            as_integer(name, value, 1)
        if self._read_wires > input_size + memory:
            values = input_size + memory
            if readout == "populations":
                values = 2**values
            raise ValueError(
                f"hidden_size must be at most {values}, of "
                f"input_size={input_size} wires of features and memory={memory}, got "
                f"{hidden_size}: take more memory, or a linear layer behind"
            )
        most = max(self.input_sizes()) + memory
        if most > MOST_WIRES:
            raise ValueError(
                f"a register must have at most {MOST_WIRES} wires, one for each feature and "
                f"memory={memory}, got {most}: take less memory or fewer features"
            )
        self.memory, self.depth, self.staggered = memory, depth, staggered
        self.readout: Readout = readout
        home, dtype = self.parameter_device(device, shots=shots), real_type(dtype)
        cells = [
            _RegisterCell(RegisterSizes(size, memory, staggered), depth, device=home, dtype=dtype)
            for size in self.input_sizes()
        ]
        self.cells = nn.ModuleList(cells)
        self.reset_parameters(generator)

    @property
    def state_size(self) -> int:
        """Number of entries of the density matrix of the wires that are kept."""
        return int(4**self.memory)

    def sizes(self) -> dict[str, int | str]:
        """Those of every layer, and of the register and its readout."""
        return super().sizes() | {
            "memory": self.memory,
            "depth": self.depth,
            "staggered": self.staggered,
            "readout": self.readout,
        }

    def initial_state(self, cell: nn.Module, batch: int) -> Tensor:
        """Every wire that is kept in 0."""
        return zero_states(cell, batch, self.state_size)

    def check_state(self, state: Tensor) -> None:
        """Raises a ``ValueError`` where one is no density matrix."""
        if is_traced() or not state.numel():
            return
        density = unpacked(state.detach())
        off = (density.diagonal(dim1=-2, dim2=-1).real.sum(-1) - 1).abs().max().item()
        least = torch.linalg.eigvalsh(density).min().item()
        tolerance = torch.finfo(state.dtype).eps ** 0.5
        if not (off <= tolerance and least >= -tolerance):
            raise ValueError(
                f"hx must hold density matrices, but a trace is {off:.3g} off 1, and the least "
                f"eigenvalue is {least:.3g}: take a state that the layer has returned, or leave hx "
                "out to begin with every wire in 0"
            )

    def run_cell(
        self, cell: nn.Module, inputs: Tensor, state: Tensor, steps: Steps
    ) -> tuple[Tensor, Tensor]:
        """What the register reads at each step, and the density matrices."""
        cell = cast(_RegisterCell, cell)
        block = cell.sizes, cell.rotations, cell.couplings
        check_parameters(cell)
        check_angles("what features make of angles", encoding_angles(inputs), SCALE_FEATURES)
        if self.quantum_device is not None:
            outputs = register_readings(
                *block,
                inputs,
                self.quantum_device,
                wires=self._read_wires,
                readout=self.readout,
                shots=self.shots,
                read=steps.read,
            )
            return outputs, state.new_full((len(inputs), *state.shape), torch.nan)
        with full_precision(inputs.device):
            populations, states = register_states(*block, inputs, state, last=steps.last_alone)
            if self.readout == "expectations":
                signs = z_signs(cell.sizes.wires, inputs)[:, : self.hidden_size]
                return populations @ signs, states
            return populations.unflatten(-1, (self.hidden_size, -1)).sum(-1), states


class _RegisterCell(nn.Module):
    """The block of a register."""

    def __init__(
        self,
        sizes: RegisterSizes,
        depth: int,
        *,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.sizes = sizes

        def empty(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, device=device, dtype=dtype))

        self.rotations = empty(depth + 1, sizes.wires, 3)
        self.couplings = empty(depth, len(coupled_pairs(sizes.wires)))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws all angles uniformly from a whole turn.

        Args:
            generator: Source of randomness, a CPU generator.
        """
        draw_uniform(self.rotations, pi, generator)
        draw_uniform(self.couplings, pi, generator)
