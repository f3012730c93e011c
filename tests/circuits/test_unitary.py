from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.operation import Operator
from scipy.sparse import csr_matrix

from qrnn_circuits.circuits.unitary import is_unitary

STRETCHED = np.diag([1.0, 2.0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.QubitUnitary(STRETCHED, 0),
        lambda: qml.QubitUnitary(torch.tensor(STRETCHED, requires_grad=True), 0),
        lambda: qml.QubitUnitary(csr_matrix(STRETCHED), 0),
        lambda: qml.QubitUnitary(np.stack([np.eye(2), STRETCHED]), 0),
        lambda: qml.ControlledQubitUnitary(STRETCHED, [1, 0]),
        lambda: qml.DiagonalQubitUnitary([1.0, 2.0], 0),
        lambda: qml.SparseHamiltonian(csr_matrix(STRETCHED), 0),
        lambda: qml.pow(qml.Hermitian(STRETCHED, 0), 2),
        lambda: qml.prod(qml.Hermitian(STRETCHED, 0), qml.X(1)),
        lambda: qml.change_op_basis(qml.Hadamard(0), qml.Hermitian(STRETCHED, 0)),
        lambda: qml.s_prod(2.0, qml.Projector([1], 0)),
        lambda: qml.exp(qml.Z(0), torch.tensor(0.3, requires_grad=True)),
        lambda: qml.RX(0.3j, 0),
        lambda: qml.adjoint(qml.Rot(0.1, 0.2, torch.tensor(0.3j), 0)),
        lambda: qml.ctrl(qml.GlobalPhase(np.array([0.1, 0.2j])), 1),
        lambda: qml.ControlledSequence(qml.RX(0.3j, 0), [1, 2]),
    ],
)
def test_stretching_matrices_and_complex_angles_are_not_unitary(
    make: Callable[[], Operator],
) -> None:
    assert not is_unitary(make())
    assert not is_unitary(make(), or_projector=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.QubitUnitary(torch.tensor(np.diag([1, 1j])), 0),
        lambda: qml.exp(qml.X(0) @ qml.Z(1), torch.tensor(0.3j)),
        lambda: qml.RX(0.3 + 0j, 0),
        lambda: qml.StatePrep(np.array([0.6, 0.8j]), 0),
        lambda: qml.ctrl(qml.prod(qml.RX(torch.tensor(0.3), 0), qml.X(0)), 1),
        lambda: qml.BlockEncode(np.array([[0.3j]]), [0]),
        # Symbolic operators of PennyLane need not have all attributes of others.
        lambda: qml.ControlledSequence(qml.RX(0.3, 0), [1, 2]),
    ],
)
def test_unitary_matrices_and_real_angles_are_unitary(make: Callable[[], Operator]) -> None:
    assert is_unitary(make())


def test_projectors_are_taken_where_they_are_meant() -> None:
    projector = qml.Projector([1], 0)
    for operation in (projector, qml.ctrl(projector, 1), qml.prod(projector, qml.X(1))):
        assert not is_unitary(operation)
        assert is_unitary(operation, or_projector=True)
