"""The classical recurrent networks that the quantum one is compared with."""

from collections.abc import Callable
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from qrnn_circuits.checks import check_choice, check_integer

ClassicalCell = Literal["rnn", "lstm"]
"""PyTorch's recurrent layers: tanh units, or long short-term memory."""

_GATES: dict[str, int] = {"rnn": 1, "lstm": 4}


class ClassicalNetwork(nn.Module):
    """A recurrent layer of PyTorch between symbols and the logits of the next symbols.

    Symbols enter as one-hot vectors; a linear layer makes logits of each step's output. Every
    recurrent matrix (of an LSTM that of each gate) starts as a random orthogonal one, so that a
    state is neither stretched nor shrunk by it; all else starts as PyTorch does.

    Attributes:
        symbols: Number S of different symbols.
        layer: The recurrent layer.
        head: The linear layer.

    Example:
        >>> network = ClassicalNetwork("lstm", symbols=8, hidden=9)
        >>> network(torch.tensor([[0, 5, 7]])).shape
        torch.Size([1, 3, 8])
        >>> sum(each.numel() for each in network.parameters()) == parameter_count("lstm", 8, 9)
        True
    """

    def __init__(
        self,
        cell: ClassicalCell,
        *,
        symbols: int,
        hidden: int,
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draws the initial parameters.

        Args:
            cell: ``"rnn"`` or ``"lstm"``.
            symbols: Number S of different symbols, at least 1.
            hidden: Number H of hidden units, at least 1.
            seed: Of the parameters.
            dtype: Their type, by default torch's default type.

        Raises:
            TypeError: If a number is not an integer.
            ValueError: If an argument is not acceptable.
        """
        super().__init__()
        check_choice("cell", cell, get_args(ClassicalCell))
        check_integer("symbols", symbols, 1)
        check_integer("hidden", hidden, 1)
        self.symbols = symbols
        kinds: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layer = kinds[cell](symbols, hidden, batch_first=True, dtype=dtype)
            self.head = nn.Linear(hidden, symbols, dtype=dtype)
            for gate in self.recurrent_matrix.detach().split(hidden):
                nn.init.orthogonal_(gate)

    @property
    def recurrent_matrix(self) -> Tensor:
        """What the hidden state is multiplied by, shape ``(H, H)``; of an LSTM ``(4 * H, H)``."""
        return cast(Tensor, self.layer.weight_hh_l0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of what follows each step.

        Args:
            inputs: Symbols, int64, shape ``(B, T)``.

        Returns:
            Shape ``(B, T, S)``.
        """
        hidden: Tensor = self.layer(self.encoded(inputs))[0]
        logits: Tensor = self.head(hidden)
        return logits

    def initial_state(self, batch: int) -> Tensor:
        """Zeros: the hidden state, of an LSTM with the cell state after it.

        Args:
            batch: Number of sequences B.

        Returns:
            Shape ``(B, H)``; of an LSTM ``(B, 2 * H)``.
        """
        parts = 2 if isinstance(self.layer, nn.LSTM) else 1
        return self.recurrent_matrix.new_zeros(batch, parts * self.layer.hidden_size)

    def step(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Takes a batch one step on.

        Args:
            inputs: Symbols, int64, shape ``(B,)``.
            state: All that is carried from step to step, shaped as :meth:`initial_state` has it.

        Returns:
            The logits of the next symbol, shape ``(B, S)``, and the state after the step.
        """
        parts = [part[None].contiguous() for part in state.split(self.layer.hidden_size, -1)]
        given = parts[0] if len(parts) == 1 else tuple(parts)
        output, after = self.layer(self.encoded(inputs[:, None]), given)
        carried = (after,) if isinstance(after, Tensor) else after
        return self.head(output[:, 0]), torch.cat([part[0] for part in carried], -1)

    def encoded(self, inputs: Tensor) -> Tensor:
        """One-hot vectors of symbols, shape ``(..., S)``."""
        vectors = nn.functional.one_hot(inputs, self.symbols)
        return vectors.to(self.recurrent_matrix.dtype)


def parameter_count(cell: ClassicalCell, symbols: int, hidden: int) -> int:
    """Number of parameters of a :class:`ClassicalNetwork`.

    Each gate has a matrix for the symbol, one for the hidden state and two biases.

    Args:
        cell: ``"rnn"`` or ``"lstm"``.
        symbols: Number S of different symbols.
        hidden: Number H of hidden units.
    """
    return _GATES[cell] * hidden * (symbols + hidden + 2) + symbols * (hidden + 1)


def largest_hidden(cell: ClassicalCell, symbols: int, parameters: int) -> int:
    """The largest number of hidden units for which a network has at most so many parameters.

    Args:
        cell: ``"rnn"`` or ``"lstm"``.
        symbols: Number S of different symbols.
        parameters: How many parameters it may have.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If ``cell`` is unknown, or one hidden unit has more parameters.

    Example:
        >>> largest_hidden("rnn", 8, 837), parameter_count("rnn", 8, 21)
        (21, 827)
    """
    check_choice("cell", cell, get_args(ClassicalCell))
    check_integer("parameters", parameters, parameter_count(cell, symbols, 1))
    hidden = 1
    while parameter_count(cell, symbols, hidden + 1) <= parameters:
        hidden += 1
    return hidden
