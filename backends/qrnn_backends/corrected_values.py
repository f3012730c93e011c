"""What PennyLane 0.45 gets wrong of arithmetic with the values of mid-circuit measurements.

Importing this puts it right in PennyLane, whose own functions evaluate them as the devices do.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pennylane.ops import MeasurementValue
from pennylane.typing import TensorLike


def _with_numbers(self: MeasurementValue, function: Callable[[Any], Any]) -> MeasurementValue:
    """A function of a value, whose truth values count as numbers: NumPy's have 1 for 1 + 1."""

    def of_outcomes(*bits: Any) -> Any:  # noqa: ANN401
        result = function(self.processing_fn(*bits))
        return bool(result) if isinstance(result, np.bool_) else result

    return MeasurementValue(self.measurements, of_outcomes)


def _multiplied(self: MeasurementValue, factor: TensorLike) -> MeasurementValue:
    """A value times a factor, of whose type PennyLane makes the value: an integer of a half."""
    return self * factor


MeasurementValue._apply = _with_numbers
MeasurementValue.__rmul__ = _multiplied
