"""The QRNN cell of real inputs: features in the angles of all neurons, read on lane wires."""

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor, nn

from qrnn_circuits.angle_checks import SCALE_FEATURES, check_angles, check_parameters
from qrnn_circuits.cells.base import CircuitStage, NeuronFactory, symbol_flips
from qrnn_circuits.cells.feature_blocks import LaneBlocks, WorkspaceRotations
from qrnn_circuits.cells.neuron_cell import NeuronCell, neurons_onto
from qrnn_circuits.cells.qrnn import MOST_WIRES
from qrnn_circuits.checks import as_integer, check_number, plain
from qrnn_circuits.feature_polynomial import FeaturePolynomial
from qrnn_circuits.gates import WorkspaceStages
from qrnn_circuits.neuron import (
    Initialisation,
    Semantics,
    apply_blocks,
    block_amplitudes,
    check_neuron_options,
    initialisation_of,
)
from qrnn_circuits.random_parameters import draw_normal
from qrnn_circuits.tensors import real_type


class FeatureQRNNCell(NeuronCell):
    """One step of a QRNN whose inputs are real features.

    As :class:`~qrnn_circuits.cells.qrnn.QRNNCell`, but nothing is written on the lane: features are
    variables of the polynomials of all neurons (data re-uploading, Perez-Salinas et al.,
    arXiv:1907.02085), so that all amplitudes stay real and a step takes no gates for them. In
    order: the input stage, one neuron onto each workspace wire, controlled by the others;
    ``stages`` work stages, each a rotation ``RY(theta)`` of every workspace wire and then one
    neuron onto each; in a step that is read the output stage, one neuron onto each lane wire,
    controlled by the workspace alone, so that many lane wires can be read. What a lane says of the
    features of its own step need not pass the workspace, which is a unitary's and does not forget.

    Attributes:
        features: Number F of real features of a step.
        lane: Number I of lane wires, which are read.
        workspace: Number W of workspace wires, which hold the state of the cell.
        stages: Number of work stages.
        polynomial: The :class:`FeaturePolynomial` of the neurons onto workspace wires, in the other
            workspace wires and the features.
        readout_polynomial: The :class:`FeaturePolynomial` of those onto lane wires, in all
            workspace wires and the features.
        coefficients: Of the neurons onto workspace wires, trainable, shape ``(W + stages * W, P)``.
        readout_coefficients: Of the neurons onto lane wires, trainable, shape ``(I, Q)``.
        theta: Trainable rotation angles in radians, shape ``(stages, W)``.

    Example:
        >>> cell = FeatureQRNNCell(features=3, lane=1, workspace=2)
        >>> cell(torch.randn(5, 3), cell.initial_state(5)).shape
        torch.Size([5, 2, 4])
    """

    def __init__(
        self,
        *,
        features: int,
        lane: int,
        workspace: int,
        stages: int = 1,
        order: int = 0,
        degree: int = 2,
        semantics: Semantics = "unitary",
        feature_spread: float = 0.1,
        readout_feature_spread: float = 1.0,
        initialisation: Initialisation | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draws the initial parameters.

        Args:
            features: Number F of real features of a step, at least 1.
            lane: Number I of lane wires, at least 1.
            workspace: Number W of workspace wires, from 2 to ``MOST_WIRES``.
            stages: Number of work stages, at least 0.
            order: Order of every neuron, from 0 to ``MAX_ORDER``; 0 does not sharpen.
            degree: Largest number of bits and features in a monomial, from 1 to ``W - 1 + F``.
            semantics: ``"postselected"`` or ``"unitary"``; of order 0 always the latter.
            feature_spread: Standard deviation of the initial coefficients of monomials with a
                feature, in radians, of the neurons onto workspace wires: the larger, the more of
                a long sequence a state depends on.
            readout_feature_spread: The same of the neurons onto lane wires: the larger, the less
                smooth a function of its step's features a lane is.
            initialisation: Spreads of the other initial parameters.
            generator: Source of randomness, a CPU generator.
            device: Where the parameters live.
            dtype: Their type, float32 or float64; by default torch's default type.

        Raises:
            ValueError: If an option is out of range.
        """
        super().__init__()
        self.features = features = as_integer("features", features, 1)
        self.lane = lane = as_integer("lane", lane, 1)
        self.workspace = workspace = as_integer("workspace", workspace, 2)
        self.stages = stages = as_integer("stages", stages, 0)
        if workspace > MOST_WIRES:
            raise ValueError(
                f"workspace must be at most {MOST_WIRES}, got {workspace}: a state of so many "
                f"wires has 2**{workspace} amplitudes"
            )
        self.feature_spread = check_number("feature_spread", plain(feature_spread))
        self.readout_feature_spread = check_number(
            "readout_feature_spread", plain(readout_feature_spread)
        )
        self.order = order = check_neuron_options(order, semantics)
        # Nothing is sharpened, hence nothing postselected.
        self.semantics: Semantics = semantics if order else "unitary"
        self.polynomial = FeaturePolynomial(workspace - 1, features, degree)
        self.readout_polynomial = FeaturePolynomial(workspace, features, degree)
        self.initialisation = initialisation_of(initialisation)
        dtype = real_type(dtype)

        def empty(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape, device=device, dtype=dtype))

        self.coefficients = empty(workspace * (1 + stages), self.polynomial.size)
        self.readout_coefficients = empty(lane, self.readout_polynomial.size)
        self.theta = empty(stages, workspace)
        self.reset_parameters(generator)

    @property
    def degree(self) -> int:
        """Degree of the neurons onto workspace wires."""
        return self.polynomial.degree

    @property
    def most_controls(self) -> int:
        """The controls of a neuron onto a lane wire."""
        return self.workspace

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draws the parameters anew.

        Args:
            generator: Source of randomness, a CPU generator.
        """
        if self.coefficients.is_meta:
            return
        drawn = self.initialisation.coefficients
        coefficients = drawn(self.coefficients.shape, self.order, generator)
        # With weights, as of order 0, since a fresh cell would else return constants; and the slope
        # of an expectation by the angle is 0 at angle 0.
        readout = drawn(self.readout_coefficients.shape, 0, generator)
        readout[:, 0] += pi / 2

        def with_features(rows: Tensor, polynomial: FeaturePolynomial, spread: float) -> Tensor:
            shifts = spread * draw_normal(rows.shape, generator)
            return torch.where(polynomial.has_feature, shifts, rows)

        self.coefficients.copy_(with_features(coefficients, self.polynomial, self.feature_spread))
        self.readout_coefficients.copy_(
            with_features(readout, self.readout_polynomial, self.readout_feature_spread)
        )
        self.theta.copy_(self.initialisation.theta(self.theta.shape, generator))
        check_parameters(self)

    def stages_at(self, features: Tensor) -> tuple[WorkspaceStages, Tensor]:
        """Evaluates the gates onto workspace wires at the current parameters.

        Args:
            features: Shape ``(B, F)``, of the type in which all is computed.

        Returns:
            The gates, in which every row of features has the place of an input symbol; and the
            natural log of what the blocks of each row were divided by, float64, shape ``(B,)``.

        Raises:
            ParameterRangeError: If a parameter, or an angle that features lead to, is not finite or
                too large.
        """
        check_parameters(self)
        angles = self.polynomial.table(self.coefficients.to(features.dtype), features)
        _check_featured(angles)
        blocks = torch.stack(block_amplitudes(angles, self.order, self.semantics))
        log_scale = blocks.new_zeros(features.shape[0], dtype=torch.float64)
        if self.order and self.semantics == "postselected":
            scales = torch.hypot(blocks[0], blocks[1]).amax(-1, keepdim=True).detach()
            blocks = blocks / scales
            log_scale = scales.double().log().sum((0, 2))
        blocks = blocks.unflatten(1, (-1, self.workspace))
        return WorkspaceStages(blocks, self.theta.to(features.dtype)), log_scale

    def rotations_at(self, features: Tensor) -> WorkspaceRotations:
        """Evaluates the neurons onto workspace wires at the current parameters.

        Args:
            features: Shape ``(B, F)``, of the type in which all is computed.

        Raises:
            ParameterRangeError: If a parameter, or an angle that features lead to, is not finite or
                too large.
        """
        check_parameters(self)
        angles = self.polynomial.table(self.coefficients.to(features.dtype), features).mT
        _check_featured(angles)
        if self.order == 0:
            return WorkspaceRotations(angles, None)
        cos, sin = block_amplitudes(angles, self.order, self.semantics)
        angles = 2 * torch.atan2(sin, cos)
        if self.semantics == "unitary":
            return WorkspaceRotations(angles, None)
        norms = torch.hypot(cos, sin)
        return WorkspaceRotations(angles, norms / norms.detach().amax(1, keepdim=True))

    def lane_blocks(self, features: Tensor) -> LaneBlocks:
        """Evaluates the neurons onto lane wires at the current parameters.

        Args:
            features: Shape ``(B, F)``, of the type in which all is computed.

        Raises:
            ParameterRangeError: If a parameter, or an angle that features lead to, is not finite or
                too large.
        """
        cos, sin = block_amplitudes(self._lane_angles(features), self.order, self.semantics)
        if not self.order or self.semantics == "unitary":
            return LaneBlocks(cos, sin, None)
        scales = torch.hypot(cos, sin).amax(-1, keepdim=True).detach()
        return LaneBlocks(cos / scales, sin / scales, scales[..., 0].double().log().sum(0))

    def lane_expectations(self, features: Tensor, populations: Tensor) -> Tensor:
        """The expectation of Z on each lane wire of a step that is read.

        Args:
            features: Shape ``(B, F)``, of the type in which all is computed.
            populations: Of the workspace before its output stage, which add up to 1, shape
                ``(B, 2**W)``.

        Returns:
            Between -1 and 1, shape ``(B, I)``; NaN where the norm of what is postselected
            underflows.

        Raises:
            ParameterRangeError: If a parameter, or an angle that features lead to, is not finite or
                too large.
        """
        if self.order:
            return self.lane_blocks(features).expectations(populations)
        # One cosine in place of that and the sine of half the angle.
        return (self._lane_angles(features).cos() * populations).sum(-1).T

    def _lane_angles(self, features: Tensor) -> Tensor:
        """Of the neurons onto lane wires, shape ``(I, B, 2**W)``."""
        check_parameters(self)
        coefficients = self.readout_coefficients.to(features.dtype)
        angles = self.readout_polynomial.table(coefficients, features)
        _check_featured(angles)
        return angles

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Runs one step up to the readout.

        Args:
            inputs: Features, shape ``(B, F)``.
            state: Workspace amplitudes, shape ``(B, 2**W)``.

        Returns:
            Joint amplitudes of lane and workspace just before the lane is read, shape
            ``(B, 2**I, 2**W)``. With ``"postselected"`` semantics they are not normalised: the
            squared norm is the probability that every ancilla of the step reads 0.

        Raises:
            ParameterRangeError: If a parameter is not finite or too large for an angle.
        """
        blocks = self.lane_blocks(inputs)
        amplitudes = blocks.amplitudes()
        if blocks.log_scale is not None:
            amplitudes = amplitudes * blocks.log_scale.exp().to(state.dtype)[:, None, None]
        return self.evolve(inputs, state)[:, None] * amplitudes

    def evolve(self, inputs: Tensor, state: Tensor) -> Tensor:
        """Runs the input and work stages of a step whose lane is not read.

        Args:
            inputs: Features, shape ``(B, F)``.
            state: Workspace amplitudes, shape ``(B, 2**W)``.

        Returns:
            Workspace amplitudes, shape ``(B, 2**W)``. With ``"postselected"`` semantics their
            squared norm is the probability that every ancilla of the step reads 0.

        Raises:
            ParameterRangeError: If a parameter is not finite or too large for an angle.
        """
        evolved, log_scale = self.evolve_scaled(inputs, state)
        return log_scale.exp().to(state.dtype)[:, None] * evolved

    def evolve_scaled(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`evolve`, with what amplitudes lack apart, lest they underflow.

        Args:
            inputs: Features, shape ``(B, F)``, of the type in which all is computed.
            state: Workspace amplitudes, shape ``(B, 2**W)``, of that type.

        Returns:
            Workspace amplitudes, and the natural log of the factor that those of each row lack,
            float64, shape ``(B,)``.
        """
        stages, log_scale = self.stages_at(inputs)
        evolved = state.T
        for gate in stages:
            evolved = apply_blocks(evolved, gate.cos.T, gate.sin.T, gate.target)
        return evolved.T, log_scale

    def sizes(self) -> dict[str, int | str]:
        """Features, lane, workspace, stages, order, degree and semantics."""
        return {
            "features": self.features,
            "lane": self.lane,
            "workspace": self.workspace,
            "stages": self.stages,
            "order": self.order,
            "degree": self.degree,
            "semantics": self.semantics,
        }

    def circuit(
        self,
        symbol: Tensor,
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        """The stages by their names.

        Args:
            symbol: The features, shape ``(F,)``.
            lane: The lane wires.
            workspace: The workspace wires.
            neuron: Makes the operation of a quantum neuron in the chosen realisation.
            lane_symbol: The symbol that the lane still holds, which is taken off.
        """
        polynomial = self.readout_polynomial
        rows = _restricted(polynomial, self.readout_coefficients, symbol)
        outputs = neurons_onto(rows, workspace, lane, neuron, polynomial.in_bits.degree)
        return [
            *self.evolve_circuit(symbol, lane, workspace, neuron, lane_symbol=lane_symbol),
            CircuitStage("output stage", outputs),
        ]

    def evolve_circuit(
        self,
        symbol: Tensor,
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        """The stages up to the last work stage; arguments as for :meth:`circuit`."""
        polynomial = self.polynomial
        rows = _restricted(polynomial, self.coefficients, symbol)
        degree = polynomial.in_bits.degree
        stages = self._workspace_stages(rows, workspace, workspace, neuron, degree)
        if lane_symbol:
            stages.insert(0, CircuitStage("clear lane", symbol_flips(lane, lane_symbol)))
        return stages


def _check_featured(angles: Tensor) -> None:
    """Raises a ``ParameterRangeError`` where features have led to angles without meaning."""
    check_angles("what features make of angles", angles, SCALE_FEATURES)


def _restricted(polynomial: FeaturePolynomial, coefficients: Tensor, features: Tensor) -> Tensor:
    """A row for each neuron of coefficients in the bits at features of shape ``(F,)``."""
    rows = polynomial.restrict(coefficients, features[None].to(coefficients))[:, 0]
    _check_featured(rows)
    return rows
