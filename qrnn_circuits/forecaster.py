"""Networks that forecast real values: a recurrent layer, and a linear one behind its last step."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, nn

from qrnn_circuits.checks import as_integer
from qrnn_circuits.random_parameters import draw_uniform, undrawn
from qrnn_circuits.registry import Registry


def _classical(
    kind: Callable[..., nn.RNNBase],
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> nn.RNNBase:
    """A layer of PyTorch, batches first, drawn with a generator in place of PyTorch's own."""
    for name, value in (("hidden_size", hidden_size), ("num_layers", num_layers)):
        as_integer(name, value, 1)
    layer = undrawn(kind, input_size, hidden_size, num_layers, batch_first=True, dtype=dtype)
    for parameter in layer.parameters():
        draw_uniform(parameter, hidden_size**-0.5, generator)
    return layer


def _rnn(
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    *,
    nonlinearity: str = "tanh",
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> nn.RNNBase:
    """``torch.nn.RNN``, of which there are two kinds."""
    kind = partial(nn.RNN, nonlinearity=nonlinearity)
    return _classical(kind, input_size, hidden_size, num_layers, generator=generator, dtype=dtype)


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
LAYERS.register("rnn", _rnn)
LAYERS.register("gru", partial(_classical, nn.GRU))
LAYERS.register("lstm", partial(_classical, nn.LSTM))


def register_layer(name: str, layer: type[nn.Module]) -> None:
    """Makes a recurrent layer known by a name in this process, for ``qrnn train forecast --cell``.

    An installed package names its layers as entry points of the group ``qrnn_circuits.layers``.

    Args:
        name: The name.
        layer: The class, with the call of ``torch.nn.RNN``. Its constructor takes ``input_size``,
            ``hidden_size`` and whichever it needs of ``num_layers``, ``batch_first``, ``reading``,
            ``workspace``, ``stages``, ``order``, ``degree``, ``semantics``, ``initialisation``,
            ``generator``, ``device`` and ``dtype`` by these names.

    Raises:
        ValueError: If the name is not allowed or stands for another layer already.

    Example:
        >>> class Tanh(nn.RNN):
        ...     pass
        >>> register_layer("tanh", Tanh)
        >>> make_forecaster("tanh", features=2, targets=1, hidden_size=4).layer
        Tanh(2, 4, batch_first=True)
    """
    LAYERS.register(name, layer)


def _check_real(name: str, given: object) -> None:
    if not isinstance(given, Tensor) or given.is_complex():
        found = given.dtype if isinstance(given, Tensor) else f"a {type(given).__name__}"
        raise TypeError(f"{name} must be a tensor of real numbers, got {found}")


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

        Raises:
            TypeError: If ``targets`` is no integer.
            ValueError: If it is less than 1.
        """
        super().__init__()
        as_integer("targets", targets, 1)
        self.layer = layer
        self.head = undrawn(nn.Linear, hidden_size, targets, dtype=dtype)
        for parameter in self.head.parameters():
            draw_uniform(parameter, hidden_size**-0.5, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Forecasts from windows.

        Args:
            inputs: Of any real type, shape ``(B, T, F)``.

        Returns:
            In the type of the parameters, shape ``(B, K)``.

        Raises:
            TypeError: If they are no tensor of real numbers.
            ValueError: If they have another shape.
        """
        _check_real("inputs", inputs)
        if inputs.ndim != 3:
            raise ValueError(
                f"inputs must be windows of shape (B, T, F), got {tuple(inputs.shape)}: of one "
                "alone, take inputs[None]"
            )
        output, _ = self.layer(inputs.to(self.head.weight.dtype))
        return cast(Tensor, self.head(output[:, -1]))

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error of forecasts.

        Args:
            inputs: Shape ``(B, T, F)``.
            targets: Shape ``(B, K)``.

        Returns:
            Shape ``()``.

        Raises:
            TypeError: If either is no tensor of real numbers.
            ValueError: If a shape is wrong.
        """
        forecasts = self(inputs)
        _check_real("targets", targets)
        if targets.shape != forecasts.shape:
            raise ValueError(
                f"targets must have shape (B, K), here {tuple(forecasts.shape)}, got "
                f"{tuple(targets.shape)}: of one value for each window, take targets[:, None]"
            )
        return nn.functional.mse_loss(forecasts, targets.to(forecasts))


def make_forecaster(
    cell: str,
    *,
    features: int,
    targets: int,
    hidden_size: int,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    **options: Any,  # noqa: ANN401
) -> Forecaster:
    """Makes a layer by its name, and what forecasts from its last step.

    Args:
        cell: A name in :data:`LAYERS`, or ``"module:attribute"``.
        features: Number F of values that are known of each step.
        targets: Number K of values that are forecast.
        hidden_size: Number of values that the layer returns of a step.
        generator: Source of randomness, a CPU generator.
        dtype: Type of the parameters.
        options: Further ones of the layer.

    Raises:
        TypeError: If an option is of the wrong type.
        ValueError: If there is no such layer, it takes no such options, or a number is out of
            range.

    Example:
        >>> forecaster = make_forecaster("gru", features=2, targets=1, hidden_size=4)
        >>> forecaster(torch.randn(5, 3, 2)).shape
        torch.Size([5, 1])
    """
    common = {"batch_first": True, "reading": "last", "generator": generator, "dtype": dtype}
    accepted = signature(cast(Any, LAYERS.find(cell))).parameters
    taken = {name: value for name, value in common.items() if name in accepted}
    # As of a subclass of torch.nn.RNN, whose batches would else not be first.
    if any(each.kind is each.VAR_KEYWORD for each in accepted.values()):
        taken["batch_first"] = True
    layer = LAYERS.make(cell, input_size=features, hidden_size=hidden_size, **taken, **options)
    read = hidden_size * (2 if getattr(layer, "bidirectional", False) else 1)
    return Forecaster(layer, read, targets, generator=generator, dtype=dtype)
