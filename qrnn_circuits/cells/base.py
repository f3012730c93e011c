"""What a recurrent cell is to the network, the trainer and the circuits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from qrnn_circuits.neuron import Semantics
from qrnn_circuits.saved_options import SavedOptions
from qrnn_circuits.tensors import zero_states
from qrnn_circuits.tracing import RestrictedModule

if TYPE_CHECKING:
    from pennylane.operation import Operator

NeuronFactory = Callable[[Tensor, Sequence[int], int, int], Any]
"""Makes a neuron's operation of its coefficients, control wires, target wire and degree."""

# What PyTorch's losses ignore in a target, which no mistake in counting symbols leads to.
UNREAD = -100
"""In place of an outcome: the step's lane is not read, and only carries the input."""

PADDING = -101
"""In place of an outcome: there is no step, the sequence has ended before. The input is ignored."""


class CircuitStage(NamedTuple):
    """A named part of the circuit of one step.

    Attributes:
        name: What drawings and counts call it.
        operations: PennyLane operations in the order in which they act.
    """

    name: str
    operations: "list[Operator]"


class Cell(SavedOptions, RestrictedModule, ABC):
    """One step of a recurrent network, from an input symbol to a lane that can be read.

    A new cell says what a step does to a state (:meth:`forward`) and, if it is to run on devices,
    which gates do it (:meth:`circuit`). Everything else has a default for cells of real amplitudes,
    which a cell of another kind overrides.

    Attributes:
        lane: Number I of lane wires; a symbol is an integer in ``[0, 2**I)``.
        workspace: Number W of workspace wires, which hold the state from step to step.
        order: Order of the quantum neurons that the cell is built of; 0 for neurons without
            sharpening, or none.
        semantics: What its neurons do to their targets; ``"unitary"`` where there are none.
        features: Number F of real features that are a step's input; 0 where it is a symbol.

    Example:
        A wire of memory that the input flips:

        >>> class Flip(Cell):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.lane, self.workspace = 1, 1
        ...         self.sign = nn.Parameter(torch.ones(()))
        ...
        ...     def forward(self, inputs, state):
        ...         joint = state.new_zeros(len(inputs), 2, 2)
        ...         flipped = torch.where(inputs[:, None] == 1, state.flip(1), state)
        ...         joint[torch.arange(len(inputs)), inputs] = self.sign * flipped
        ...         return joint
        >>> cell = Flip()
        >>> joint = cell(torch.tensor([1]), cell.initial_state(1))
        >>> cell.weights(joint), cell.condition(joint, torch.tensor([1]))
        (tensor([[0., 1.]]...), tensor([[0., 1.]]...))
    """

    lane: int
    workspace: int
    order: int = 0
    semantics: Semantics = "unitary"
    features: int = 0

    @abstractmethod
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Runs one step up to the readout.

        Args:
            inputs: Symbols, int64, shape ``(B,)``; or features, shape ``(B, F)``.
            state: Normalised amplitudes of the workspace, shape ``(B, 2**W)``.

        Returns:
            Joint amplitudes of lane and workspace just before the lane is read, shape
            ``(B, 2**I, 2**W)``. The squared norm is the probability that nothing which the step
            postselects fails.
        """

    def evolve(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Runs one step whose lane is not read: nothing is written on it but the input.

        Args:
            inputs: Symbols, int64, shape ``(B,)``; or features, shape ``(B, F)``.
            state: Normalised amplitudes of the workspace, shape ``(B, 2**W)``.

        Returns:
            Amplitudes of the workspace, shape ``(B, 2**W)``. The squared norm is the probability
            that nothing which the step postselects fails.

        Raises:
            NotImplementedError: If the cell must be read at every step.
        """
        raise _must_be_read(self)

    @property
    def most_controls(self) -> int:
        """The largest number of control wires of a neuron."""
        return self.lane + self.workspace - 1

    def initial_state(self, batch: int) -> Tensor:
        """The state before the first step, every workspace wire in 0, shape ``(B, 2**W)``."""
        return zero_states(self, batch, 2**self.workspace)

    def weights(self, joint: Tensor) -> Tensor:
        """The probability of each outcome, not normalised, shape ``(B, 2**I)``.

        Args:
            joint: What :meth:`forward` has returned.
        """
        return joint.square().sum(-1)

    def condition(self, joint: Tensor, outcomes: Tensor) -> Tensor:
        """The normalised states once the lane has been read, shape ``(B, 2**W)``.

        Args:
            joint: What :meth:`forward` has returned.
            outcomes: What was read, int64, shape ``(B,)``.
        """
        # No len(), by which torch.export would fix the size of a batch.
        state = joint[torch.arange(joint.shape[0], device=joint.device), outcomes]
        return state / state.square().sum(-1, keepdim=True).sqrt()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The trainable parameters in groups that may learn at rates of their own.

        Returns:
            Every parameter once. A group ``"readout"`` holds those that only the lane depends on.
        """
        return {"cell": list(self.parameters())}

    def parity_angles(self) -> Tensor:
        """The angles by which the circuits of the cell's neurons rotate, in radians.

        Returns:
            Shape ``(N, R)`` for N neurons; the rotation that needs no control comes first.
            Differentiable.

        Raises:
            NotImplementedError: If the cell is not built of quantum neurons.
        """
        raise NotImplementedError(
            f"{type(self).__name__} tells no angles of neurons: a cell whose circuits are to "
            "become sparse defines the methods parity_angles and prune"
        )

    def prune(self, tolerance: float) -> None:
        """Sets the rotations to zero whose angle is at most a tolerance, but for the first ones.

        Args:
            tolerance: In radians.

        Raises:
            NotImplementedError: If the cell has no such angles, or they are not to be set.
        """
        raise NotImplementedError(
            f"{type(self).__name__} sets no angles of neurons to zero: a cell whose circuits are "
            "to become sparse defines the methods parity_angles and prune"
        )

    def sizes(self) -> Mapping[str, int | str]:
        """What tells the cell from others of its class, in reports and in a ``state_dict``."""
        return {"lane": self.lane, "workspace": self.workspace}

    def circuit(
        self,
        symbol: Any,  # noqa: ANN401 - a cell takes either the one or the other
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        """The gates of one step as PennyLane operations, which are not queued.

        Args:
            symbol: The input symbol, or the features, shape ``(F,)``.
            lane: The lane wires, the most significant bit of a symbol first.
            workspace: The workspace wires.
            neuron: Makes the operation of a quantum neuron in the chosen realisation.
            lane_symbol: The symbol that the lane still holds from the step before.

        Returns:
            The stages in order. On the state that every lane wire but those of ``lane_symbol``
            reads 0 they do what :meth:`forward` does.

        Raises:
            NotImplementedError: If the cell has no circuit.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no circuit and runs in simulation only: a cell that "
            "is to be compiled, inspected or run on a device defines the method circuit"
        )

    def evolve_circuit(
        self,
        symbol: Any,  # noqa: ANN401 - a cell takes either the one or the other
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        """The gates of one step whose lane is not read: as :meth:`circuit` for :meth:`evolve`.

        Args:
            symbol: The input symbol, or the features, shape ``(F,)``.
            lane: The lane wires.
            workspace: The workspace wires.
            neuron: Makes the operation of a quantum neuron in the chosen realisation.
            lane_symbol: The symbol that the lane still holds from the step before.

        Returns:
            The stages in order, after which the lane holds the input symbol.

        Raises:
            NotImplementedError: If the cell must be read at every step.
        """
        raise _must_be_read(self)


def check_unread(cell: Cell) -> None:
    """Raises a ``NotImplementedError`` for a cell that must be read at every step."""
    if type(cell).evolve is Cell.evolve or type(cell).evolve_circuit is Cell.evolve_circuit:
        raise _must_be_read(cell)


def _must_be_read(cell: Cell) -> NotImplementedError:
    return NotImplementedError(
        f"{type(cell).__name__} must be read at every step: a cell that is to have unread steps "
        "defines the methods evolve and evolve_circuit"
    )


def symbol_flips(wires: Sequence[int], symbol: int) -> "list[Operator]":
    """An X on each wire where the symbol has a 1: writes it onto zeros, or takes it off.

    Args:
        wires: The lane wires, the most significant bit first.
        symbol: From 0 to ``2**len(wires) - 1``.
    """
    import pennylane as qml

    with qml.QueuingManager.stop_recording():
        return [qml.X(wire) for place, wire in enumerate(reversed(wires)) if symbol >> place & 1]
