"""Networks that forecast real values: a recurrent layer, and a linear one behind its last step."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.registry import Registry


def _classical(
    kind: Callable[..., nn.RNNBase],
    input_size: int,
    hidden_size: int,
    num_layers: int,
    generator: torch.Generator | None,
    options: dict[str, Any],
) -> nn.RNNBase:
    """A layer of PyTorch, drawn with a generator in place of PyTorch's own, spread as there."""
    layer = kind(input_size, hidden_size, num_layers, batch_first=True, **options)
    _draw(layer, hidden_size**-0.5, generator)
    return layer


def rnn(
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    nonlinearity: str = "tanh",
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> nn.RNNBase:
    """``torch.nn.RNN``, batches first."""
    options = {"nonlinearity": nonlinearity, "dtype": dtype}
    return _classical(nn.RNN, input_size, hidden_size, num_layers, generator, options)


def gru(
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> nn.RNNBase:
    """``torch.nn.GRU``, batches first."""
    return _classical(nn.GRU, input_size, hidden_size, num_layers, generator, {"dtype": dtype})


def lstm(
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> nn.RNNBase:
    """``torch.nn.LSTM``, batches first."""
    return _classical(nn.LSTM, input_size, hidden_size, num_layers, generator, {"dtype": dtype})


LAYERS = Registry[nn.Module]("cell", "qrnn_circuits.layers", nn.Module)
"""Every recurrent layer by its name on the command line: what makes one with ``batch_first``."""

# Imported once they are asked for: quantum layers know their circuits, and with them PennyLane.
for _name, _class in (
    ("qrnn", "QRNNLayer"),
    ("qlstm", "QLSTM"),
    ("qgru", "QGRU"),
    ("recurrent-circuit", "RecurrentCircuitLayer"),
    ("fast-weights", "FastWeightProgrammer"),
):
    LAYERS.register(_name, f"qrnn_circuits.layers:{_class}")
for _function in (rnn, gru, lstm):
    LAYERS.register(_function.__name__, _function)


class Forecaster(nn.Module):
    """A recurrent layer whose last step a linear layer takes to the values that are forecast.

    Attributes:
        layer: With the call of ``torch.nn.RNN``, batches first.
        head: The linear layer.

    Example:
        >>> forecaster = Forecaster(nn.RNN(2, 8, batch_first=True), hidden_size=8, targets=1)
        >>> forecaster(torch.randn(5, 4, 2)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        layer: nn.Module,
        hidden_size: int,
        targets: int,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Draws the parameters of the linear layer.

        Args:
            layer: With the call of ``torch.nn.RNN``, batches first.
            hidden_size: Number of values that it returns of a step.
            targets: Number K of values that are forecast.
            generator: Source of randomness, a CPU generator.
            dtype: Type of the parameters of the linear layer.
        """
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(hidden_size, targets, dtype=dtype)
        _draw(self.head, hidden_size**-0.5, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Forecasts from windows.

        Args:
            inputs: Of any real type, shape ``(B, T, F)``.

        Returns:
            In the type of the parameters, shape ``(B, K)``.
        """
        output, _ = self.layer(inputs.to(self.head.weight.dtype))
        return cast(Tensor, self.head(output[:, -1]))

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error of forecasts.

        Args:
            inputs: Shape ``(B, T, F)``.
            targets: Shape ``(B, K)``.

        Returns:
            Shape ``()``.
        """
        return nn.functional.mse_loss(self(inputs), targets.to(self.head.weight.dtype))


@torch.no_grad()
def _draw(module: nn.Module, spread: float, generator: torch.Generator | None) -> None:
    """Draws all parameters uniformly up to a spread, as PyTorch does, the same on every device."""
    for parameter in module.parameters():
        drawn = torch.rand(parameter.shape, generator=generator, dtype=torch.float64, device="cpu")
        parameter.copy_(spread * (2 * drawn - 1))
