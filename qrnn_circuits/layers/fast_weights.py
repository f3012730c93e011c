"""The quantum fast-weight programmer as a layer."""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.angle_checks import SCALE_FEATURES, check_angles
from qrnn_circuits.checks import as_integer
from qrnn_circuits.circuits.fast_weights import programmed_expectations_on
from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.hybrid import MOST_QUBITS
from qrnn_circuits.layers.steps import Reading, Steps
from qrnn_circuits.random_parameters import draw_uniform, undrawn
from qrnn_circuits.simulation.fast_weights import programmed_expectations
from qrnn_circuits.tensors import real_type
from qrnn_circuits.tracing import full_precision

if TYPE_CHECKING:
    import pennylane as qml


class FastWeightProgrammer(RecurrentLayer):
    """The quantum fast-weight programmer of Chen (arXiv:2402.17760), called as ``torch.nn.RNN``.

    A circuit whose angles are the memory: a small classical network changes them at each step.
    With linear layers E, L and Q, and angles ``theta`` of ``depth`` layers of ``qubits`` wires,

    ``z = E(x)``, ``theta' = theta + outer(L(z), Q(z))``,

    and the step returns Z of the first ``hidden_size`` wires of the circuit with angles ``theta'``:
    H of each wire, RY(x) of the first ones, and in each layer CNOTs of neighbours and RY(theta').
    No step waits for what another one returns, so that all circuits of a layer are one batch.

    The state is the angles, ``depth * qubits`` values, which start at 0. It is classical, and the
    same on a quantum device.

    Example:
        >>> layer = FastWeightProgrammer(input_size=1, hidden_size=4, batch_first=True)
        >>> output, state = layer(torch.randn(5, 20, 1))
        >>> output.shape, state.shape
        (torch.Size([5, 20, 4]), torch.Size([1, 5, 8]))
        >>> on_device = layer.on("qrnn.torch", shots=1000)
        >>> on_device(torch.randn(1, 2, 1))[0].shape
        torch.Size([1, 2, 4])
    """

    affordable_hidden_size = 4
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
        depth: int = 2,
        latent: int | None = None,
        generator: torch.Generator | None = None,
        device: "torch.device | qml.devices.Device | str | None" = None,
        shots: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Makes the cells and draws their parameters.

        Args:
            input_size: Number of features of a step.
            hidden_size: Number of values that each direction returns of a step.
            num_layers: Number of layers.
            batch_first: Whether a batch of inputs and outputs has its sequences in front.
            dropout: Probability with which an output that another layer takes in is set to 0.
            bidirectional: Whether another cell runs from back to front.
            reading: ``"every"``, or ``"last"`` to return the last step's values alone, for which a
                device runs one circuit instead of one for each step.
            qubits: Number of wires; by default as many as features or values that are returned, of
                whatever there are more.
            depth: Number of variational layers.
            latent: Number of values z between the linear layers; by default ``qubits``.
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
        needed = max(hidden_size, *self.input_sizes())
        self.qubits = as_integer("qubits", needed if qubits is None else qubits, 1)
        self.depth = as_integer("depth", depth, 1)
        if self.qubits > MOST_QUBITS:
            raise ValueError(
                f"qubits must be at most {MOST_QUBITS}, got {self.qubits}, by default one for each "
                "feature or value that is returned: take fewer features and values"
            )
        if self.qubits < needed:
            raise ValueError(
                f"qubits must be at least {needed}, one for each feature and each value that is "
                f"returned, got {qubits}: take more, or fewer features and values"
            )
        latent = self.qubits if latent is None else latent
        as_integer("latent", latent, 1)
        home, dtype = self.parameter_device(device, shots=shots), real_type(dtype)
        cells = [
            _SlowProgrammer(size, latent, depth, self.qubits, device=home, dtype=dtype)
            for size in self.input_sizes()
        ]
        self.cells = nn.ModuleList(cells)
        self.reset_parameters(generator)

    @property
    def state_size(self) -> int:
        """Number of angles of the circuit."""
        return self.depth * self.qubits

    def sizes(self) -> dict[str, int | str]:
        """Those of every layer, and of the circuit."""
        return super().sizes() | {"qubits": self.qubits, "depth": self.depth}

    def run_cell(
        self, cell: nn.Module, inputs: Tensor, state: Tensor, steps: Steps
    ) -> tuple[Tensor, Tensor]:
        """All changes of angles at once, and one circuit for each step that is read."""
        with full_precision(inputs.device):
            updates = cast(_SlowProgrammer, cell)(inputs)
            states = state + updates.flatten(-2).cumsum(0)
            for angles in (inputs, states):
                check_angles("what features make of angles", angles, SCALE_FEATURES)
            angles = states.unflatten(-1, (self.depth, self.qubits))
            if self.quantum_device is None:
                if steps.last_alone:
                    inputs, angles = inputs[-1:], angles[-1:]
                outputs = programmed_expectations(inputs, angles)
            else:
                outputs = programmed_expectations_on(
                    inputs, angles, self.quantum_device, shots=self.shots, read=steps.read
                )
        return outputs[..., : self.hidden_size], states


class _SlowProgrammer(nn.Module):
    """The network that says how a step changes the angles."""

    def __init__(
        self,
        features: int,
        latent: int,
        depth: int,
        qubits: int,
        *,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.encoder = undrawn(nn.Linear, features, latent, device=device, dtype=dtype)
        self.of_layers = undrawn(nn.Linear, latent, depth, device=device, dtype=dtype)
        self.of_qubits = undrawn(nn.Linear, latent, qubits, device=device, dtype=dtype)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws the parameters as those of ``torch.nn.Linear``.

        Args:
            generator: Source of randomness, a CPU generator.
        """
        for linear in (self.encoder, self.of_layers, self.of_qubits):
            for parameter in (linear.weight, linear.bias):
                draw_uniform(parameter, linear.in_features**-0.5, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """The changes of the angles, shape ``(..., depth, n)``, for features ``(..., F)``."""
        encoded = self.encoder(inputs)
        changes: Tensor = (
            self.of_layers(encoded)[..., :, None] * self.of_qubits(encoded)[..., None, :]
        )
        return changes
