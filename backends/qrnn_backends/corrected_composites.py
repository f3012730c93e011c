"""What PennyLane 0.45 gets wrong of products and sums whose operators share wires or have none.

Importing this puts it right in PennyLane, which measures such observables in their eigenbasis.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import pennylane as qml
from pennylane.ops import CompositeOp, Prod, Sum
from pennylane.typing import TensorLike
from pennylane.wires import Wires
from scipy.sparse import eye_array, issparse

from qrnn_backends.hermitian import is_self_adjoint
from qrnn_circuits.circuits.unitary import numbers
from qrnn_circuits.tracing import is_traced


def _expanded(
    mat: Any,  # noqa: ANN401
    wires: Sequence[Any] | int,
    wire_order: Sequence[Any] | None = None,
    sparse_format: str = "csr",
) -> Any:  # noqa: ANN401
    """A number times the identity where it is of no wires; PennyLane has the number alone."""
    if wire_order is None or isinstance(wires, int) or len(wires):
        return _given_expand(mat, wires, wire_order, sparse_format)
    if issparse(mat):
        return (mat[0, 0] * eye_array(2 ** len(wire_order))).asformat(sparse_format)
    identity = qml.math.eye(2 ** len(wire_order), like=qml.math.get_interface(mat))
    return mat * qml.math.cast_like(identity, mat)


# Here PennyLane's functions of matrices look for it.
_matrices: Any = sys.modules[qml.math.reduce_matrices.__module__]
_given_expand = qml.math.expand_matrix
qml.math.expand_matrix = _matrices.expand_matrix = _expanded


def _matrix(product: Prod, wire_order: Iterable[Any] | None = None) -> TensorLike:
    """With the wires in order, where PennyLane has them as groups of factors that share some."""
    if product.pauli_rep:
        return _given_matrix(product, wire_order)
    grouped = [factor.wires for group in product.overlapping_ops for factor in group]
    return qml.math.expand_matrix(
        _given_matrix(product),
        Wires.all_wires(grouped),
        wire_order=product.wires if wire_order is None else wire_order,
    )


_given_matrix = Prod.matrix
Prod.matrix = _matrix


def _of_same_graph(coefficient: Any) -> Any:  # noqa: ANN401
    """Another number that sums may add to, where a copy of a tensor would have no gradient."""
    return 1 * coefficient


# Sums copy their coefficients when they collect equal terms, and nothing else.
sys.modules[Sum.__module__].copy = _of_same_graph  # type: ignore[attr-defined]


def _eigendecomposition(composite: CompositeOp) -> dict[str, TensorLike]:
    """For the order of the wires, with orthogonal eigenvectors of what is Hermitian, or times i.

    PennyLane takes those of equal operators whatever the order, and such as are not orthogonal for
    equal eigenvalues of a product. It keeps those of tensors, whose graph is of one call, by their
    first digits.
    """
    key = (composite.hash, *composite.wires)
    kept = qml.math.get_interface(*composite.data) == "numpy"
    if not kept or key not in composite._eigs:
        matrix = composite.matrix()
        phase = 1.0 if composite.is_verified_hermitian else _phase(matrix)
        if phase is None:
            values, vectors = qml.math.linalg.eig(matrix)
        else:
            values, vectors = qml.math.linalg.eigh(matrix / phase)
            values = phase * values
        found = {"eigval": values, "eigvec": vectors}
        if not kept:
            return found
        composite._eigs[key] = found
    known: dict[str, TensorLike] = composite._eigs[key]
    return known


def _phase(matrix: TensorLike) -> complex | None:
    """What a matrix is Hermitian but for, if that is 1 or i."""
    if is_traced():
        # Transforms of PyTorch hide the numbers.
        return None
    entries = numbers(matrix)
    return next((phase for phase in (1.0, 1j) if is_self_adjoint(entries / phase)), None)


CompositeOp.eigendecomposition = property(
    _eigendecomposition, doc=CompositeOp.eigendecomposition.__doc__
)
