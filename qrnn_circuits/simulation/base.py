"""How a cell is run along sequences: any cell step by step, others in ways of their own."""

from collections.abc import Callable, Iterator
from functools import singledispatch
from itertools import pairwise
from math import nan
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.log_distribution import log_distribution
from qrnn_circuits.numerical_errors import PrecisionError
from qrnn_circuits.sequences import ended
from qrnn_circuits.tracing import is_traced


class ZeroProbabilityError(ValueError):
    """A step was to be conditioned on an outcome that cannot occur.

    Example:
        >>> import torch
        >>> from qrnn_circuits import QRNN
        >>> model = QRNN(lane=1, workspace=1, degree=1)
        >>> for parameter in model.parameters():
        ...     _ = torch.nn.init.zeros_(parameter)  # the lane keeps reading 0
        >>> model(torch.tensor([[0]]), torch.tensor([[1]]))
        Traceback (most recent call last):
        qrnn_circuits.simulation.base.ZeroProbabilityError: outcomes[0, 0] is 1, which has...
    """


class Step(NamedTuple):
    """One step of a batch, before its lanes are read.

    Attributes:
        weights: The probability of each outcome up to a factor for each sequence, shape
            ``(B, 2**I)``.
        log_scale: Natural log of the factor that the square roots of the weights lack, float64,
            shape ``(B,)``.
        condition: Takes the outcomes, int64, shape ``(B,)``, to the normalised states after them.
    """

    weights: Tensor
    log_scale: Tensor
    condition: Callable[[Tensor], Tensor]


class Prediction(NamedTuple):
    """What a batch of sequences leads to.

    Attributes:
        weights: The distribution of each step's lane, given all earlier inputs and outcomes, up to
            a factor for each step, shape ``(B, T, 2**I)``; without meaning where a step is unread.
        log_acceptance: Natural log of the probability that nothing postselected fails and every
            conditioned outcome occurs, float64, shape ``(B,)``.
        outcomes: The outcome of each step, given or sampled, int64, shape ``(B, T)``.
        state: Normalised states after the last step, shape ``(B, S)``.
    """

    weights: Tensor
    log_acceptance: Tensor
    outcomes: Tensor
    state: Tensor


class Simulation:
    """Runs a cell at its present parameters, one step after another.

    Attributes:
        strategy: Name of the way.
        cell: The cell.
    """

    strategy: ClassVar[str] = "stepwise"

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def step(self, inputs: Tensor, state: Tensor) -> Step:
        """Takes a batch one step on.

        Args:
            inputs: Symbols, int64, shape ``(B,)``; or features, shape ``(B, F)``.
            state: Normalised states, shape ``(B, S)``.
        """
        sizes = state.shape[0], 2**self.cell.lane, 2**self.cell.workspace
        joint = _of_sizes(sizes, self.cell(inputs, state), "forward")
        weights = self.cell.weights(joint)
        log_scale = weights.new_zeros(inputs.shape[0], dtype=torch.float64)
        return Step(weights, log_scale, lambda outcomes: self.cell.condition(joint, outcomes))

    def evolve(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Takes a batch one step on whose lane is not read.

        Args:
            inputs: Symbols, int64, shape ``(B,)``; or features, shape ``(B, F)``.
            state: Normalised states, shape ``(B, S)``.

        Returns:
            The normalised states after it, and the natural log of the probability that nothing
            postselected fails, float64, shape ``(B,)``.
        """
        # As if the lane could only read one symbol.
        sizes = state.shape[0], 2**self.cell.workspace
        evolved = _of_sizes(sizes, self.cell.evolve(inputs, state), "evolve")
        joint = evolved[:, None]
        kept = self.cell.weights(joint)[:, 0].double().log()
        nothing = torch.zeros(joint.shape[0], dtype=torch.int64, device=joint.device)
        return self.cell.condition(joint, nothing), kept

    def predict(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None = None
    ) -> Prediction:
        """Runs sequences and conditions every step on its outcome; differentiable.

        Args:
            inputs: Symbols, int64, shape ``(B, T)``; or features, shape ``(B, T, F)``.
            outcomes: What each step is conditioned on, or ``UNREAD``, int64, shape ``(B, T)``.
            state: Normalised states to start from, shape ``(B, S)``.
            lengths: Number of steps of each sequence, int64, shape ``(B,)``, if not all have T.
                What follows them is any symbol, and ``UNREAD``: it takes no part in anything.

        Raises:
            ZeroProbabilityError: If an outcome has probability zero.
        """
        if is_traced():
            return self._recorded(inputs, outcomes, state, lengths)
        nowhere = torch.zeros_like(outcomes, dtype=torch.bool)
        return self.sample(inputs, outcomes, nowhere, state, lengths=lengths)

    def _recorded(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor, lengths: Tensor | None
    ) -> Prediction:
        """As :meth:`predict`, of operations that other numbers would not change.

        Every step is taken both with and without a readout. Where a cell must be read, what follows
        a step that is not is NaN.
        """
        unread = outcomes == UNREAD
        over = None if lengths is None else ended(lengths, inputs.shape[1])
        weights, log_scales = [], []
        for t in range(inputs.shape[1]):
            before, symbols, skipped = state, inputs[:, t], unread[:, t]
            step = self.step(symbols, before)
            state = step.condition(torch.where(skipped, step.weights.argmax(-1), outcomes[:, t]))
            if type(self.cell).evolve is Cell.evolve:
                evolved, log_norm = torch.full_like(state, nan), 2 * step.log_scale
            else:
                evolved, log_norm = self.evolve(symbols, before)
            state = torch.where(skipped[:, None], evolved, state)
            log_scale = torch.where(skipped, log_norm / 2, step.log_scale)
            if over is not None:
                state = torch.where(over[:, t, None], before, state)
                log_scale = log_scale.masked_fill(over[:, t], 0)
            weights.append(step.weights)
            log_scales.append(log_scale)
        weight = torch.stack(weights, 1)
        kept = conditioned_weights(weight, outcomes).double().log()
        log_acceptance = (kept + 2 * torch.stack(log_scales, 1)).sum(1)
        return Prediction(weight, log_acceptance, outcomes, state)

    def read(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        scored: Tensor,
        state: Tensor,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Runs sequences as :meth:`predict` does for what only the scored steps predict.

        Args:
            inputs: Symbols, int64, shape ``(B, T)``; or features, shape ``(B, T, F)``.
            outcomes: What each step is conditioned on, or ``UNREAD``, int64, shape ``(B, T)``.
            scored: The steps that are asked for, bool, shape ``(B, T)``.
            state: Normalised states to start from, shape ``(B, S)``.
            lengths: See :meth:`predict`.

        Returns:
            Natural logs of the distributions of R steps, shape ``(R, 2**I)``, and the position of
            each in the flattened batch, int64, shape ``(R,)``; the scored steps are among them.

        Raises:
            ZeroProbabilityError: If an outcome has probability zero.
        """
        weights = self.predict(inputs, outcomes, state, lengths).weights.flatten(0, 1)
        return log_distribution(weights), torch.arange(len(weights), device=weights.device)

    def for_drawing(self) -> "Simulation":
        """The simulation by which outcomes are drawn."""
        return self

    def sample(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        sampled: Tensor,
        state: Tensor,
        *,
        autoregressive: bool = False,
        generator: torch.Generator | None = None,
        lengths: Tensor | None = None,
    ) -> Prediction:
        """Runs sequences, draws the outcomes of some steps and conditions the others.

        Args:
            inputs: Symbols, int64, shape ``(B, T)``; or features, shape ``(B, T, F)``.
            outcomes: The outcome of each step that is not sampled, or ``UNREAD``, int64, shape
                ``(B, T)``.
            sampled: The steps whose outcome is drawn, bool, shape ``(B, T)``. They do not count in
                the acceptance.
            state: Normalised states to start from, shape ``(B, S)``.
            autoregressive: Whether a sampled outcome is the next step's input.
            generator: Source of randomness, on the device of the parameters.
            lengths: See :meth:`predict`.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            PrecisionError: If amplitudes underflow before a step that is drawn.
        """
        weights: list[Tensor] = []
        chosen: list[Tensor] = []
        log_scales: list[Tensor] = []
        for first, last, rows in _stretches(inputs.shape[1], lengths):
            any_read, any_unread, any_sampled = _which(outcomes, sampled, rows, first, last)
            for t in range(first, last):
                symbols = inputs[:, t]
                if autoregressive and t:
                    symbols = torch.where(sampled[:, t - 1], chosen[-1], symbols)
                before, outcome, drawn = state, outcomes[:, t], sampled[:, t]
                if rows is not None:
                    symbols, before = symbols[rows], before[rows]
                    outcome, drawn = outcome[rows], drawn[rows]
                after, unread = before, (outcome == UNREAD) & ~drawn
                weight = state.real.new_ones(len(before), 2**self.cell.lane)
                log_scale = weight.new_zeros(len(before), dtype=torch.float64)
                if any_read[t - first]:
                    step = self.step(symbols, before)
                    weight, log_scale = step.weights, step.log_scale
                    if any_sampled[t - first]:
                        if not torch.isfinite(weight).all():
                            if weights:
                                possible(torch.stack(weights, 1), torch.stack(chosen, 1))
                            raise PrecisionError(
                                f"step {t} has no distribution to draw from in {weight.dtype}: its "
                                "amplitudes underflow. Build the network with dtype float64 or of "
                                "a lower order"
                            )
                        found = torch.multinomial(weight, 1, generator=generator)[:, 0]
                        outcome = torch.where(drawn, found, outcome)
                    # Of a step that is unread here a possible one: others have NaN gradients.
                    read = torch.where(unread, weight.argmax(-1), outcome)
                    after = step.condition(read)
                if any_unread[t - first]:
                    evolved, log_norm = self.evolve(symbols, before)
                    after = torch.where(unread[:, None], evolved, after)
                    log_scale = torch.where(unread, log_norm / 2, log_scale)
                if rows is not None:
                    # What has ended stays as it is.
                    nothing = weight.new_ones(len(state), weight.shape[1])
                    weight = nothing.index_copy(0, rows, weight)
                    log_scale = log_scale.new_zeros(len(state)).index_copy(0, rows, log_scale)
                    outcome = outcomes[:, t].index_copy(0, rows, outcome)
                    after = state.to(after.dtype).index_copy(0, rows, after)
                state = after
                weights.append(weight)
                chosen.append(outcome)
                log_scales.append(log_scale)
        weight, outcome = torch.stack(weights, 1), torch.stack(chosen, 1)
        kept = possible(weight, outcome)
        log_kept = torch.where(sampled, weight.sum(-1), kept).double().log()
        log_acceptance = (log_kept + 2 * torch.stack(log_scales, 1)).sum(1)
        return Prediction(weight, log_acceptance, outcome, state)


def _of_sizes(sizes: tuple[int, ...], amplitudes: Tensor, method: str) -> Tensor:
    """What a cell's method has returned, where it has the right sizes: others may broadcast."""
    if not isinstance(amplitudes, Tensor) or amplitudes.shape != sizes:
        got = tuple(amplitudes.shape) if isinstance(amplitudes, Tensor) else type(amplitudes)
        raise ValueError(
            f"{method} of a cell must return amplitudes of shape {sizes}, one row for each "
            f"sequence, got {got}"
        )
    return amplitudes


def _stretches(steps: int, lengths: Tensor | None) -> Iterator[tuple[int, int, Tensor | None]]:
    """First and last step of each stretch in which no sequence ends, and who is left; None: all."""
    if lengths is None:
        yield 0, steps, None
        return
    for first, last in pairwise(sorted({0, *lengths.tolist()})):
        rows = (lengths >= last).nonzero()[:, 0]
        yield first, last, None if len(rows) == len(lengths) else rows


def _which(
    outcomes: Tensor, sampled: Tensor, rows: Tensor | None, first: int, last: int
) -> list[list[bool]]:
    """At which steps of a stretch any sequence is read, unread and sampled."""
    outcomes, sampled = outcomes[:, first:last], sampled[:, first:last]
    if rows is not None:
        outcomes, sampled = outcomes[rows], sampled[rows]
    unread = (outcomes == UNREAD) & ~sampled
    which: list[list[bool]] = torch.stack(
        [(~unread).any(0), unread.any(0), sampled.any(0)]
    ).tolist()
    return which


def conditioned_weights(weights: Tensor, outcomes: Tensor) -> Tensor:
    """The weight of each conditioned outcome, 1 where a step is unread.

    Args:
        weights: Of all outcomes, shape ``(..., 2**I)``.
        outcomes: What the steps are conditioned on, or ``UNREAD``, int64, shape ``(...)``.
    """
    kept = weights.gather(-1, outcomes.clamp(min=0)[..., None])[..., 0]
    return kept.where(outcomes != UNREAD, 1)


def possible(weights: Tensor, outcomes: Tensor) -> Tensor:
    """The weight of each conditioned outcome, shape ``(B, T)``.

    Args:
        weights: Of all outcomes, shape ``(B, T, 2**I)``.
        outcomes: What the steps are conditioned on, int64, shape ``(B, T)``.

    Returns:
        The weights, 1 where a step is unread.

    Raises:
        ZeroProbabilityError: If one is zero; what follows it in time is NaN.
    """
    kept = conditioned_weights(weights, outcomes)
    impossible = ~(kept > 0)
    if impossible.any():
        step = int(impossible.any(0).int().argmax())
        row = int(impossible[:, step].int().argmax())
        raise ZeroProbabilityError(
            f"outcomes[{row}, {step}] is {int(outcomes[row, step])}, which has probability zero in "
            f"{kept.dtype} given the earlier inputs and outcomes: no state is left to go on from"
        )
    return kept


@singledispatch
def simulation(cell: Cell, strategy: str, batch: int, steps: int) -> Simulation:
    """The way to run a batch of sequences, by the class of the cell.

    A cell with a faster way of its own registers a function for its class; every other cell is run
    step by step.

    Args:
        cell: The cell.
        strategy: ``"auto"``, or the name of a way that there is for this class of cells.
        batch: Number of sequences B.
        steps: Number of steps T.

    Raises:
        ValueError: If there is no such way.
    """
    check_stepwise(cell, strategy)
    return Simulation(cell)


def check_stepwise(cell: Cell, strategy: str) -> None:
    """Raises a ``ValueError`` where a cell is to be run in another way than step by step."""
    if strategy not in ("auto", Simulation.strategy):
        raise ValueError(
            f"strategy must be 'auto' or {Simulation.strategy!r} for a {type(cell).__name__}, got "
            f"{strategy!r}"
        )
