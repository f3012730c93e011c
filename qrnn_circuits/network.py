"""The recurrent network: a cell, stepped along sequences of symbols."""

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor, nn

import qrnn_circuits.simulation.quantum_neurons  # noqa: F401 - registers the cell's fast ways
from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.checks import as_integer, check_bool, check_number, plain
from qrnn_circuits.choices import Basis
from qrnn_circuits.log_distribution import log_distribution
from qrnn_circuits.loss import Loss, mean_loss
from qrnn_circuits.neuron import Initialisation, Semantics
from qrnn_circuits.random_parameters import check_generator
from qrnn_circuits.sequences import (
    Steps,
    Symbols,
    acceptance_per_step,
    check_mask,
    check_symbols,
    checked_steps,
)
from qrnn_circuits.simulation.base import Prediction, simulation
from qrnn_circuits.simulation.base import ZeroProbabilityError as ZeroProbabilityError
from qrnn_circuits.simulation.strategy import Strategy
from qrnn_circuits.tensors import check_normalised, check_tensor
from qrnn_circuits.tracing import full_precision, is_traced, renew_parameters


@dataclass(frozen=True)
class QRNNOutput:
    """What a network predicts along a batch of sequences.

    Attributes:
        log_probs: Natural log of the distribution of each step's lane before it is conditioned,
            given all earlier inputs and outcomes, shape ``(B, T, 2**I)``; NaN where a step is
            unread, and where there is none.
        log_acceptance: Natural log of the probability that every ancilla reads 0 and every
            conditioned outcome occurs, shape ``(B,)``, float64: the share of shots that a
            postselected run keeps.
        outcomes: The outcome of each step, given or sampled, or ``UNREAD``, int64, shape
            ``(B, T)``; ``PADDING`` where there is no step.
        state: Normalised workspace amplitudes after the last step, shape ``(B, 2**W)``.
        lengths: Number of steps of each sequence, int64, shape ``(B,)``; None where none is padded.

    Example:
        >>> symbols = torch.tensor([[0, 1, 1]])
        >>> output = QRNN(lane=1, workspace=2)(symbols, symbols)
        >>> output.log_probs.shape, output.log_acceptance.shape, output.state.shape
        (torch.Size([1, 3, 2]), torch.Size([1]), torch.Size([1, 4]))
    """

    log_probs: Tensor
    log_acceptance: Tensor
    outcomes: Tensor
    state: Tensor
    lengths: Tensor | None = None

    @property
    def log_acceptance_per_step(self) -> Tensor:
        """``log_acceptance`` over the number of each sequence's steps, float64, shape ``(B,)``."""
        return acceptance_per_step(self.log_acceptance, self.outcomes.shape[1], self.lengths)


# What torch.export and torch.vmap take as a result.
torch.export.register_dataclass(QRNNOutput, serialized_type_name="qrnn_circuits.QRNNOutput")


class RecurrentNetwork(nn.Module):
    """A recurrent cell along sequences of symbols, simulated exactly.

    Attributes:
        cell: The cell, which holds all parameters.
        strategy: How it is simulated; ``"auto"`` takes what is estimated to be fastest.

    Example:
        >>> import torch
        >>> network = RecurrentNetwork(QRNNCell(lane=1, workspace=2))
        >>> symbols = torch.tensor([[0, 1, 1]])
        >>> network(symbols, symbols).log_probs.shape
        torch.Size([1, 3, 2])
    """

    def __init__(self, cell: Cell, *, strategy: str = "auto") -> None:
        """Takes a cell.

        Args:
            cell: The cell.
            strategy: ``"auto"``, or a way of simulating such cells.

        Raises:
            TypeError: If it is no cell.
            ValueError: If there is no such way.
        """
        super().__init__()
        if not isinstance(cell, Cell):
            raise TypeError(f"cell must be a Cell, such as QRNNCell, got a {type(cell).__name__}")
        simulation(cell, strategy, 1, 1)
        self.strategy = strategy
        self.cell = cell

    def forward(
        self,
        inputs: Symbols,
        outcomes: Symbols,
        *,
        state: Tensor | None = None,
        ignore_index: int | None = None,
    ) -> QRNNOutput:
        """Predicts every step, conditioning each on its given outcome.

        A step whose outcome is :data:`UNREAD` has no output stage and no measurement: its lane only
        carries the input. Where it is :data:`PADDING`, the sequence has ended before: there is no
        step, whatever the input, and each sequence fares as if it were alone.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``, in ``[0, 2**I)``; or, of a cell of
                real inputs, features, shape ``(B, T, F)``; or packed sequences.
            outcomes: The outcome that each step is conditioned on, or ``UNREAD``, int64, shape
                ``(B, T)``, with ``PADDING`` after the end of each sequence; or packed sequences.
            state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``: the
                ``state`` of an earlier output. By default every workspace wire reads 0.
            ignore_index: A number in ``outcomes`` that stands for no outcome, as for PyTorch's
                losses: for padding after the end of each sequence, else for ``UNREAD``.

        Returns:
            The predictions, in the order in which packed sequences were given.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If a symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        steps, state = self._checked_start(inputs, outcomes, state, ignore_index)
        with full_precision(state.device):
            run = simulation(self.cell, self.strategy, *steps.outcomes.shape)
            prediction = run.predict(steps.inputs, steps.outcomes, state, steps.lengths)
            return _output(prediction, state.dtype, steps)

    def loss(
        self,
        inputs: Symbols,
        outcomes: Symbols,
        scored: Symbols | None = None,
        *,
        kind: Loss = "nll",
        acceptance_weight: float = 0.0,
        state: Tensor | None = None,
        ignore_index: int | None = None,
    ) -> Tensor:
        """Mean loss of the scored steps; every step is conditioned on its outcome.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``; or features, shape ``(B, T, F)``; or
                packed sequences.
            outcomes: The right symbol of each scored step, and the symbol that each other step is
                conditioned on, or ``UNREAD``, int64, shape ``(B, T)``, with ``PADDING`` after the
                end of each sequence; or packed sequences.
            scored: The steps that count, bool, shape ``(B, T)``; by default all that are read.
                Padding never counts.
            kind: ``"nll"`` or ``"paper"``, see :func:`~qrnn_circuits.loss.sequence_loss`.
            acceptance_weight: How many times the mean of ``-log_acceptance`` over the number of
                steps of each sequence is added, so that a network learns to keep its shots where
                steps are conditioned.
            state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``.
            ignore_index: A number in ``outcomes`` that stands for no outcome and does not count,
                see :meth:`forward`.

        Returns:
            The mean, shape ``()``.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If ``kind`` is unknown, no step is scored, one is that is unread, or a
                symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        if not isinstance(acceptance_weight, Tensor):
            acceptance_weight = check_number("acceptance_weight", plain(acceptance_weight))
        steps, state = self._checked_start(inputs, outcomes, state, ignore_index)
        counted = steps.scored(scored)
        with full_precision(state.device):
            run = simulation(self.cell, self.strategy, *steps.outcomes.shape)
            if counted is None or acceptance_weight or is_traced():
                prediction = run.predict(steps.inputs, steps.outcomes, state, steps.lengths)
                log_probs = log_distribution(prediction.weights)
                loss = mean_loss(log_probs, steps.outcomes, counted, kind)
                if acceptance_weight:
                    kept, longest = prediction.log_acceptance, steps.inputs.shape[1]
                    kept = acceptance_per_step(kept, longest, steps.lengths)
                    loss = loss - acceptance_weight * kept.mean()
                return loss.to(state.dtype)
            log_probs, positions = run.read(
                steps.inputs, steps.outcomes, counted, state, steps.lengths
            )
            read, counted = steps.outcomes.take(positions), counted.take(positions)
            return mean_loss(log_probs, read, counted, kind).to(state.dtype)

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
            inputs: Input symbols, int64, shape ``(B, T)``; or features, shape ``(B, T, F)``.
            outcomes: The outcome of each step that is not sampled, or ``UNREAD``, int64, shape
                ``(B, T)``; ignored elsewhere.
            sampled: The steps whose outcome is drawn, bool, shape ``(B, T)``.
            autoregressive: Whether a sampled outcome is the next step's input, in place of the
                symbol in ``inputs``; not of a cell of real inputs.
            state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``.
            generator: Source of randomness, on the device of the parameters.

        Returns:
            The predictions, with the drawn symbols in ``outcomes``. A sampled outcome does not
            count in ``log_acceptance``.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If a symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        if autoregressive and self.cell.features:
            raise ValueError(
                "autoregressive must be False for a cell of real inputs, got True: an outcome is a "
                "symbol, and no input of such a cell"
            )
        check_bool("autoregressive", autoregressive)
        check_generator(generator)
        check_symbols("outcomes", outcomes, next(self.cell.parameters(), None))
        check_mask("sampled", sampled, outcomes.shape, outcomes)
        outcomes = outcomes.masked_fill(sampled, 0)
        steps, state = self._checked_start(inputs, outcomes, state)
        with full_precision(state.device):
            run = simulation(self.cell, self.strategy, *steps.outcomes.shape).for_drawing()
            prediction = run.sample(
                steps.inputs,
                steps.outcomes,
                steps.mask(sampled),
                state,
                autoregressive=autoregressive,
                generator=generator,
                lengths=steps.lengths,
            )
        return _output(prediction, state.dtype, steps)

    def chosen_strategy(self, batch: int, steps: int) -> str:
        """The way in which a call simulates a batch.

        Args:
            batch: Number of sequences B.
            steps: Number of steps T.

        Raises:
            TypeError: If one is no integer.
            ValueError: If one is less than 1.
        """
        batch, steps = as_integer("batch", batch, 1), as_integer("steps", steps, 1)
        return simulation(self.cell, self.strategy, batch, steps).strategy

    def _checked_start(
        self,
        inputs: Symbols,
        outcomes: Symbols,
        state: Tensor | None,
        ignore_index: int | None = None,
    ) -> tuple[Steps, Tensor]:
        """The steps and the state to start from, if everything is acceptable."""
        renew_parameters(self.cell)
        steps = checked_steps(inputs, outcomes, self.cell, ignore_index)
        batch = steps.inputs.shape[0]
        if state is None:
            return steps, self.cell.initial_state(batch)
        self._check_state(state, batch)
        return steps, state

    def _check_state(self, state: Tensor, batch: int) -> None:
        expected = self.cell.initial_state(batch)
        if not isinstance(state, Tensor):
            raise TypeError(
                f"state must be a tensor of shape {tuple(expected.shape)}, got a "
                f"{type(state).__name__}"
            )
        if state.shape != expected.shape:
            raise ValueError(
                f"state must have shape {tuple(expected.shape)}, got {tuple(state.shape)}"
            )
        if state.dtype != expected.dtype:
            raise TypeError(
                f"state must have the type of the parameters, {expected.dtype}, got {state.dtype}"
            )
        check_tensor("state", state, expected)
        check_normalised("state", state)


class QRNN(RecurrentNetwork):
    """A quantum recurrent neural network (Bausch, arXiv:2006.14619), simulated exactly.

    Attributes:
        cell: The :class:`QRNNCell`, which holds all parameters.
        strategy: ``"transfer"`` multiplies states by operators that are built once a call,
            ``"state"`` applies every gate to every state, ``"auto"`` takes the one that is
            estimated to be faster. Both have first derivatives; ``"stepwise"`` is slower and has
            derivatives of any order. The numbers are the same.

    Example:
        >>> import torch
        >>> model = QRNN(lane=1, workspace=2, generator=torch.Generator().manual_seed(0))
        >>> inputs, outcomes = torch.tensor([[0, 1, 1]]), torch.tensor([[1, 0, 1]])
        >>> output = model(inputs, outcomes)
        >>> tuple(output.log_probs.shape), tuple(output.state.shape)
        ((1, 3, 2), (1, 4))
        >>> model.loss(inputs, outcomes).backward()
    """

    cell: QRNNCell

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
            order: Order of every neuron, from 0 to ``MAX_ORDER``; 0 does not sharpen.
            degree: Degree of every neuron's polynomial, from 1 to ``W + I - 1``.
            semantics: ``"postselected"`` or ``"unitary"``; of order 0 always the latter.
            basis: What the trainable coefficients are of, ``"monomials"`` or ``"parities"``, see
                :class:`~qrnn_circuits.QRNNCell`.
            strategy: ``"auto"``, ``"transfer"``, ``"state"`` or ``"stepwise"``. What
                ``torch.func``, ``torch.compile`` or ``torch.export`` follows is run stepwise.
            initialisation: Spreads of the initial parameters.
            generator: Source of randomness for them, a CPU generator.
            device: Where the parameters live.
            dtype: Their type, float32 or float64; by default torch's default type.

        Raises:
            ValueError: If an option is out of range.
        """
        cell = QRNNCell(
            lane=lane,
            workspace=workspace,
            stages=stages,
            order=order,
            degree=degree,
            semantics=semantics,
            basis=basis,
            initialisation=initialisation,
            generator=generator,
            device=device,
            dtype=dtype,
        )
        super().__init__(cell, strategy=strategy)


def _output(prediction: Prediction, dtype: torch.dtype, steps: Steps) -> QRNNOutput:
    unread = prediction.outcomes == UNREAD
    log_probs = log_distribution(prediction.weights).to(dtype).masked_fill(unread[..., None], nan)
    if steps.lengths is not None:
        log_probs = steps.predictions(log_probs)
    return QRNNOutput(
        log_probs,
        prediction.log_acceptance,
        steps.with_padding(prediction.outcomes),
        prediction.state.to(dtype),
        steps.lengths,
    )
