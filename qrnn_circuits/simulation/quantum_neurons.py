"""Cells of quantum neurons along sequences, by transfer operators or on the states themselves."""

from abc import abstractmethod
from functools import cached_property
from typing import ClassVar, Self, get_args

import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.checks import check_choice
from qrnn_circuits.gates import StepGates, apply_workspace_gates
from qrnn_circuits.log_distribution import log_distribution
from qrnn_circuits.neuron import type_of_states
from qrnn_circuits.numerical_errors import PrecisionError
from qrnn_circuits.sequences import ended
from qrnn_circuits.simulation.base import (
    Prediction,
    Simulation,
    Step,
    check_stepwise,
    conditioned_weights,
    possible,
    simulation,
)
from qrnn_circuits.simulation.precision import LEAST_AMPLITUDE, is_reliable
from qrnn_circuits.simulation.state.reversible import ReversibleEvolution
from qrnn_circuits.simulation.state.run import run_states
from qrnn_circuits.simulation.strategy import (
    Evolution,
    Strategy,
    TransferEvolution,
    cheaper_strategy,
)
from qrnn_circuits.simulation.transfer.run import SCALE_EVERY, ConditionedRun, run_conditioned
from qrnn_circuits.tracing import is_traced


def _normalised(state: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    """States of norm 1, and the natural log of the squared norm that they had with their factor."""
    square = (state * state).sum(-1)
    return state / square.sqrt()[:, None], square.double().log() + 2 * log_scale


class NeuronSimulation(Simulation):
    """What both ways share: tables of all gates, from which a step's readout comes."""

    cell: QRNNCell

    def __init__(self, cell: QRNNCell, dtype: torch.dtype | None = None) -> None:
        """Takes a cell.

        Args:
            cell: The cell.
            dtype: Type of the states, by default that of the parameters, or float64 for orders
                whose amplitudes float32 cannot hold.
        """
        super().__init__(cell)
        needed = type_of_states(cell.order, cell.semantics, cell.coefficients.dtype)
        self.dtype = dtype or needed

    @cached_property
    def gates(self) -> StepGates:
        """The gates at the present parameters, evaluated when they are first needed."""
        return self.cell.step_gates(self.dtype)

    @cached_property
    def _evolve(self) -> Evolution:
        """The input and work stages of a step."""
        return ReversibleEvolution(self.gates.workspace)

    @abstractmethod
    def _predict(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None
    ) -> tuple[Prediction, bool]:
        """As :meth:`predict`, and whether no amplitude has left the range of the type."""

    def predict(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None = None
    ) -> Prediction:
        """Goes on to float64 where amplitudes underflow; see :meth:`Simulation.predict`.

        Raises:
            PrecisionError: If they underflow in float64 as well.
        """
        prediction, reliable = self._predict(inputs, outcomes, state.to(self.dtype), lengths)
        if reliable:
            return prediction
        if self.dtype != torch.float64:
            return self._in_float64().predict(inputs, outcomes, state, lengths)
        self._check_possible(prediction, outcomes)
        raise PrecisionError(
            f"amplitudes of this network (order {self.cell.order}) leave the range of float64: an "
            "outcome that a step is conditioned on is too unlikely. A lower order or unitary "
            "semantics avoid that"
        )

    def _in_float64(self) -> Self:
        """The same, with states in float64."""
        return type(self)(self.cell, torch.float64)

    def _check_possible(self, prediction: Prediction, outcomes: Tensor) -> None:
        """Raises where an outcome that a step is conditioned on has probability zero."""
        possible(prediction.weights, outcomes)

    def for_drawing(self) -> Simulation:
        """In float64 where amplitudes may underflow: what was drawn cannot be taken back."""
        risky = self.cell.order > 3 and self.cell.semantics == "postselected"
        return self._in_float64() if risky else self

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        """Takes a batch one step on; see :meth:`Simulation.step`."""
        readout = self.gates.readout
        state, log_scale = self._evolved(inputs, state)
        weights = (state * state) @ (readout * readout).T

        def condition(outcomes: Tensor) -> Tensor:
            norm = weights.gather(1, outcomes[:, None])
            return state * readout.index_select(0, outcomes) / norm.sqrt()

        return Step(weights, log_scale + self.gates.readout_log_scale, condition)

    def evolve(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Takes a batch one unread step on; see :meth:`Simulation.evolve`."""
        return _normalised(*self._evolved(inputs, state))

    def _evolved(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """States before the output stage, and the log of the factor that each lacks, float64."""
        state = self._evolve(state.to(self.dtype), inputs)
        # Largest amplitude 1, so that no square underflows however unlikely the step was.
        scale = state.detach().abs().amax(-1, keepdim=True)
        log_scale = self.gates.log_scale - self.gates.readout_log_scale
        return state / scale, scale[:, 0].double().log() + log_scale


class StepwiseSimulation(NeuronSimulation):
    """Applies every gate to every state by PyTorch's own operations.

    These have derivatives of any order, and transforms of ``torch.func`` follow them.
    """

    strategy: ClassVar[str] = "stepwise"

    @cached_property
    def _evolve(self) -> Evolution:
        gates = self.gates.workspace
        return lambda state, inputs: apply_workspace_gates(gates, state.T, inputs).T

    def _predict(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None
    ) -> tuple[Prediction, bool]:
        unread = outcomes == UNREAD
        # The number after the last symbol's: no outcome, which leaves the state as it is.
        chosen = outcomes.masked_fill(unread, 2**self.cell.lane)
        readout = self.gates.readout
        readout = torch.cat((readout, readout.new_ones(1, readout.shape[1])))
        over = None if lengths is None else ended(lengths, inputs.shape[1])
        weights, log_scales = [], []
        for t in range(inputs.shape[1]):
            before = state
            state, log_scale = self._evolved(inputs[:, t], state)
            if over is not None:
                state = before.where(over[:, t, None], state)
                log_scale = log_scale.masked_fill(over[:, t], 0)
            weight = state.square() @ readout.square().T
            kept = weight.gather(1, chosen[:, t, None])
            state = state * readout.index_select(0, chosen[:, t]) / kept.sqrt()
            weights.append(weight)
            log_scales.append(log_scale)
        every, log_scale = torch.stack(weights, 1), torch.stack(log_scales, 1)
        kept = every.gather(2, chosen[..., None])[..., 0]
        least = log_scale.detach().min().exp().to(kept.dtype)
        reliable = is_traced() or is_reliable(least, kept)
        log_scale = log_scale + self.gates.readout_log_scale * ~unread
        log_acceptance = (kept.double().log() + 2 * log_scale).sum(1)
        return Prediction(every[..., :-1], log_acceptance, outcomes, state), reliable


class StateSimulation(NeuronSimulation):
    """Applies every gate to every state, and undoes it for the gradient."""

    strategy: ClassVar[str] = "state"

    def _predict(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None
    ) -> tuple[Prediction, bool]:
        run = run_states(self.cell, inputs, outcomes, state, lengths)
        kept = conditioned_weights(run.weights, outcomes)
        log_acceptance = (kept.double().log() + 2 * run.log_scales).sum(1)
        prediction = Prediction(run.weights, log_acceptance, outcomes, run.state)
        return prediction, is_reliable(run.least, kept)


class TransferSimulation(NeuronSimulation):
    """Builds the operator of each input symbol once, and multiplies states by them."""

    strategy: ClassVar[str] = "transfer"

    # Operators from one after which states are scaled to the next; then where that was too few.
    _scale_every: tuple[int, ...] = (SCALE_EVERY, 1)

    @cached_property
    def _evolve(self) -> Evolution:
        return TransferEvolution(self.gates.workspace, 2**self.cell.lane)

    def _predict(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None
    ) -> tuple[Prediction, bool]:
        gates, (batch, steps) = self.gates, inputs.shape
        run, _, reliable = self._run(inputs, outcomes, None, state, lengths)
        weights = run.weights.view(steps, batch, -1).transpose(0, 1)
        unread = outcomes == UNREAD
        last = outcomes[:, -1].clamp(min=0)
        if gates.cells > 1:
            last = last + gates.first_symbols(batch)
        readout = gates.readout.index_select(0, last).where(~unread[:, -1:], 1)
        state = run.final * readout
        square = (state * state).sum(-1)
        taken: int | Tensor = steps
        unread_steps = unread.sum(1)
        if lengths is not None:
            # What follows the end of a sequence is marked as unread.
            taken, unread_steps = lengths, unread_steps + lengths - steps
        of_step, of_readout = (
            gates.by_row(scale, batch) for scale in (gates.log_scale, gates.readout_log_scale)
        )
        log_scales = taken * of_step - unread_steps * of_readout
        log_acceptance = square.double().log() + 2 * (run.log_scales() + log_scales)
        state = state / square.sqrt()[:, None]
        return Prediction(weights, log_acceptance, outcomes, state), reliable

    def read(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        scored: Tensor,
        state: Tensor,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Joins what lies between two scored steps; see :meth:`Simulation.read`."""
        run, all_likely, reliable = self._run(
            inputs, outcomes, scored, state.to(self.dtype), lengths
        )
        if reliable:
            return log_distribution(run.weights, all_possible=all_likely), run.positions
        if self.dtype != torch.float64:
            return self._in_float64().read(inputs, outcomes, scored, state, lengths)
        return super().read(inputs, outcomes, scored, state, lengths)

    def _run(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        read: Tensor | None,
        state: Tensor,
        lengths: Tensor | None,
    ) -> tuple[ConditionedRun, bool, bool]:
        """Runs a batch.

        Returns:
            The run, whether no outcome of the steps that it reads is too unlikely for its type, and
            whether none is that a step is conditioned on.
        """
        for scale_every in self._scale_every:
            run = run_conditioned(
                self.gates, inputs, outcomes, read, state, scale_every=scale_every, lengths=lengths
            )
            weights = run.weights.detach()
            all_likely = is_reliable(run.least, weights, run.least_scale)
            reliable = all_likely or is_reliable(
                run.least,
                conditioned_weights(weights, outcomes.take(run.positions)),
                run.least_scale,
            )
            if reliable:
                break
        return run, all_likely, reliable


class FeatureSimulation(Simulation):
    """Takes a cell of real inputs step by step, with states that are scaled at each."""

    cell: FeatureQRNNCell

    def __init__(self, cell: FeatureQRNNCell) -> None:
        super().__init__(cell)
        # Of all steps from one on that float32 cannot hold, float64.
        self._dtype = type_of_states(cell.order, cell.semantics, cell.coefficients.dtype)

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        """Takes a batch one step on; see :meth:`Simulation.step`."""
        evolved, log_scale = self._evolved(inputs, state)
        blocks = self.cell.lane_blocks(inputs.to(evolved.dtype))
        joint = evolved[:, None] * blocks.amplitudes()
        weights = self.cell.weights(joint)
        if self._needs_float64(weights.detach().min().sqrt()):
            return self.step(inputs, state)
        if blocks.log_scale is not None:
            log_scale = log_scale + blocks.log_scale
        return Step(weights, log_scale, lambda outcomes: self.cell.condition(joint, outcomes))

    def evolve(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Takes a batch one unread step on; see :meth:`Simulation.evolve`."""
        return _normalised(*self._evolved(inputs, state))

    def _evolved(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """States before the output stage, and the log of the factor that each lacks, float64."""
        evolved, log_scale = self.cell.evolve_scaled(inputs.to(self._dtype), state.to(self._dtype))
        scale = evolved.detach().abs().amax(-1, keepdim=True)
        if self._needs_float64(scale.min()):
            return self._evolved(inputs, state)
        return evolved / scale, log_scale + scale[:, 0].double().log()

    def _needs_float64(self, least: Tensor) -> bool:
        """Whether an amplitude is too small for float32, so that float64 is taken from now on."""
        if least.dtype != torch.float32 or is_traced() or least >= LEAST_AMPLITUDE[least.dtype]:
            return False
        self._dtype = torch.float64
        return True


# What the classes of cells that have a faster way define of their steps.
_OF_STEPS = (
    "neuron_coefficients",
    "step_gates",
    "evolve",
    "evolve_scaled",
    "forward",
    "weights",
    "condition",
)


def _steps_as(cell: Cell, known: type[Cell]) -> bool:
    """Whether the steps of a cell, perhaps of a subclass, are those of a known class."""
    own = type(cell)
    return all(getattr(own, name, None) is getattr(known, name, None) for name in _OF_STEPS)


@simulation.register
def _feature_simulation(cell: FeatureQRNNCell, strategy: str, batch: int, steps: int) -> Simulation:
    check_stepwise(cell, strategy)
    return FeatureSimulation(cell) if _steps_as(cell, FeatureQRNNCell) else Simulation(cell)


@simulation.register
def _simulation(cell: QRNNCell, strategy: str, batch: int, steps: int) -> Simulation:
    if not _steps_as(cell, QRNNCell):
        check_stepwise(cell, strategy)
        return Simulation(cell)
    check_choice("strategy", strategy, get_args(Strategy))
    if is_traced():
        strategy = "stepwise"
    elif strategy == "auto":
        strategy = cheaper_strategy(
            stages=cell.stages,
            symbols=2**cell.lane,
            workspace=cell.workspace,
            batch=batch,
            steps=steps,
        )
    return _SIMULATIONS[strategy](cell)


_SIMULATIONS: dict[str, type[NeuronSimulation]] = {
    way.strategy: way for way in (StateSimulation, StepwiseSimulation, TransferSimulation)
}
