"""What PennyLane 0.45 gets wrong of functions of the values of mid-circuit measurements.

Importing this puts it right in PennyLane, whose own functions evaluate them as the devices do, and
which takes all functions of the same measurements for one where it splits or remembers circuits.
"""

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any

import numpy as np
from pennylane.measurements import CountsMP, MeasurementProcess, SampleMP
from pennylane.ops import Conditional, MeasurementValue
from pennylane.ops.functions.equal import _equal_dispatch
from pennylane.typing import TensorLike
from torch import Tensor

from qrnn_backends.measurements import options_of


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

# Of up to so many measurements, functions are the same if all of their values are.
_MOST_COMPARED = 4


def _function(value: MeasurementValue) -> Hashable:
    """What tells the function of a value from others of the same measurements."""
    if not value.has_processing:
        return None
    if len(value.measurements) <= _MOST_COMPARED:
        # A function may have no value of outcomes that postselection rules out.
        with suppress(ArithmeticError, LookupError, TypeError, ValueError):
            results = [result for _, result in value.items()]
            if all(isinstance(result, bool | int | float) for result in results):
                # Their texts tell types of results apart, and take NaN for the same as itself.
                return tuple(map(repr, results))
    return id(value.processing_fn)


def _hash_of_value(self: MeasurementValue) -> int:
    return hash((*(part.meas_uid for part in self.measurements), _function(self)))


def _hash_of_conditional(self: Conditional) -> int:
    return hash((self.name, self.base.hash, self.meas_val.hash))


def _hash_with_options(self: CountsMP | SampleMP) -> int:
    """That of other measurements, which has the measured values, and what else is asked for."""
    return hash((MeasurementProcess.hash.fget(self), *options_of(self).items()))


@_equal_dispatch.register  # type: ignore[untyped-decorator]
def _are_equal(first: MeasurementValue, second: MeasurementValue, **options: Any) -> bool | str:  # noqa: ANN401
    """Whether two values are of the same measurements and the same function, or why not."""
    if first.measurements != second.measurements:
        return "op1 and op2 are of different measurements"
    return _function(first) == _function(second) or "op1 and op2 are different functions"


MeasurementValue.hash = property(_hash_of_value)
Conditional.hash = property(_hash_of_conditional)
CountsMP.hash = SampleMP.hash = property(_hash_with_options)
