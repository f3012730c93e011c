"""Which operations keep the norm of states."""

from typing import Any

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.operation import Operator
from pennylane.ops import CompositeOp, Exp, SProd, Sum, SymbolicOp
from scipy.sparse import issparse

# What users give as gates for their matrices, which may be of any kind.
_ANY_MATRIX = (
    qml.Hermitian,
    qml.Projector,
    qml.QubitUnitary,
    qml.SparseHamiltonian,
    Exp,
    SProd,
    Sum,
)
# Of the products of a matrix's columns, which may be in single precision.
_UNITARY = 1e-5


def is_unitary(operation: Operator, *, or_projector: bool = False) -> bool:
    """Whether an operation is unitary, as far as its class leaves that open.

    PennyLane takes any matrix for a gate, and complex numbers for angles.

    Args:
        operation: Any operation, with parameters of any interface.
        or_projector: Whether projectors will do as well.

    Example:
        >>> is_unitary(qml.X(0)), is_unitary(2 * qml.X(0)), is_unitary(qml.RX(0.3j, 0))
        (True, False, False)
    """
    match operation:
        case CompositeOp() if not isinstance(operation, Sum):
            return all(is_unitary(part, or_projector=or_projector) for part in operation.operands)
        case qml.Projector() if or_projector:
            return True
        case qml.DiagonalQubitUnitary():
            # PennyLane refuses to make a matrix of others.
            return bool(np.allclose(np.abs(numbers(operation.data[0])), 1, atol=_UNITARY))
        case Exp() if operation.base.is_verified_hermitian:
            return not np.any(numbers(operation.coeff).real)
        case _ if isinstance(operation, _ANY_MATRIX):
            matrix = matrix_of(operation)
            product = np.conj(np.swapaxes(matrix, -1, -2)) @ matrix
            return bool(np.allclose(product, np.eye(matrix.shape[-1]), atol=_UNITARY))
        case SymbolicOp():
            return is_unitary(operation.base, or_projector=or_projector)
    return not any(
        np.any(numbers(value).imag)
        for value, axes in zip(operation.data, operation.ndim_params, strict=False)
        # Arrays may be states.
        if axes == 0 and "complex" in str(getattr(value, "dtype", type(value)))
    )


def matrix_of(operation: Operator) -> NDArray[Any]:
    """The matrix of an operation, whether PennyLane has it dense or sparse."""
    return numbers(operation.matrix() if operation.has_matrix else operation.sparse_matrix())


def numbers(values: Any) -> NDArray[Any]:  # noqa: ANN401
    """Numbers of any interface as an array."""
    return np.asarray(values.toarray() if issparse(values) else qml.math.unwrap([values])[0])
