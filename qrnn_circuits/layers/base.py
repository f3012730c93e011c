"""Recurrent layers that are called as ``torch.nn.RNN``, whatever cell they are made of."""

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from qrnn_circuits.angle_checks import check_types
from qrnn_circuits.checks import as_integer, check_bool, check_choice, check_number, plain
from qrnn_circuits.layers.placement import check_no_options, is_of_torch, resolve_device
from qrnn_circuits.layers.steps import Reading, Steps
from qrnn_circuits.layers.unequal_lengths import at_ends, packed_like, turned
from qrnn_circuits.saved_options import SavedOptions
from qrnn_circuits.tensors import check_finite, check_tensor, check_type, first_parameter
from qrnn_circuits.tracing import RestrictedModule, is_traced, renew_parameters, widened

if TYPE_CHECKING:
    import pennylane as qml


class RecurrentLayer(SavedOptions, RestrictedModule, ABC):
    """Cells stacked in layers and directions, with the call and the shapes of ``torch.nn.RNN``.

    A subclass makes its :attr:`cells`, and says how one runs along sequences (:meth:`run_cell`) and
    how many values its state has (:attr:`state_size`). Everything else has a default: layers,
    directions, packed sequences, checks of what is given, and devices. A cell is any module with a
    method ``reset_parameters(generator)``. An option without which the parameters mean nothing
    belongs in :meth:`sizes` too.

    Attributes:
        input_size: Number of features of a step.
        hidden_size: Number of values H that each direction returns of a step.
        num_layers: Number of layers, each of which takes in what the one before it returns.
        batch_first: Whether a batch of inputs and outputs has its sequences in front.
        dropout: Probability with which an output that another layer takes in is set to 0.
        bidirectional: Whether there is a cell for each direction.
        reading: ``"every"`` or ``"last"``: the steps of which the last layer returns something.
        cells: The cells, the forward direction of a layer before the backward one.
        quantum_device: The PennyLane device that runs the cells' circuits; None where they are
            simulated without one.
        shots: Number of shots of each circuit on that device, or None.
        classical_state: Whether the state is classical, so that a device tells it and ``hx`` can be
            given there.
        vectorised: Whether ``torch.func.vmap`` follows :meth:`run_cell` without a device, so that
            networks of several seeds are computed at once. By default they are one by one.
        affordable_hidden_size: The ``hidden_size`` of runs by default, where each value is a wire
            more to simulate; None for that of the recipe.
    """

    cells: nn.ModuleList
    classical_state: ClassVar[bool] = True
    vectorised: ClassVar[bool] = False
    affordable_hidden_size: ClassVar[int | None] = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        reading: Reading,
    ) -> None:
        """Checks the options that all layers share.

        Raises:
            TypeError: If an option is of the wrong type.
            ValueError: If an option is out of range.
        """
        super().__init__()
        self.input_size = as_integer("input_size", input_size, 1)
        self.hidden_size = as_integer("hidden_size", hidden_size, 1)
        self.num_layers = num_layers = as_integer("num_layers", num_layers, 1)
        check_choice("reading", reading, get_args(Reading))
        check_bool("batch_first", batch_first)
        check_bool("bidirectional", bidirectional)
        if check_number("dropout", plain(dropout)) > 1:
            raise ValueError(f"dropout must be a probability from 0 to 1, got {dropout!r}")
        if dropout and num_layers == 1:
            warnings.warn(
                f"dropout={dropout} acts between layers, of which num_layers=1 has none",
                stacklevel=3,
            )
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.reading: Reading = reading
        self.shots: int | None = None
        self.quantum_device: qml.devices.Device | None = None

    def on(self, device: "qml.devices.Device | str", *, shots: int | None = None) -> Self:
        """The same layer, of the same parameters, run as circuits on a device.

        Gradients come by the parameter-shift rule where there are shots, else as the device does
        best.

        Args:
            device: A PennyLane device or the name of one.
            shots: Number of shots of each circuit, by default those of the device itself; none for
                an exact device.

        Returns:
            A layer that shares its parameters with this one.

        Raises:
            TypeError: If ``device`` is neither, or ``shots`` is no integer.
            ValueError: If ``shots`` is not positive, or the device has several numbers of shots.
        """
        layer = self.alias()
        layer.use_device(device, shots)
        return layer

    def alias(self) -> Self:
        """A layer that shares its parameters with this one."""
        layer = self.__class__.__new__(self.__class__)
        # Hooks that are added to the one later are not the other's.
        layer.__dict__ = {
            name: value.copy() if "_hooks" in name else value
            for name, value in self.__dict__.items()
        }
        return layer

    def use_device(self, device: "qml.devices.Device | str", shots: int | None) -> None:
        """Runs the layer itself as circuits on a device, see :meth:`on`.

        Args:
            device: A PennyLane device or the name of one.
            shots: Number of shots of each circuit, by default those of the device itself.

        Raises:
            TypeError: If ``device`` is neither, or ``shots`` is no integer.
            ValueError: If ``shots`` is not positive, or the device has several numbers of shots.
        """
        self.quantum_device, self.shots = resolve_device(device, shots)

    def parameter_device(
        self, device: "torch.device | qml.devices.Device | str | None", **options: object
    ) -> torch.device | str | None:
        """Takes a quantum device if it is one, and returns where the parameters live.

        Args:
            device: The option of a layer: of PyTorch, of PennyLane, or the name of either.
            options: What only a quantum device has, ``shots`` among them.

        Returns:
            For parameters; None, which is PyTorch's own choice, with a quantum device.

        Raises:
            TypeError: If ``device`` is neither, or ``shots`` is no integer.
            ValueError: If one of the options is given without a quantum device, or is out of range.
        """
        if is_of_torch(device):
            check_no_options(device, options)
            return device
        self.use_device(device, **options)  # type: ignore[arg-type]
        return None

    @property
    def directions(self) -> int:
        """1, or 2 of a bidirectional layer."""
        return 2 if self.bidirectional else 1

    def sizes(self) -> dict[str, int | str]:
        """What parameters mean nothing without: numbers of values, layers and directions."""
        return {
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
        }

    def extra_repr(self) -> str:
        """Shows the options in ``repr``."""
        options = self.sizes() | {
            name: getattr(self, name) for name in ("batch_first", "dropout", "reading")
        }
        if self.quantum_device is not None:
            options |= {"device": self.quantum_device.name, "shots": self.shots}
        return ", ".join(f"{name}={value!r}" for name, value in options.items())

    def flatten_parameters(self) -> None:
        """Does nothing: scripts call it of layers of PyTorch, whose parameters it rearranges."""

    def input_sizes(self) -> list[int]:
        """How many features each cell takes in, in the order of :attr:`cells`."""
        later = self.directions * self.hidden_size
        sizes = [self.input_size] + [later] * (self.num_layers - 1)
        return [size for size in sizes for _ in range(self.directions)]

    @property
    @abstractmethod
    def state_size(self) -> int:
        """Number of values of a cell's state."""

    def initial_state(self, cell: nn.Module, batch: int) -> Tensor:
        """The state of a cell before the first step, by default zeros.

        Args:
            cell: One of :attr:`cells`.
            batch: Number of sequences B.

        Returns:
            Shape ``(B, S)``.
        """
        return first_parameter(cell).new_zeros(batch, self.state_size)

    @abstractmethod
    def run_cell(
        self, cell: nn.Module, inputs: Tensor, state: Tensor, steps: Steps
    ) -> tuple[Tensor, Tensor]:
        """Runs a cell along sequences.

        Args:
            cell: One of :attr:`cells`.
            inputs: Shape ``(T, B, F)``.
            state: To start from, shape ``(B, S)``.
            steps: What is asked for.

        Returns:
            The outputs, shape ``(T, B, H)``, whatever they are where none are asked for; and the
            state after each step, shape ``(T, B, S)``, whatever it is behind the last one. Or
            ``(1, B, H)`` and ``(1, B, S)`` where the last step is asked for alone.
        """

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _run_on_device(self, *arguments: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """As :meth:`run_cell`, which no compiler follows, nor each transform of ``torch.func``."""
        try:
            return self.run_cell(*arguments)
        except RuntimeError as error:
            if not is_traced():
                raise
            raise RuntimeError(
                "torch.func does not follow what a quantum device computes: take torch.autograd, "
                "as torch.autograd.functional.hessian, or the layer without a device"
            ) from error

    def check_state(self, state: Tensor) -> None:
        """Checks that given numbers are a state, by default whatever they are.

        Args:
            state: Finite and of the right shape, ``(D * num_layers, B, S)``, of one sequence
                ``(D * num_layers, S)``.

        Raises:
            ValueError: If they are not.
        """

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws the parameters of all cells anew.

        Args:
            generator: Source of randomness, a CPU generator.
        """
        for cell in self.cells:
            cell.reset_parameters(generator)  # type: ignore[operator]

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Runs along sequences.

        Args:
            input: Shape ``(T, B, input_size)``, with ``batch_first`` ``(B, T, input_size)``, of one
                sequence ``(T, input_size)``; or a packed sequence.
            hx: States to start from, shape ``(D * num_layers, B, S)`` for D directions and a state
                of S values, of one sequence ``(D * num_layers, S)``; by default those of
                ``cell.initial_state``.

        Returns:
            The outputs of the last layer, of the shape of the input but with ``D * hidden_size``
            values of a step, and packed if it is; with ``reading="last"`` those of each sequence's
            last step alone, as one step, not packed. And the states after each sequence's last
            step, of the shape of ``hx``.

        Raises:
            ValueError: If a shape is wrong, or a number is not finite.
            TypeError: If a type is not that of the parameters.
        """
        renew_parameters(self.cells)
        dtype = first_parameter(self).dtype
        if isinstance(hx, Tensor):
            hx = widened(hx, dtype)
        if isinstance(input, PackedSequence):
            padded, lengths = pad_packed_sequence(input)
            padded = widened(padded, dtype)
            if self._check_input(padded):
                raise ValueError(
                    f"input must be packed sequences of shape (T, {self.input_size}) each, got one "
                    "number for each step: take sequence[:, None] of one feature"
                )
            output, state = self._along(padded, self._checked_hx(hx, padded, one=False), lengths)
            if self.reading == "last":
                return (output.transpose(0, 1) if self.batch_first else output), state
            return packed_like(input, output, lengths), state
        if isinstance(input, Tensor):
            input = widened(input, dtype)
        one = self._check_input(input)
        inputs = input[:, None] if one else input
        if self.batch_first and not one:
            inputs = inputs.transpose(0, 1)
        output, state = self._along(inputs, self._checked_hx(hx, inputs, one=one), None)
        if one:
            return output[:, 0], state[:, 0]
        return (output.transpose(0, 1) if self.batch_first else output), state

    def _along(
        self, inputs: Tensor, states: Tensor | None, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Runs all layers along sequences, ``(T, B, F)``, of which some may end early."""
        if self.quantum_device is not None and not inputs.shape[1]:
            # Without sequences there is no circuit.
            exact = self.alias()
            exact.quantum_device = None
            return exact._along(inputs, states, lengths)
        finals: list[Tensor] = []
        cells = iter(self.cells)
        steps, batch = inputs.shape[:2]
        if lengths is None:
            ends = torch.full((batch,), steps, device=inputs.device)
        else:
            ends = lengths.to(inputs.device)
        places = torch.arange(steps, device=inputs.device)[:, None]
        present = places < ends
        last_step = places == ends - 1
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.directions):
                cell = next(cells)
                state = states[len(finals)] if states is not None else None
                if state is None:
                    state = self.initial_state(cell, inputs.shape[1])
                ordered = turned(inputs, lengths) if direction else inputs
                asked = Steps(present, present, last_alone=False)
                if self.reading == "last" and layer + 1 == self.num_layers:
                    alone = lengths is None and not self.bidirectional
                    end = (places == 0) & present if direction else last_step
                    asked = Steps(end, present, last_alone=alone)
                run_cell = self.run_cell if self.quantum_device is None else self._run_on_device
                output, run = run_cell(cell, ordered, state, asked)
                finals.append(run[-1] if lengths is None else at_ends(run, lengths))
                outputs.append(turned(output, lengths) if direction else output)
            inputs = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
            if self.dropout and layer + 1 < self.num_layers:
                inputs = nn.functional.dropout(inputs, self.dropout, self.training)
        if self.reading == "last":
            inputs = inputs[-1:] if lengths is None else at_ends(inputs, lengths)[None]
        return inputs, torch.stack(finals)

    def _check_input(self, given: Tensor) -> bool:
        """Raises where an input is not acceptable, and returns whether it is a single sequence."""
        parameter = first_parameter(self)
        check_types(self.parameters())
        wanted = f"a tensor of the type of the parameters, {parameter.dtype}, or a PackedSequence"
        check_type("input", given, parameter.dtype, wanted)
        check_tensor("input", given, parameter)
        places, sizes = given.shape[:-1], given.shape[-1:]
        if (
            len(places) not in (1, 2)
            or sizes[0] != self.input_size
            or not places[-1 if self.batch_first else 0]
        ):
            batch = "(B, T, input_size)" if self.batch_first else "(T, B, input_size)"
            raise ValueError(
                f"input must have shape {batch} or (T, input_size) with input_size "
                f"{self.input_size} and at least one step, got {tuple(given.shape)}"
            )
        check_finite("input", given)
        return given.ndim == 2

    def _checked_hx(self, hx: Tensor | None, inputs: Tensor, *, one: bool) -> Tensor | None:
        if hx is None:
            return None
        shape = [len(self.cells), inputs.shape[1], self.state_size]
        expected = [shape[0], shape[2]] if one else shape
        if not isinstance(hx, Tensor) or list(hx.shape) != expected:
            found = str(tuple(hx.shape)) if isinstance(hx, Tensor) else f"a {type(hx).__name__}"
            if isinstance(hx, tuple):
                found += ": a state is one tensor, also where nn.LSTM has h and c apart"
            raise ValueError(f"hx must be a tensor of shape {tuple(expected)}, got {found}")
        check_type("hx", hx, inputs.dtype, f"of the input's type, {inputs.dtype}")
        if self.quantum_device is not None and not self.classical_state:
            raise ValueError(
                "hx must be None on a quantum device, which starts with every wire in 0: give it "
                "the whole sequence at once"
            )
        check_tensor("hx", hx, inputs)
        check_finite("hx", hx)
        self.check_state(hx)
        return hx.view(shape)
