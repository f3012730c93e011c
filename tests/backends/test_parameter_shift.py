from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
from pennylane.operation import Operator
from pennylane.typing import TensorLike

from qrnn_backends.parameter_shift import unpostselected_param_shift
from qrnn_circuits.circuits.neuron import NeuronOperation


def tape(*operations: Operator) -> qml.tape.QuantumScript:
    gates = [qml.RY(0.4, 0), qml.CNOT([0, 1]), *operations]
    return qml.tape.QuantumScript(gates, [qml.expval(qml.Z(1))], trainable_params=[0])


def test_without_postselection_it_is_the_rule_of_pennylane() -> None:
    measured = tape(qml.ops.MidMeasure(0, meas_uid="a"))
    shifted, combine = unpostselected_param_shift(measured, shifts=[(0.3,)])
    expected, combine_expected = qml.gradients.param_shift(measured, shifts=[(0.3,)])
    assert [each.data for each in shifted] == [each.data for each in expected]
    assert combine((0.1, 0.4)) == combine_expected((0.1, 0.4))


def neuron(realisation: str, wires: int) -> Callable[[], Operator]:
    return lambda: NeuronOperation(
        [0.1, 0.2], range(wires), order=1, degree=1, realisation=realisation
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.ops.MidMeasure(0, postselect=0),
        neuron("postselect", 3),
        neuron("repeat_until_success", 3),
        lambda: qml.ops.Conditional(qml.measure(0), neuron("postselect", 3)()),
        lambda: qml.Projector([1], 0),
        lambda: qml.prod(qml.Projector([1], 0), qml.X(1)),
    ],
)
def test_postselected_tapes_are_refused(make: Callable[[], Operator]) -> None:
    with pytest.raises(ValueError, match="wrong for postselected circuits"):
        unpostselected_param_shift(tape(make()))


@pytest.mark.parametrize(("realisation", "wires"), [("multiplexed", 2), ("amplified", 4)])
def test_neurons_that_postselect_nothing_are_not(realisation: str, wires: int) -> None:
    unpostselected_param_shift(tape(neuron(realisation, wires)()))


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_second_derivatives_go_through_conditions(device: str) -> None:
    pytest.importorskip("qiskit_aer")

    def circuit(first: TensorLike, second: TensorLike) -> TensorLike:
        qml.RX(first, 0)
        qml.cond(qml.measure(0), qml.RY)(second, 1)
        return qml.expval(qml.Z(1))

    node = qml.QNode(circuit, qml.device(device))
    angles = [qml.numpy.array(angle, requires_grad=True) for angle in (0.5, 1.3)]
    # Of separate arguments, PennyLane gives those by each alone.
    found = qml.gradients.param_shift_hessian(node)(*angles)
    # The value is 1 - sin(first / 2)**2 * (1 - cos(second)).
    right = -np.cos(0.5) / 2 * (1 - np.cos(1.3)), -(np.sin(0.25) ** 2) * np.cos(1.3)
    np.testing.assert_allclose(found, right, atol=1e-9)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_adjoints_of_products_are_differentiated_gate_by_gate(device: str) -> None:
    def circuit(angle: TensorLike) -> object:
        qml.Hadamard(0)
        qml.Reflection(qml.RY(angle, 0) @ qml.RX(0.2, 1), 0.7)
        qml.adjoint(qml.RX(angle, 0) @ qml.CNOT([0, 1]))
        return qml.expval(qml.Z(0))

    exact = qml.QNode(circuit, qml.device("default.qubit"))
    node = qml.QNode(circuit, qml.device(device), diff_method="parameter-shift")
    angle = qml.numpy.array(0.4, requires_grad=True)
    differences = (exact(0.4 + 1e-5) - exact(0.4 - 1e-5)) / 2e-5
    assert qml.grad(node)(angle) == pytest.approx(differences, abs=1e-8)
