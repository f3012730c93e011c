"""What PennyLane 0.45 gets wrong of powers of operators, put right where all of it looks.

Importing this registers the corrections with PennyLane.
"""

from math import pi

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.operation import Operator
from pennylane.ops import Evolution, Exp, Pow
from pennylane.ops.functions import bind_new_parameters
from pennylane.typing import TensorLike

from qrnn_circuits.circuits.unitary import matrix_of, numbers
from qrnn_circuits.tracing import is_traced

# Beyond, matrices cost more than it is worth to look at them.
_MAX_MATRIX_WIRES = 8

# Of matrices; parameters may be in single precision.
_EQUAL = 1e-5


def _pow(exponential: Exp, z: float) -> list[Operator]:
    """A list as of all other operators, where PennyLane has the operator itself."""
    return [_given_pow[type(exponential)](exponential, z)]


_given_pow = {Exp: Exp.pow, Evolution: Evolution.pow}
Exp.pow = Evolution.pow = _pow


def _principal(power: Pow) -> list[Operator]:
    """The decomposition of a power, fractional ones into the principal power, as is its matrix.

    PennyLane multiplies angles whatever they are: the square root of ``PhaseShift(4)`` is
    ``PhaseShift(2)`` there, which is minus the principal one where the state has phase 1.

    Args:
        power: Any power that has a decomposition.

    Raises:
        ValueError: If its parameters are differentiated and no gate of theirs is the principal
            power.
    """
    with qml.QueuingManager.stop_recording():
        parts = _chosen(power)
    if qml.QueuingManager.recording():
        for part in parts:
            qml.apply(part)
    return parts


def _chosen(power: Pow) -> list[Operator]:
    parts: list[Operator] = _given_decomposition(power)
    narrow = power.has_matrix and len(power.wires) <= _MAX_MATRIX_WIRES
    # Transforms of PyTorch hide the numbers.
    if is_traced() or not narrow or np.all(np.mod(numbers(power.z), 1) == 0):
        return parts
    base = bind_new_parameters(power.base, [numbers(value) for value in power.base.data])
    matrix = matrix_of(Pow(base, power.z))
    if _is(parts, matrix, power):
        return parts
    if len(power.base.data) == 1:
        # Gates of one angle are the same after two or four half turns.
        (angle,), (given,) = base.data, power.base.data
        for period in (2 * pi, 4 * pi):
            turned = given - period * np.round(angle / period)
            shifted = bind_new_parameters(power.base, [turned])
            parts = _given_decomposition(Pow(shifted, power.z))
            if _is([shifted], matrix_of(base), power) and _is(parts, matrix, power):
                return parts
    if any(qml.math.requires_grad(value) for value in power.base.data):
        raise ValueError(
            f"{power.name} cannot be differentiated at {[part.tolist() for part in base.data]}, "
            "where its principal power is not that of multiplied parameters: multiply parameters "
            "in place of taking a power"
        )
    return [qml.QubitUnitary(matrix, wires=power.wires)]


def _is(parts: list[Operator], matrix: NDArray[np.complex128], power: Pow) -> bool:
    """Whether operators one after another have a matrix on the wires of a power."""
    product: NDArray[np.complex128] = np.eye(2 ** len(power.wires), dtype=complex)
    for part in parts:
        plain = bind_new_parameters(part, [numbers(value) for value in part.data])
        product = numbers(qml.matrix(plain, wire_order=power.wires)) @ product
    return bool(np.allclose(product, matrix, atol=_EQUAL))


_given_decomposition = Pow.decomposition
Pow.decomposition = _principal


def _eigenvalues(power: Pow) -> TensorLike:
    """An array, where PennyLane has a list, of which twice the values is all of them twice."""
    return qml.math.stack(_given_eigenvalues(power))


_given_eigenvalues = Pow.eigvals
Pow.eigvals = _eigenvalues
