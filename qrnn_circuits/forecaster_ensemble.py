"""Forecasters of one shape, each on windows of its own, computed in one set of operations."""

from collections.abc import Sequence
from operator import attrgetter

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.dropout import _DropoutNd

from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.tracing import joint

# Amplitudes of all steps of networks that are computed together: of more, nothing is to be gained.
_MOST_AMPLITUDES = 2**22


def forecasts_together(
    forecasters: Sequence[Forecaster], inputs: Tensor, *, most: int | None = None
) -> Tensor:
    """What each network forecasts from its own windows.

    The numbers are those of each network alone, to rounding, and so are the gradients. At once run
    layers that are ``vectorised``, as all of :mod:`qrnn_circuits.layers` are, without dropout and
    quantum device; all others, such as ``torch.nn.LSTM``, one by one.

    Args:
        forecasters: E networks that differ in their parameters alone.
        inputs: Windows of each, shape ``(E, B, T, F)``.
        most: How many networks are computed at once at most; by default as many as memory and
            caches suffice for.

    Returns:
        Shape ``(E, B, K)``.

    Raises:
        ParameterRangeError: If a parameter is not finite or too large for an angle.
        ValueError: If there are not as many batches as networks.

    Example:
        >>> from qrnn_circuits.forecaster import make_forecaster
        >>> sizes = {"features": 2, "targets": 1, "hidden_size": 4}
        >>> forecasters = [make_forecaster("qrnn", **sizes) for _ in range(3)]
        >>> forecasts_together(forecasters, torch.randn(3, 5, 4, 2)).shape
        torch.Size([3, 5, 1])
    """
    if len(inputs) != len(forecasters):
        raise ValueError(
            f"inputs must hold a batch for each of {len(forecasters)} networks, got shape "
            f"{tuple(inputs.shape)}"
        )
    first = forecasters[0]
    size = getattr(first.layer, "state_size", 1)
    most = most or max(_MOST_AMPLITUDES // (inputs[0, ..., 0].numel() * size), 1)
    if most == 1 or len(forecasters) == 1 or not can_be_joint(first.layer):
        return torch.stack([own(rows) for own, rows in zip(forecasters, inputs, strict=True)])
    parameters = {
        name: torch.stack(tuple(map(attrgetter(name), forecasters)))
        for name, _ in first.named_parameters()
    }

    def forecast(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
        found: Tensor = functional_call(first, parameters, (inputs,))
        return found

    with joint():
        forecasts: Tensor = vmap(forecast, chunk_size=most)(parameters, inputs)
    return forecasts


def can_be_joint(layer: nn.Module) -> bool:
    """Whether several such layers can be computed at once: they draw nothing at random."""
    drops = any(
        getattr(part, "dropout", 0) or isinstance(part, _DropoutNd) for part in layer.modules()
    )
    on_device = getattr(layer, "quantum_device", None) is not None
    return getattr(layer, "vectorised", False) and not (drops or on_device)
