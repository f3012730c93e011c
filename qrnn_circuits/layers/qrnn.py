"""The QRNN as a drop-in replacement of ``torch.nn.RNN``, which also runs on quantum devices."""

from typing import TYPE_CHECKING, Self, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.circuits.expectations import expectations_on_device
from qrnn_circuits.circuits.tapes import Readout, wires_read
from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.steps import Reading, Steps
from qrnn_circuits.neuron import Initialisation, Semantics, type_of_states
from qrnn_circuits.numerical_errors import PrecisionError
from qrnn_circuits.simulation.expectations import feature_states
from qrnn_circuits.tensors import check_normalised
from qrnn_circuits.tracing import full_precision, is_traced

if TYPE_CHECKING:
    import pennylane as qml

    from qrnn_circuits.circuits.realisations import Realisation


class QRNNLayer(RecurrentLayer):
    """Quantum recurrent cells with the call of ``torch.nn.RNN``.

    A step's features turn the angles of quantum neurons, see
    :class:`~qrnn_circuits.cells.feature_qrnn.FeatureQRNNCell`. What it returns of a step is what
    the circuit that is cut there reads on its lane: no step collapses the state of those after it.

    Attributes:
        readout: ``"expectations"`` or ``"populations"``.

    Example:
        >>> layer = QRNNLayer(input_size=3, hidden_size=8, batch_first=True)
        >>> output, state = layer(torch.randn(5, 20, 3))
        >>> output.shape, state.shape
        (torch.Size([5, 20, 8]), torch.Size([1, 5, 8]))
        >>> on_device = layer.on("qrnn.torch", shots=1000)
        >>> on_device(torch.randn(1, 2, 3))[0].shape
        torch.Size([1, 2, 8])
    """

    classical_state = False
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
        workspace: int | None = None,
        stages: int = 1,
        order: int = 0,
        degree: int = 2,
        semantics: Semantics = "unitary",
        readout: Readout = "expectations",
        feature_spread: float = 0.1,
        readout_feature_spread: float = 1.0,
        initialisation: Initialisation | None = None,
        generator: torch.Generator | None = None,
        device: "torch.device | qml.devices.Device | str | None" = None,
        shots: int | None = None,
        realisation: "Realisation | str | None" = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Makes the cells and draws their parameters.

        Args:
            input_size: Number of features of a step.
            hidden_size: Number of values H that each direction returns of a step: the expectation
                of Z on each of H lane wires, or the probabilities of the H symbols of a lane.
            num_layers: Number of layers.
            batch_first: Whether a batch of inputs and outputs has its sequences in front.
            dropout: Probability with which an output that another layer takes in is set to 0.
            bidirectional: Whether another cell runs from back to front.
            reading: ``"every"``, or ``"last"`` to return the last step's values alone, for which a
                device runs one circuit instead of one for each step.
            workspace: Number W of workspace wires, at least 2; by default the smallest with at
                least H amplitudes. States have ``2**W``.
            stages: Number of work stages.
            order: Order of every neuron; 0 does not sharpen.
            degree: Largest number of bits and features in one monomial of an angle.
            semantics: ``"unitary"`` or ``"postselected"``, alike for order 0.
            readout: ``"expectations"``, or ``"populations"`` of a lane of ``log2(H)`` wires.
            feature_spread: Standard deviation of the initial coefficients of features in neurons
                onto workspace wires, in radians.
            readout_feature_spread: The same in neurons onto lane wires.
            initialisation: Spreads of the other initial parameters.
            generator: Source of randomness, a CPU generator.
            device: Where the parameters live (``"cpu"``, ``"cuda"``); or the PennyLane device, or
                its name, that runs the layer, see :meth:`on`.
            shots: Number of shots of each circuit on that device; none for an exact device.
            realisation: How neurons are built there.
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
        lane = wires_read(readout, hidden_size)
        if workspace is None:
            workspace = max(2, (hidden_size - 1).bit_length())
        self.readout: Readout = readout
        self._realisation: Realisation | str | None = None
        home = self.parameter_device(device, shots=shots, realisation=realisation)
        cells = [
            FeatureQRNNCell(
                features=size,
                lane=lane,
                workspace=workspace,
                stages=stages,
                order=order,
                degree=degree,
                semantics=semantics,
                feature_spread=feature_spread,
                readout_feature_spread=readout_feature_spread,
                initialisation=initialisation,
                generator=generator,
                device=home,
                dtype=dtype,
            )
            for size in self.input_sizes()
        ]
        self.cells = nn.ModuleList(cells)

    def on(
        self,
        device: "qml.devices.Device | str",
        *,
        shots: int | None = None,
        realisation: "Realisation | str | None" = None,
    ) -> Self:
        """The same layer, of the same parameters, run as circuits on a device.

        Every step of every sequence is the circuit up to there, and all circuits of a layer are one
        batch. Gradients come by the parameter-shift rule where there are shots. A device does not
        tell its state: the second value that the layer returns is NaN, and there is no ``hx``.

        Args:
            device: A PennyLane device or the name of one.
            shots: Number of shots of each circuit; none for an exact device.
            realisation: How neurons are built; by default ``"multiplexed"`` of unitary and
                ``"postselect"`` of postselected semantics. Neurons of order 0 are alike in all.

        Returns:
            A layer that shares its parameters with this one.

        Raises:
            TypeError: If ``device`` is neither, or ``shots`` is no integer.
            ValueError: If ``shots`` is not positive, or the device has several numbers of shots.
        """
        layer = self.alias()
        layer.use_device(device, shots, realisation)
        return layer

    def use_device(
        self,
        device: "qml.devices.Device | str",
        shots: int | None,
        realisation: "Realisation | str | None" = None,
    ) -> None:
        """Runs the layer itself as circuits on a device; arguments as for :meth:`on`."""
        super().use_device(device, shots)
        self._realisation = realisation

    @property
    def state_size(self) -> int:
        """Number of amplitudes of a cell's workspace, ``2**W``."""
        return 1 << self._cell.workspace

    def sizes(self) -> dict[str, int | str]:
        """Those of every layer, and the readout."""
        return super().sizes() | {"readout": self.readout}

    @property
    def _cell(self) -> FeatureQRNNCell:
        return cast(FeatureQRNNCell, self.cells[0])

    def initial_state(self, cell: nn.Module, batch: int) -> Tensor:
        """Every workspace wire in 0."""
        return cast(FeatureQRNNCell, cell).initial_state(batch)

    def check_state(self, state: Tensor) -> None:
        """Raises a ``ValueError`` where amplitudes are not normalised."""
        check_normalised("hx", state)

    def run_cell(
        self, cell: nn.Module, inputs: Tensor, state: Tensor, steps: Steps
    ) -> tuple[Tensor, Tensor]:
        """What the circuit that is cut at a step reads there, and the amplitudes."""
        cell = cast(FeatureQRNNCell, cell)
        if self.quantum_device is not None:
            outputs = expectations_on_device(
                cell,
                inputs,
                self.quantum_device,
                shots=self.shots,
                readout=self.readout,
                realisation=self._realisation,
                read=steps.read,
            )
            return outputs, state.new_full((len(inputs), *state.shape), torch.nan)
        dtype = type_of_states(cell.order, cell.semantics, inputs.dtype)
        with full_precision(inputs.device):
            features = inputs.to(dtype)
            states = feature_states(cell, features, state.to(dtype), last=steps.last_alone)
            read = (features[-1:] if steps.last_alone else features).flatten(0, 1)
            populations = states.square().flatten(0, 1)
            if self.readout == "expectations":
                outputs = cell.lane_expectations(read, populations)
            else:
                joint = cell.lane_blocks(read).amplitudes().square()
                weights = (joint * populations[:, None]).sum(-1)
                outputs = weights / weights.sum(-1, keepdim=True)
            outputs = outputs.unflatten(0, states.shape[:2])
        postselects = cell.semantics == "postselected"
        if postselects and not is_traced() and not torch.isfinite(outputs).all():
            wider = "the method double() of the layer, " if dtype == torch.float32 else ""
            raise PrecisionError(
                f"amplitudes underflow in {dtype}, as neurons of order {cell.order} make what is "
                f"postselected too unlikely: take {wider}a lower order, or semantics='unitary'"
            )
        return outputs.to(inputs.dtype), states.to(inputs.dtype)
