"""The quantum recurrent neural network: a cell, stepped along sequences of symbols."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.gates import StepGates, WorkspaceStages
from qrnn_circuits.log_distribution import log_distribution
from qrnn_circuits.loss import Loss, sequence_loss
from qrnn_circuits.neuron import Initialisation, Semantics
from qrnn_circuits.simulation.state.reversible import ReversibleEvolution
from qrnn_circuits.simulation.state.run import run_states
from qrnn_circuits.simulation.strategy import (
    Evolution,
    Strategy,
    TransferEvolution,
    cheaper_strategy,
)
from qrnn_circuits.simulation.transfer.run import SCALE_EVERY, run_conditioned


class ZeroProbabilityError(ValueError):
    """A step was to be conditioned on an outcome that cannot occur."""


@dataclass(frozen=True)
class QRNNOutput:
    """What a network predicts along a batch of sequences.

    Attributes:
        log_probs: Natural log of the distribution of each step's lane before it is conditioned,
            given all earlier inputs and outcomes, shape ``(B, T, 2**I)``.
        log_acceptance: Natural log of the probability that every ancilla reads 0 and every
            conditioned outcome occurs, shape ``(B,)``, float64: the share of shots that a
            postselected run keeps.
        outcomes: The outcome of each step, given or sampled, int64, shape ``(B, T)``.
        state: Normalised workspace amplitudes after the last step, shape ``(B, 2**W)``.
    """

    log_probs: Tensor
    log_acceptance: Tensor
    outcomes: Tensor
    state: Tensor


class QRNN(nn.Module):
    """A quantum recurrent neural network (Bausch, arXiv:2006.14619), simulated exactly.

    Attributes:
        cell: The :class:`QRNNCell`, which holds all parameters.
        strategy: ``"transfer"`` multiplies states by operators that are built once a call,
            ``"state"`` applies every gate to every state, ``"auto"`` takes the one that is
            estimated to be faster. The numbers are the same.
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
        strategy: Strategy = "auto",
        initialisation: Initialisation | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Builds the cell and draws its initial parameters.

        Args:
            lane: Number I of lane wires, at least 1.
            workspace: Number W of workspace wires, at least 1.
            stages: Number of work stages, at least 0.
            order: Order of every neuron, from 1 to ``MAX_ORDER``.
            degree: Degree of every neuron's polynomial, from 1 to ``W + I - 1``.
            semantics: ``"postselected"`` or ``"unitary"``.
            strategy: ``"auto"``, ``"transfer"`` or ``"state"``.
            initialisation: Spreads of the initial parameters.
            generator: Source of randomness for them, a CPU generator.
            device: Where the parameters live.
            dtype: Their type, float32 or float64; by default torch's default type.

        Raises:
            ValueError: If an option is out of range.
        """
        super().__init__()
        if strategy not in get_args(Strategy):
            raise ValueError(f"strategy must be one of {get_args(Strategy)}, got {strategy!r}")
        self.strategy: Strategy = strategy
        self.cell = QRNNCell(
            lane=lane,
            workspace=workspace,
            stages=stages,
            order=order,
            degree=degree,
            semantics=semantics,
            initialisation=initialisation,
            generator=generator,
            device=device,
            dtype=dtype,
        )

    def forward(
        self, inputs: Tensor, outcomes: Tensor, *, state: Tensor | None = None
    ) -> QRNNOutput:
        """Predicts every step, conditioning each on its given outcome.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``, in ``[0, 2**I)``.
            outcomes: The outcome that each step is conditioned on, likewise.
            state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``: the
                ``state`` of an earlier output. By default every workspace wire reads 0.

        Returns:
            The predictions.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If a symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        state = self._checked_start(inputs, outcomes, state)
        if self.chosen_strategy(*inputs.shape) == "transfer":
            return self._predict(self.cell.step_gates(), inputs, outcomes, state)
        run = run_states(self.cell, inputs, outcomes, state)
        kept = run.weights.gather(2, outcomes[..., None])[..., 0]
        _check_possible(kept, outcomes)
        log_acceptance = (kept.double().log() + 2 * run.log_scales).sum(1)
        return QRNNOutput(log_distribution(run.weights), log_acceptance, outcomes, run.state)

    def loss(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        scored: Tensor | None = None,
        *,
        kind: Loss = "nll",
        state: Tensor | None = None,
    ) -> Tensor:
        """Mean loss of the scored steps; every step is conditioned on its outcome.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``.
            outcomes: The right symbol of each scored step, and the symbol that each other step is
                conditioned on, likewise.
            scored: The steps that count, bool, shape ``(B, T)``; by default all.
            kind: ``"nll"`` or ``"paper"``, see :func:`~qrnn_circuits.loss.sequence_loss`.
            state: As in :meth:`forward`.

        Returns:
            The mean, shape ``()``.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If ``kind`` is unknown, no step is scored, or a symbol, shape or parameter
                is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        if scored is not None:
            _check_mask("scored", scored, outcomes)
        start = self._checked_start(inputs, outcomes, state)
        if scored is None or self.chosen_strategy(*inputs.shape) == "state":
            output = self(inputs, outcomes, state=state)
            return sequence_loss(output.log_probs, outcomes, scored, kind=kind)
        gates = self.cell.step_gates()
        run = run_conditioned(gates, inputs, outcomes, scored, start)
        steps = run.rows * inputs.shape[1] + run.steps
        asked, counted = outcomes.take(steps), scored.take(steps)
        if not run.reliable(asked):
            output = self._predict(gates, inputs, outcomes, start)
            return sequence_loss(output.log_probs, outcomes, scored, kind=kind)
        return sequence_loss(log_distribution(run.weights), asked, counted, kind=kind)

    @torch.no_grad()
    def sample(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        *,
        sampled: Tensor,
        autoregressive: bool = False,
        state: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> QRNNOutput:
        """Draws the outcomes of some steps and conditions the others, without gradients.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``.
            outcomes: The outcome of each step that is not sampled, likewise; ignored elsewhere.
            sampled: The steps whose outcome is drawn, bool, shape ``(B, T)``.
            autoregressive: Whether a sampled outcome is the next step's input, in place of the
                symbol in ``inputs``.
            state: As in :meth:`forward`.
            generator: Source of randomness, on the device of the parameters.

        Returns:
            The predictions, with the drawn symbols in ``outcomes``. A sampled outcome does not
            count in ``log_acceptance``.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If a symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        _check_mask("sampled", sampled, outcomes)
        outcomes = outcomes.masked_fill(sampled, 0)
        state = self._checked_start(inputs, outcomes, state)
        batch, steps = inputs.shape
        gates = self.cell.step_gates()
        evolve = self._evolution(gates.workspace, batch, steps)
        readout_weights = (gates.readout * gates.readout).T
        any_sampled = sampled.any(0).tolist()

        symbols, weights, chosen, log_scales = inputs[:, 0], [], [], []
        for t in range(steps):
            state = evolve(state, symbols)
            # Largest amplitude 1, so that no square underflows however unlikely the step was.
            scale = state.detach().abs().amax(-1, keepdim=True)
            state = state / scale
            weight = (state * state) @ readout_weights
            outcome = outcomes[:, t]
            if any_sampled[t]:
                if not torch.isfinite(weight).all():
                    break  # An impossible outcome came before: reported below.
                drawn = torch.multinomial(weight, 1, generator=generator)[:, 0]
                outcome = torch.where(sampled[:, t], drawn, outcome)
            norm = weight.gather(1, outcome[:, None])
            state = state * gates.readout.index_select(0, outcome) / norm.sqrt()
            weights.append(weight)
            chosen.append(outcome)
            log_scales.append(scale[:, 0])
            if t + 1 < steps:
                symbols = inputs[:, t + 1]
                if autoregressive:
                    symbols = torch.where(sampled[:, t], outcome, symbols)

        weight, outcome = torch.stack(weights, 1), torch.stack(chosen, 1)
        total = weight.sum(-1)
        kept = weight.gather(2, outcome[..., None])[..., 0]
        _check_possible(kept, outcome)
        log_kept = torch.where(sampled, total, kept).double().log()
        log_scale = torch.stack(log_scales, 1).double().log()
        log_acceptance = (log_kept + 2 * (log_scale + gates.log_scale)).sum(1)
        return QRNNOutput(log_distribution(weight), log_acceptance, outcome, state)

    def chosen_strategy(self, batch: int, steps: int) -> Literal["transfer", "state"]:
        """The strategy that a call takes.

        Args:
            batch: Number of sequences B.
            steps: Number of steps T.
        """
        if self.strategy != "auto":
            return self.strategy
        return cheaper_strategy(
            stages=self.cell.stages,
            symbols=2**self.cell.lane,
            workspace=self.cell.workspace,
            batch=batch,
            steps=steps,
        )

    def _predict(
        self, gates: StepGates, inputs: Tensor, outcomes: Tensor, state: Tensor
    ) -> QRNNOutput:
        """Conditions every step on its outcome, through transfer operators."""
        batch, steps = inputs.shape
        for scale_every in (SCALE_EVERY, 1):
            run = run_conditioned(gates, inputs, outcomes, None, state, scale_every=scale_every)
            if run.reliable(outcomes.T.flatten()):
                break
        weight = run.weights.view(steps, batch, -1).transpose(0, 1)
        kept = weight.gather(2, outcomes[..., None])[..., 0]
        _check_possible(kept, outcomes)
        state = run.final * gates.readout.index_select(0, outcomes[:, -1])
        square = (state * state).sum(-1)
        log_acceptance = square.double().log() + 2 * (run.log_scales + steps * gates.log_scale)
        return QRNNOutput(
            log_distribution(weight), log_acceptance, outcomes, state / square.sqrt()[:, None]
        )

    def _evolution(self, gates: WorkspaceStages, batch: int, steps: int) -> Evolution:
        if self.chosen_strategy(batch, steps) == "transfer":
            return TransferEvolution(gates, 2**self.cell.lane)
        return ReversibleEvolution(gates)

    def _checked_start(self, inputs: Tensor, outcomes: Tensor, state: Tensor | None) -> Tensor:
        """The state to start from, once everything is found acceptable."""
        self._check_symbols("inputs", inputs)
        self._check_symbols("outcomes", outcomes)
        if inputs.shape != outcomes.shape:
            raise ValueError(
                f"inputs and outcomes must have the same shape, got {tuple(inputs.shape)} and "
                f"{tuple(outcomes.shape)}"
            )
        if state is not None:
            return self._check_state(state, len(inputs))
        start = self.cell.coefficients.new_zeros(len(inputs), 2**self.cell.workspace)
        start[:, 0] = 1
        return start

    def _check_symbols(self, name: str, symbols: Tensor) -> None:
        if symbols.dtype != torch.int64:
            raise TypeError(f"{name} must be a tensor of type torch.int64, got {symbols.dtype}")
        if symbols.ndim != 2 or 0 in symbols.shape:
            raise ValueError(
                f"{name} must have shape (B, T) with B and T at least 1, got {tuple(symbols.shape)}"
            )
        least, greatest = torch.stack(symbols.aminmax()).tolist()
        if least < 0 or greatest >= 2**self.cell.lane:
            raise ValueError(
                f"{name} must be symbols from 0 to {2**self.cell.lane - 1} (a lane of "
                f"{self.cell.lane} wires), got {least if least < 0 else greatest}"
            )

    def _check_state(self, state: Tensor, batch: int) -> Tensor:
        expected = (batch, 2**self.cell.workspace)
        if tuple(state.shape) != expected:
            raise ValueError(f"state must have shape {expected}, got {tuple(state.shape)}")
        if state.dtype != self.cell.coefficients.dtype:
            raise TypeError(
                f"state must have the type of the parameters, {self.cell.coefficients.dtype}, got "
                f"{state.dtype}"
            )
        if not torch.isfinite(state).all():
            raise ValueError("state must be finite, but holds NaN or infinity")
        return state


def _check_mask(name: str, mask: Tensor, outcomes: Tensor) -> None:
    if mask.dtype != torch.bool:
        raise TypeError(f"{name} must be a tensor of type torch.bool, got {mask.dtype}")
    if mask.shape != outcomes.shape:
        raise ValueError(
            f"{name} must have the shape of outcomes, {tuple(outcomes.shape)}, got "
            f"{tuple(mask.shape)}"
        )


def _check_possible(kept: Tensor, outcomes: Tensor) -> None:
    """Raises where a conditioned outcome has weight zero; what follows it in time is NaN."""
    impossible = ~(kept > 0)
    if impossible.any():
        step = int(impossible.any(0).int().argmax())
        row = int(impossible[:, step].int().argmax())
        raise ZeroProbabilityError(
            f"outcomes[{row}, {step}] is {int(outcomes[row, step])}, which has probability zero in "
            f"{kept.dtype} given the earlier inputs and outcomes: no state is left to go on from"
        )
