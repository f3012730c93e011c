"""Which observables and matrices are Hermitian, to rounding."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Prod, SProd, Sum, SymbolicOp
from scipy.sparse import issparse

from qrnn_circuits.circuits.unitary import matrix_of, numbers

# Of entries that may be in single precision, relative to the largest.
_HERMITIAN = 1e-5

# Of entries that cancel, as in the commutator of observables that commute.
_ROUNDING = 1e-12


def is_hermitian(observable: Operator) -> bool:
    """Whether an observable, and of a sum each term, is Hermitian.

    Args:
        observable: One with parameters of any interface.

    Example:
        >>> is_hermitian(2 * qml.X(0)), is_hermitian(2j * qml.X(0))
        (True, False)
    """
    if observable.pauli_rep is not None:
        return _are_real(observable.pauli_rep.values())
    if isinstance(observable, Sum):
        return all(map(is_hermitian, observable.operands))
    if isinstance(observable, Prod) and not observable.has_overlapping_wires:
        return all(map(is_hermitian, observable.operands))
    if isinstance(observable, SProd) and _are_real([observable.scalar]):
        return is_hermitian(observable.base)
    if isinstance(observable, qml.SparseHamiltonian):
        return is_self_adjoint(observable.sparse_matrix())
    given = qml.Hermitian | qml.GlobalPhase | Prod | SymbolicOp
    return not isinstance(observable, given) or is_self_adjoint(matrix_of(observable))


def is_self_adjoint(matrices: Any) -> bool:  # noqa: ANN401
    """Whether matrices are their own adjoints.

    Args:
        matrices: An array of shape ``(..., n, n)``, or a sparse matrix.

    Example:
        >>> is_self_adjoint(np.array([[1, 2j], [-2j, 1]]))
        True
    """
    adjoint = matrices.T if issparse(matrices) else matrices.swapaxes(-1, -2)
    return _largest(matrices - adjoint.conj()) <= _HERMITIAN * _largest(matrices) + _ROUNDING


def _are_real(values: Iterable[Any]) -> bool:
    found = [numbers(value) for value in values]
    # Those that cancel leave rounding.
    largest = max(map(_largest, found), default=0.0)
    return all(_largest(value.imag) <= _HERMITIAN * largest for value in found)


def _largest(values: Any) -> float:  # noqa: ANN401
    return float(np.abs(values.data if issparse(values) else values).max(initial=0))
