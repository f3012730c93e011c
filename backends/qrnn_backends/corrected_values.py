"""What PennyLane 0.45 gets wrong of arithmetic with the values of mid-circuit measurements.

Importing this puts it right in PennyLane, whose own functions evaluate them as the devices do.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pennylane.ops import MeasurementValue
from pennylane.typing import TensorLike
from torch import Tensor


def _with_numbers(self: MeasurementValue, function: Callable[[Any], Any]) -> MeasurementValue:
    """A function of a value, as a number of Python's where it is one.

    Of NumPy's truth values, 1 + 1 is 1. What is a tensor, PennyLane measures at the circuit's end.
    """
    return MeasurementValue(
        self.measurements, lambda *bits: _as_number(function(self.processing_fn(*bits)))
    )


def _as_number(result: Any) -> Any:  # noqa: ANN401
    if isinstance(result, np.ndarray | np.generic | Tensor) and result.ndim == 0:
        return result if isinstance(result, Tensor) and result.requires_grad else result.item()
    return result


def _multiplied(self: MeasurementValue, factor: TensorLike) -> MeasurementValue:
    """A value times a factor, of whose type PennyLane makes the value: an integer of a half."""
    return self * factor


MeasurementValue._apply = _with_numbers
MeasurementValue.__rmul__ = _multiplied
# NumPy leaves what stands to the right of its arrays to the value.
MeasurementValue.__array_ufunc__ = None
