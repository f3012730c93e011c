"""The recurrent network: a cell, stepped along sequences of symbols."""

from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor, nn

import qrnn_circuits.simulation.quantum_neurons  # noqa: F401 - registers the cell's fast ways
from qrnn_circuits.cells.base import UNREAD, Cell
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.log_distribution import log_distribution
from qrnn_circuits.loss import Loss, sequence_loss
from qrnn_circuits.neuron import Initialisation, Semantics
from qrnn_circuits.simulation.base import Prediction, simulation
from qrnn_circuits.simulation.base import ZeroProbabilityError as ZeroProbabilityError
from qrnn_circuits.simulation.strategy import Strategy
from qrnn_circuits.tracing import full_precision, is_traced


@dataclass(frozen=True)
class QRNNOutput:
    """What a network predicts along a batch of sequences.

    Attributes:
        log_probs: Natural log of the distribution of each step's lane before it is conditioned,
            given all earlier inputs and outcomes, shape ``(B, T, 2**I)``; NaN where a step is
            unread.
        log_acceptance: Natural log of the probability that every ancilla reads 0 and every
            conditioned outcome occurs, shape ``(B,)``, float64: the share of shots that a
            postselected run keeps.
        outcomes: The outcome of each step, given or sampled, or ``UNREAD``, int64, shape
            ``(B, T)``.
        state: Normalised workspace amplitudes after the last step, shape ``(B, 2**W)``.

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
            ValueError: If there is no such way.
        """
        super().__init__()
        simulation(cell, strategy, 1, 1)
        self.strategy = strategy
        self.cell = cell

    def forward(
        self, inputs: Tensor, outcomes: Tensor, *, state: Tensor | None = None
    ) -> QRNNOutput:
        """Predicts every step, conditioning each on its given outcome.

        A step whose outcome is :data:`UNREAD` has no output stage and no measurement: its lane only
        carries the input.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``, in ``[0, 2**I)``; or, of a cell of
                real inputs, features, shape ``(B, T, F)``.
            outcomes: The outcome that each step is conditioned on, or ``UNREAD``, int64, shape
                ``(B, T)``.
            state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``: the
                ``state`` of an earlier output. By default every workspace wire reads 0.

        Returns:
            The predictions.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If a symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        state, _ = self._checked_start(inputs, outcomes, state)
        with full_precision(state.device):
            run = simulation(self.cell, self.strategy, *outcomes.shape)
            return _output(run.predict(inputs, outcomes, state), state.dtype)

    def loss(
        self,
        inputs: Tensor,
        outcomes: Tensor,
        scored: Tensor | None = None,
        *,
        kind: Loss = "nll",
        acceptance_weight: float = 0.0,
        state: Tensor | None = None,
    ) -> Tensor:
        """Mean loss of the scored steps; every step is conditioned on its outcome.

        Args:
            inputs: Input symbols, int64, shape ``(B, T)``; or features, shape ``(B, T, F)``.
            outcomes: The right symbol of each scored step, and the symbol that each other step is
                conditioned on, or ``UNREAD``, int64, shape ``(B, T)``.
            scored: The steps that count, bool, shape ``(B, T)``; by default all that are read.
            kind: ``"nll"`` or ``"paper"``, see :func:`~qrnn_circuits.loss.sequence_loss`.
            acceptance_weight: How many times the mean of ``-log_acceptance / T`` over the sequences
                is added, so that a network learns to keep its shots where steps are conditioned.
            state: Normalised workspace amplitudes to start from, shape ``(B, 2**W)``.

        Returns:
            The mean, shape ``()``.

        Raises:
            ZeroProbabilityError: If a conditioned outcome has probability zero.
            ValueError: If ``kind`` is unknown, no step is scored, one is that is unread, or a
                symbol, shape or parameter is not acceptable.
            TypeError: If a tensor has the wrong type.
        """
        if scored is not None:
            _check_mask("scored", scored, outcomes)
        state, any_unread = self._checked_start(inputs, outcomes, state)
        if any_unread:
            unread = outcomes == UNREAD
            scored = ~unread if scored is None else scored
            _check_scored(scored, unread)
        with full_precision(state.device):
            run = simulation(self.cell, self.strategy, *outcomes.shape)
            if scored is None or acceptance_weight or is_traced():
                prediction = run.predict(inputs, outcomes, state)
                log_probs = log_distribution(prediction.weights)
                loss = sequence_loss(log_probs, outcomes, scored, kind=kind)
                if acceptance_weight:
                    log_acceptance = prediction.log_acceptance.mean() / inputs.shape[1]
                    loss = loss - acceptance_weight * log_acceptance
                return loss.to(state.dtype)
            weights, positions = run.read(inputs, outcomes, scored, state)
            outcomes, scored = outcomes.take(positions), scored.take(positions)
            loss = sequence_loss(log_distribution(weights), outcomes, scored, kind=kind)
            return loss.to(state.dtype)

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
        _check_mask("sampled", sampled, outcomes)
        outcomes = outcomes.masked_fill(sampled, 0)
        state, _ = self._checked_start(inputs, outcomes, state)
        with full_precision(state.device):
            run = simulation(self.cell, self.strategy, *outcomes.shape).for_drawing()
            prediction = run.sample(
                inputs,
                outcomes,
                sampled,
                state,
                autoregressive=autoregressive,
                generator=generator,
            )
        return _output(prediction, state.dtype)

    def chosen_strategy(self, batch: int, steps: int) -> str:
        """The way in which a call simulates a batch.

        Args:
            batch: Number of sequences B.
            steps: Number of steps T.
        """
        return simulation(self.cell, self.strategy, batch, steps).strategy

    def _checked_start(
        self, inputs: Tensor, outcomes: Tensor, state: Tensor | None
    ) -> tuple[Tensor, bool]:
        """The state to start from and whether any step is unread, if everything is acceptable."""
        if self.cell.features:
            self._check_features(inputs)
        else:
            self._check_symbols("inputs", inputs)
        any_unread = self._check_symbols("outcomes", outcomes)
        if inputs.shape[:2] != outcomes.shape:
            raise ValueError(
                f"inputs and outcomes must be of as many sequences and steps, got shapes "
                f"{tuple(inputs.shape)} and {tuple(outcomes.shape)}"
            )
        if state is None:
            state = self.cell.initial_state(len(inputs))
        else:
            self._check_state(state, len(inputs))
        return state, any_unread

    def _check_features(self, inputs: Tensor) -> None:
        dtype = next(self.cell.parameters()).dtype
        if not isinstance(inputs, Tensor) or inputs.dtype != dtype:
            found = inputs.dtype if isinstance(inputs, Tensor) else f"a {type(inputs).__name__}"
            raise TypeError(
                f"inputs must be a tensor of the type of the parameters, {dtype}, got {found}"
            )
        if inputs.ndim != 3 or 0 in inputs.shape or inputs.shape[2] != self.cell.features:
            raise ValueError(
                f"inputs must have shape (B, T, {self.cell.features}) with B and T at least 1, got "
                f"{tuple(inputs.shape)}"
            )
        if not is_traced() and not torch.isfinite(inputs).all():
            raise ValueError("inputs must be finite, but hold NaN or infinity")

    def _check_symbols(self, name: str, symbols: Tensor) -> bool:
        """Raises where a symbol is not acceptable, and returns whether any step is unread."""
        if not isinstance(symbols, Tensor) or symbols.dtype != torch.int64:
            found = symbols.dtype if isinstance(symbols, Tensor) else f"a {type(symbols).__name__}"
            raise TypeError(f"{name} must be a tensor of type torch.int64, got {found}")
        if symbols.ndim != 2 or 0 in symbols.shape:
            raise ValueError(
                f"{name} must have shape (B, T) with B and T at least 1, got {tuple(symbols.shape)}"
            )
        if is_traced():
            return name == "outcomes"
        least, greatest = torch.stack(symbols.aminmax()).tolist()
        may_be_unread = name == "outcomes"
        any_unread = may_be_unread and least == UNREAD
        if any_unread:
            least = symbols.masked_fill(symbols == UNREAD, 0).amin().item()
        if least < 0 or greatest >= 2**self.cell.lane:
            raise ValueError(
                f"{name} must be symbols from 0 to {2**self.cell.lane - 1} (a lane of "
                f"{self.cell.lane} wires){f' or UNREAD ({UNREAD})' if may_be_unread else ''}, got "
                f"{least if least < 0 else greatest}"
            )
        return any_unread

    def _check_state(self, state: Tensor, batch: int) -> None:
        expected = self.cell.initial_state(batch)
        if state.shape != expected.shape:
            raise ValueError(
                f"state must have shape {tuple(expected.shape)}, got {tuple(state.shape)}"
            )
        if state.dtype != expected.dtype:
            raise TypeError(
                f"state must have the type of the parameters, {expected.dtype}, got {state.dtype}"
            )
        if is_traced():
            return
        if not torch.isfinite(state).all():
            raise ValueError("state must be finite, but holds NaN or infinity")
        off = (torch.linalg.vector_norm(state.detach(), dim=1) - 1).abs().max().item()
        if off > torch.finfo(state.dtype).eps ** 0.5:
            raise ValueError(
                f"state must be normalised, but a row of it has a norm that is {off:.3g} off 1: "
                "divide it by torch.linalg.vector_norm(state, dim=1, keepdim=True)"
            )


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
            semantics: ``"postselected"`` or ``"unitary"``.
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
            initialisation=initialisation,
            generator=generator,
            device=device,
            dtype=dtype,
        )
        super().__init__(cell, strategy=strategy)


def _output(prediction: Prediction, dtype: torch.dtype) -> QRNNOutput:
    unread = prediction.outcomes == UNREAD
    return QRNNOutput(
        log_distribution(prediction.weights).to(dtype).masked_fill(unread[..., None], nan),
        prediction.log_acceptance,
        prediction.outcomes,
        prediction.state.to(dtype),
    )


def _check_scored(scored: Tensor, unread: Tensor) -> None:
    if is_traced():
        return
    wrong = (scored & unread).nonzero().tolist()
    if wrong:
        row, step = wrong[0]
        raise ValueError(
            f"scored marks step {step} of sequence {row}, whose outcome is UNREAD ({UNREAD}): a "
            "scored step is read, so give its right symbol in outcomes"
        )


def _check_mask(name: str, mask: Tensor, outcomes: Tensor) -> None:
    if not isinstance(mask, Tensor):
        raise TypeError(f"{name} must be a tensor of type torch.bool, got a {type(mask).__name__}")
    if mask.dtype != torch.bool:
        raise TypeError(f"{name} must be a tensor of type torch.bool, got {mask.dtype}")
    if mask.shape != outcomes.shape:
        raise ValueError(
            f"{name} must have the shape of outcomes, {tuple(outcomes.shape)}, got "
            f"{tuple(mask.shape)}"
        )
