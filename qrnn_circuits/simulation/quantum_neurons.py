"""Cells of quantum neurons along sequences, by transfer operators or on the states themselves."""

from functools import cached_property
from typing import ClassVar, get_args

from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.gates import StepGates
from qrnn_circuits.simulation.base import Prediction, Simulation, Step, possible, simulation
from qrnn_circuits.simulation.state.reversible import ReversibleEvolution
from qrnn_circuits.simulation.state.run import run_states
from qrnn_circuits.simulation.strategy import (
    Evolution,
    Strategy,
    TransferEvolution,
    cheaper_strategy,
)
from qrnn_circuits.simulation.transfer.run import SCALE_EVERY, run_conditioned


class NeuronSimulation(Simulation):
    """What both ways share: tables of all gates, from which a step's read-out comes."""

    cell: QRNNCell

    @cached_property
    def gates(self) -> StepGates:
        """The gates at the present parameters, evaluated when they are first needed."""
        return self.cell.step_gates()

    @cached_property
    def _evolve(self) -> Evolution:
        """The input and work stages of a step."""
        return ReversibleEvolution(self.gates.workspace)

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
        state, log_scale = self._evolved(inputs, state)
        square = (state * state).sum(-1)
        return state / square.sqrt()[:, None], square.double().log() + 2 * log_scale

    def _evolved(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """States before the output stage, and the log of the factor that each lacks, float64."""
        state = self._evolve(state, inputs)
        # Largest amplitude 1, so that no square underflows however unlikely the step was.
        scale = state.detach().abs().amax(-1, keepdim=True)
        log_scale = self.gates.log_scale - self.gates.readout_log_scale
        return state / scale, scale[:, 0].double().log() + log_scale


class StateSimulation(NeuronSimulation):
    """Applies every gate to every state."""

    strategy: ClassVar[str] = "state"

    def predict(self, inputs: Tensor, outcomes: Tensor, state: Tensor) -> Prediction:
        """Keeps one state a step for the backward pass; see :meth:`Simulation.predict`."""
        run = run_states(self.cell, inputs, outcomes, state)
        kept = possible(run.weights, outcomes)
        log_acceptance = (kept.double().log() + 2 * run.log_scales).sum(1)
        return Prediction(run.weights, log_acceptance, outcomes, run.state)


class TransferSimulation(NeuronSimulation):
    """Builds the operator of each input symbol once, and multiplies states by them."""

    strategy: ClassVar[str] = "transfer"

    @cached_property
    def _evolve(self) -> Evolution:
        return TransferEvolution(self.gates.workspace, 2**self.cell.lane)

    def predict(self, inputs: Tensor, outcomes: Tensor, state: Tensor) -> Prediction:
        """Plans the whole batch as products of matrices; see :meth:`Simulation.predict`."""
        gates, (batch, steps) = self.gates, inputs.shape
        for scale_every in (SCALE_EVERY, 1):
            run = run_conditioned(gates, inputs, outcomes, None, state, scale_every=scale_every)
            if run.reliable(outcomes.T.flatten()):
                break
        weights = run.weights.view(steps, batch, -1).transpose(0, 1)
        possible(weights, outcomes)
        unread = outcomes == UNREAD
        last = outcomes[:, -1].clamp(min=0)
        readout = gates.readout.index_select(0, last).where(~unread[:, -1:], 1)
        state = run.final * readout
        square = (state * state).sum(-1)
        log_scales = steps * gates.log_scale - unread.sum(1) * gates.readout_log_scale
        log_acceptance = square.double().log() + 2 * (run.log_scales + log_scales)
        return Prediction(weights, log_acceptance, outcomes, state / square.sqrt()[:, None])

    def read(
        self, inputs: Tensor, outcomes: Tensor, scored: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Joins what lies between two scored steps; see :meth:`Simulation.read`."""
        run = run_conditioned(self.gates, inputs, outcomes, scored, state)
        positions = run.rows * inputs.shape[1] + run.steps
        if run.reliable(outcomes.take(positions)):
            return run.weights, positions
        return super().read(inputs, outcomes, scored, state)


@simulation.register
def _simulation(cell: QRNNCell, strategy: str, batch: int, steps: int) -> Simulation:
    if strategy not in get_args(Strategy):
        raise ValueError(f"strategy must be one of {get_args(Strategy)}, got {strategy!r}")
    if strategy == "auto":
        strategy = cheaper_strategy(
            stages=cell.stages,
            symbols=2**cell.lane,
            workspace=cell.workspace,
            batch=batch,
            steps=steps,
        )
    return TransferSimulation(cell) if strategy == "transfer" else StateSimulation(cell)
