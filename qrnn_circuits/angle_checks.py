"""Whether numbers are still angles: of one type, finite, and told apart by it."""

from collections.abc import Iterable
from math import inf, isnan
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from qrnn_circuits.numerical_errors import ParameterRangeError
from qrnn_circuits.tracing import known_numbers

_KEEP_SMALL = "a smaller learning rate or initial spread keeps parameters small"
SCALE_FEATURES = "bring features to [0, 1], for instance, before they are fed"
"""What keeps small the angles that features make."""


def check_parameters(module: nn.Module) -> None:
    """Raises where angles in radians that some parameters hold have lost their meaning.

    Nothing is asked of parameters without numbers: those of the meta device, or that are traced.

    Args:
        module: Its own parameters are checked, not those of its parts; of those that
            ``torch.nn.utils.parametrize`` computes from others, what it computes.

    Raises:
        TypeError: If they are not all of type float32, or all of float64.
        ParameterRangeError: See :func:`check_angles`.
    """
    names = [name for name, _ in module.named_parameters(recurse=False)]
    if is_parametrized(module):
        names += cast(nn.ModuleDict, module.parametrizations)
    parameters: list[Tensor] = []
    for name in names:
        parameter = known_numbers(getattr(module, name))
        if parameter is None or parameter.is_meta:
            return
        parameters.append(parameter)
    check_types(parameters)
    if not are_angles(parameters):
        for name, parameter in zip(names, parameters, strict=True):
            check_angles(name, parameter)


def check_types(parameters: Iterable[Tensor]) -> None:
    """Raises a ``TypeError`` where parameters are not all float32, or all float64."""
    dtypes = {parameter.dtype for parameter in parameters}
    if dtypes not in ({torch.float32}, {torch.float64}):
        found = " and ".join(sorted(map(str, dtypes)))
        raise TypeError(
            "parameters must be all of one type, torch.float32 or torch.float64, got "
            f"{found}: turn them back by the method float() or double()"
        )


def check_angles(name: str, angles: Tensor, way_out: str = _KEEP_SMALL) -> None:
    """Raises where angles in radians have lost their meaning.

    Args:
        name: Of what holds them.
        angles: Of any shape; nothing is asked of those without numbers.
        way_out: What keeps them small.

    Raises:
        ParameterRangeError: If one is not finite, or so large that neighbouring numbers of its type
            are more than about 0.01 radians apart.
    """
    found = known_numbers(angles)
    if found is None or found.is_meta or not found.numel():
        return
    # Of many angles many times faster than a norm or `isfinite`; one transfer from the device.
    low, high = torch.stack(found.aminmax()).tolist()
    largest = max(-low, high)
    most = largest_angle(angles.dtype)
    if not largest <= most:
        holds = "holds NaN" if isnan(largest) else f"holds one of {largest:.3g}"
        raise ParameterRangeError(
            f"{name} must be finite and at most {most:.6g} radians in size, where {angles.dtype} "
            f"still tells angles apart, but {holds}: {way_out}"
        )


def are_angles(values: Iterable[Tensor]) -> bool:
    """Whether the sizes of all values together are finite and no larger than one may be.

    No size is beyond their sum, and all sizes are not known to Python at less cost. Nothing is
    asked of values without numbers.

    Args:
        values: In radians, all of one type.
    """
    total, most = 0.0, inf
    for each in values:
        found = known_numbers(each)
        if found is None or found.is_meta:
            return True
        total += float(torch.linalg.vector_norm(found, 1))
        most = largest_angle(found.dtype)
    return total <= most


def largest_angle(dtype: torch.dtype) -> float:
    """Up to which size, in radians, neighbouring numbers of a type are 0.01 apart or less."""
    return 2.0**-7 / torch.finfo(dtype).eps
