"""What PennyLane 0.45 gets wrong of products of a Jacobian with a vector.

Importing this puts it right in PennyLane, whose rules for gradients are asked only afterwards.
"""

import sys
from typing import Any

import pennylane as qml

_products: Any = sys.modules[qml.gradients.vjp.__module__]
_is_zero = _products._all_close_to_zero


def _is_constant_zero(vector: Any) -> bool:  # noqa: ANN401
    """Whether a vector is 0 and stays so, and with it the product and its derivatives.

    PennyLane also leaves out the Jacobian for vectors that are differentiated, as by
    ``torch.autograd.functional.jvp``, or in the square of a result that is 0.
    """
    if isinstance(vector, list | tuple):
        return all(map(_is_constant_zero, vector))
    return not qml.math.requires_grad(vector) and bool(_is_zero(vector))


_products._all_close_to_zero = _is_constant_zero
