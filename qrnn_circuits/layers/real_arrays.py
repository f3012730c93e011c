"""Series of real numbers as arrays, whatever they are given as."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def real_array(name: str, given: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """A copy of what is given as an array.

    Args:
        name: Of the argument.
        given: An array, a tensor, or what NumPy makes an array of.

    Raises:
        TypeError: If it holds anything but real numbers.
        ValueError: If a number is not finite, or masked.

    Example:
        >>> real_array("inputs", np.ma.masked_equal([1, 2], 2))
        Traceback (most recent call last):
        ValueError: inputs must be finite, but hold NaN, infinity or masked values
    """
    try:
        found = np.asanyarray(given.detach().cpu() if isinstance(given, Tensor) else given)
        if np.iscomplexobj(found):
            raise TypeError("complex ones")
        # A copy, as PyTorch takes no array that runs backwards.
        array = np.asarray(np.ma.filled(found.astype(np.float64), np.nan))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be arrays of real numbers, got {error}") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but hold NaN, infinity or masked values")
    return array
