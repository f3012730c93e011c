from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest

from qrnn_circuits.circuits.qiskit.basic import basic_operations

CONTRACTION = np.diag([1.0, 0.2])


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.Projector([1], 0),
        lambda: qml.Projector(np.array([0.6, 0.8]), 0),
        lambda: qml.adjoint(qml.Projector([1], 0)),
        lambda: qml.ctrl(qml.Projector([1], 0), 1),
        lambda: qml.prod(qml.Projector([1], 0), qml.X(1)),
        lambda: qml.QubitUnitary(CONTRACTION, 0),
        lambda: qml.Hermitian(CONTRACTION, 0),
        lambda: qml.exp(qml.Z(0), 0.3),
        lambda: qml.s_prod(2.0, qml.X(0)),
        lambda: qml.X(0) + qml.Z(0),
    ],
)
def test_operations_that_keep_no_norm_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"is not unitary.*qml\.measure\(wire, postselect"):
        list(basic_operations(make()))


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.QubitUnitary(np.array([[1, 1], [1, -1]], np.complex64) / np.sqrt(2), 0),
        lambda: qml.exp(qml.X(0) @ qml.Z(1), 0.3j),
        lambda: qml.exp(qml.s_prod(1j, qml.X(0)), 0.3),
        lambda: qml.s_prod(1j, qml.X(0)),
        lambda: (qml.X(0) + qml.Z(0)) / np.sqrt(2),
    ],
)
def test_matrices_that_are_unitary_become_gates(make: Callable[[], object]) -> None:
    operation = make()
    found = qml.matrix(qml.tape.QuantumScript(basic_operations(operation)), wire_order=[0, 1])
    assert found == pytest.approx(qml.matrix(operation, wire_order=[0, 1]), abs=1e-6)
