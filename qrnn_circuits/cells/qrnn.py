"""The QRNN cell: one step of the recurrent network, from an input symbol to a readout lane."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qrnn_circuits.angle_checks import are_angles, check_parameters, check_types
from qrnn_circuits.cells.base import CircuitStage, NeuronFactory, symbol_flips
from qrnn_circuits.cells.neuron_cell import NeuronCell, neurons_onto
from qrnn_circuits.cells.sparsity import parity_angles, prune
from qrnn_circuits.checks import as_integer
from qrnn_circuits.choices import Basis
from qrnn_circuits.gates import StepGates, WorkspaceStages, apply_workspace_gates, gate_tables
from qrnn_circuits.neuron import Initialisation, Semantics, check_neuron_options, initialisation_of
from qrnn_circuits.polynomial import BooleanPolynomial
from qrnn_circuits.tensors import real_type
from qrnn_circuits.tracing import renew_parameters

# A single state of more wires takes more than 4 GiB in float32.
MOST_WIRES = 30


class QRNNCell(NeuronCell):
    """One step of a QRNN with its trainable parameters (Bausch, arXiv:2006.14619, figure 3).

    In order: write the input symbol on the lane; the input stage, one neuron onto each workspace
    wire; ``stages`` work stages, each a rotation ``RY(theta)`` of every workspace wire and then one
    neuron onto each; take the input off the lane; the output stage, one neuron onto each lane wire.
    A step whose lane is not read ends before the input is taken off.
    A neuron is controlled by every lane and workspace wire but its target, lane wires first.

    Attributes:
        lane: Number I of lane wires; a symbol is an integer in ``[0, 2**I)``.
        workspace: Number W of workspace wires, which hold the state of the cell.
        stages: Number of work stages.
        polynomial: The :class:`BooleanPolynomial` that every neuron shares.
        coefficients: Of the neurons onto workspace wires, trainable, shape ``(W + stages * W, P)``:
            one row for each neuron, in the order in which they act, in the polynomial's basis.
        readout_coefficients: Of the neurons onto lane wires, trainable, shape ``(I, P)``.
        theta: Trainable rotation angles in radians, shape ``(stages, W)``.

    Example:
        >>> cell = QRNNCell(lane=1, workspace=2, stages=1, degree=2)
        >>> joint = cell(torch.tensor([0, 1]), cell.initial_state(2))
        >>> joint.shape
        torch.Size([2, 2, 4])
        >>> {name: len(group) for name, group in cell.parameter_groups().items()}
        {'cell': 2, 'readout': 1}
    """

    def __init__(
        self,
        *,
        lane: int,
        workspace: int,
        stages: int = 1,
        order: int = 2,
        degree: int = 2,
        semantics: Semantics = "postselected",
        basis: Basis = "monomials",
        initialisation: Initialisation | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draws the initial parameters.

        Args:
            lane: Number I of lane wires, at least 1.
            workspace: Number W of workspace wires, at least 1; with the lane at most
                ``MOST_WIRES``.
            stages: Number of work stages, at least 0.
            order: Order of every neuron, from 0 to ``MAX_ORDER``; 0 does not sharpen.
            degree: Degree of every neuron's polynomial, from 1 to ``W + I - 1``.
            semantics: ``"postselected"`` or ``"unitary"``; of order 0 always the latter.
            basis: What the trainable coefficients are of: ``"monomials"``, as in the paper, or
                ``"parities"``. The functions are the same, but an optimiser which moves each
                coefficient by itself goes another way, with many controls a far better one.
            initialisation: Spreads of the initial parameters, in the basis of monomials.
            generator: Source of randomness, a CPU generator.
            device: Where the parameters live.
            dtype: Their type, float32 or float64; by default torch's default type.

        Raises:
            ValueError: If an option is out of range.
        """
        super().__init__()
        self.lane = lane = as_integer("lane", lane, 1)
        self.workspace = workspace = as_integer("workspace", workspace, 1)
        self.stages = stages = as_integer("stages", stages, 0)
        if lane + workspace > MOST_WIRES:
            raise ValueError(
                f"lane and workspace must have at most {MOST_WIRES} wires in all, got {lane} and "
                f"{workspace}: a state of them has 2**{lane + workspace} amplitudes"
            )
        self.order = order = check_neuron_options(order, semantics)
        dtype = real_type(dtype)
        # Nothing is sharpened, hence nothing postselected.
        self.semantics: Semantics = semantics if order else "unitary"
        self.polynomial = BooleanPolynomial(workspace + lane - 1, degree, basis)
        initialisation = initialisation_of(initialisation)
        neurons = workspace * (1 + stages) + lane
        home = device or torch.get_default_device()
        coefficients = initialisation.coefficients(
            (neurons, self.polynomial.size), order, generator, home
        )
        drawn = BooleanPolynomial(workspace + lane - 1, degree)
        coefficients = drawn.in_basis(coefficients, basis)
        theta = initialisation.theta((stages, workspace), generator, home)
        self.coefficients = nn.Parameter(coefficients[:-lane].to(dtype))
        self.readout_coefficients = nn.Parameter(coefficients[-lane:].to(dtype))
        self.theta = nn.Parameter(theta.to(dtype))
        check_parameters(self)
        self.to(home)

    @property
    def degree(self) -> int:
        """Degree of every neuron's polynomial."""
        return self.polynomial.degree

    @property
    def basis(self) -> Basis:
        """What the coefficients are of, ``"monomials"`` or ``"parities"``."""
        return self.polynomial.basis

    @property
    def neuron_coefficients(self) -> Tensor:
        """Coefficients of all neurons in the order in which they act, shape ``(N, P)``."""
        return torch.cat((self.coefficients, self.readout_coefficients))

    def step_gates(self, dtype: torch.dtype | None = None) -> StepGates:
        """Evaluates the gates of one step at the current parameters.

        Args:
            dtype: Type of the tables, by default that of the parameters.

        Raises:
            ParameterRangeError: If a parameter is not finite or too large for an angle.
        """
        check_types((self.coefficients, self.readout_coefficients, self.theta))
        coefficients, theta = self.neuron_coefficients, self.theta
        if not are_angles((coefficients, theta)):
            check_parameters(self)
        tables = gate_tables(
            coefficients.to(dtype),
            self.polynomial,
            lane=self.lane,
            workspace=self.workspace,
            order=self.order,
            semantics=self.semantics,
        )
        stages = WorkspaceStages(tables.blocks, theta.to(dtype))
        return StepGates(stages, tables.readout, tables.scales)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Runs one step up to the readout.

        Args:
            inputs: Symbols, int64, shape ``(B,)``.
            state: Workspace amplitudes, shape ``(B, 2**W)``.

        Returns:
            Joint amplitudes of lane and workspace just before the lane is read, shape
            ``(B, 2**I, 2**W)``. With ``"postselected"`` semantics they are not normalised: the
            squared norm is the probability that every ancilla of the step reads 0.

        Raises:
            ParameterRangeError: If a parameter is not finite or too large for an angle.
        """
        gates = self.step_gates()
        evolved = apply_workspace_gates(gates.workspace, state.T, inputs).T
        scale = gates.log_scale.exp().to(state.dtype)
        return scale * evolved[:, None, :] * gates.readout

    def evolve(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Runs the input and work stages of a step whose lane is not read.

        Args:
            inputs: Symbols, int64, shape ``(B,)``.
            state: Workspace amplitudes, shape ``(B, 2**W)``.

        Returns:
            Workspace amplitudes, shape ``(B, 2**W)``. With ``"postselected"`` semantics their
            squared norm is the probability that every ancilla of the step reads 0.

        Raises:
            ParameterRangeError: If a parameter is not finite or too large for an angle.
        """
        gates = self.step_gates()
        scale = (gates.log_scale - gates.readout_log_scale).exp().to(state.dtype)
        return scale * apply_workspace_gates(gates.workspace, state.T, inputs).T

    def parity_angles(self) -> Tensor:
        """The angles of the parities that the circuit of each neuron rotates by, ``(N, R)``.

        They are those of the default realisation: parities of the polynomial of postselected
        neurons and of order 0, ``R = P``; else of the activation, ``R = 2**(W+I-1)``.
        """
        renew_parameters(self)
        return parity_angles(
            self.neuron_coefficients, self.polynomial, order=self.order, semantics=self.semantics
        )

    def prune(self, tolerance: float) -> None:
        """Sets small parities of the polynomials to zero, but for the constants.

        Raises:
            NotImplementedError: If the neurons rotate by parities of an activation, or coefficients
                are computed from others, as by ``torch.nn.utils``.
        """
        if self.order and self.semantics == "unitary":
            raise NotImplementedError(
                f"a unitary neuron of order {self.order} rotates by its activation, whose parities "
                "cannot be set one by one: only those of order 0 or postselected ones are pruned"
            )
        named = [(name, getattr(self, name)) for name in ("coefficients", "readout_coefficients")]
        for name, coefficients in named:
            if not isinstance(coefficients, nn.Parameter):
                raise NotImplementedError(
                    f"{name} must be a parameter to be pruned, but is computed from others, which "
                    "would undo it: take off what torch.nn.utils has put there, as prune.remove or "
                    "parametrize.remove_parametrizations does"
                )
        for _, coefficients in named:
            prune(coefficients, self.polynomial, tolerance)

    def sizes(self) -> dict[str, int | str]:
        """Lane, workspace, stages, order, degree, semantics and basis."""
        return {
            "lane": self.lane,
            "workspace": self.workspace,
            "stages": self.stages,
            "order": self.order,
            "degree": self.degree,
            "semantics": self.semantics,
            "basis": self.basis,
        }

    def circuit(
        self,
        symbol: int,
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        """The stages by their names, with only those flips between steps that do not cancel."""
        rows = self.polynomial.in_basis(self.readout_coefficients, "monomials")
        outputs = neurons_onto(rows, [*lane, *workspace], lane, neuron, self.degree)
        return [
            *self.evolve_circuit(symbol, lane, workspace, neuron, lane_symbol=lane_symbol),
            CircuitStage("remove input", symbol_flips(lane, symbol)),
            CircuitStage("output stage", outputs),
        ]

    def evolve_circuit(
        self,
        symbol: int,
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        """The stages up to the last work stage."""
        controls = [*lane, *workspace]
        rows = self.polynomial.in_basis(self.coefficients, "monomials")
        return [
            CircuitStage("write input", symbol_flips(lane, lane_symbol ^ symbol)),
            *self._workspace_stages(rows, controls, workspace, neuron, self.degree),
        ]
