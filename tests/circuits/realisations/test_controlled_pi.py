from math import pi

import numpy as np
import pennylane as qml
import pytest

from qrnn_circuits.circuits.realisations.controlled_pi import controlled_pi
from tests import dense
from tests.branches import branches


@pytest.mark.parametrize("inverse", [False, True])
def test_it_is_the_controlled_rotation_with_one_two_qubit_gate(inverse: bool) -> None:
    gates = controlled_pi("c", "t", inverse=inverse)
    (branch,) = branches(gates, ["c", "t"], np.eye(4))
    expected = dense.controlled(dense.rotation(-pi if inverse else pi), [0], 1, 2)
    np.testing.assert_allclose(branch.operator.reshape(4, 4), expected, rtol=0, atol=1e-15)
    assert sum(len(gate.wires) == 2 for gate in gates) == 1


@pytest.mark.parametrize("inverse", [False, True])
def test_about_x_it_is_the_same_between_phase_gates_on_the_target(inverse: bool) -> None:
    gates = controlled_pi("c", "t", inverse=inverse, axis="X")
    (branch,) = branches(gates, ["c", "t"], np.eye(4))
    about_y = dense.controlled(dense.rotation(-pi if inverse else pi), [0], 1, 2)
    phase = np.kron(np.eye(2), np.diag([1, 1j]))
    expected = phase.conj() @ about_y @ phase
    np.testing.assert_allclose(branch.operator.reshape(4, 4), expected, rtol=0, atol=1e-15)
    assert len(gates) == 2


def test_it_queues_nothing() -> None:
    with qml.queuing.AnnotatedQueue() as queue:
        controlled_pi(0, 1)
    assert not queue.queue
