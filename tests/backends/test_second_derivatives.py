"""Second derivatives on dynamic circuits are right by every rule, or refused with the way out."""

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray
from pennylane.typing import TensorLike

pytest.importorskip("qiskit_aer")


def measured_in_between(angles: TensorLike) -> object:
    qml.RX(angles[0], 0)
    first = qml.measure(0)
    qml.cond(first, qml.RY)(angles[1], 1)
    return qml.expval(qml.Z(1))


def measured_in_between_and_read(angles: TensorLike) -> object:
    return measured_in_between(angles), qml.expval(qml.Z(0))


def hessian_in_torch(circuit: qml.QNode) -> NDArray[np.float64]:
    angles = torch.tensor([0.7, 0.4], dtype=torch.float64)
    found = torch.autograd.functional.hessian(circuit, angles)
    return np.asarray(found)


# Of 1 - sin(a / 2)**2 (1 - cos(b)) at (0.7, 0.4).
SECOND = -0.5 * np.array([[np.cos(0.7) * (1 - np.cos(0.4)), np.sin(0.7) * np.sin(0.4)], [0, 0]])
SECOND[1] = [SECOND[0, 1], -(np.sin(0.35) ** 2) * np.cos(0.4)]


@pytest.mark.parametrize("method", ["parameter-shift", "finite-diff", "best"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_second_derivatives_by_rules_are_right_or_refused(device: str, method: str) -> None:
    tolerance = 1e-5 if method == "finite-diff" else 1e-6
    twice = qml.QNode(measured_in_between, qml.device(device), diff_method=method, max_diff=2)
    assert np.allclose(hessian_in_torch(twice), SECOND, atol=tolerance)
    once = qml.QNode(measured_in_between, qml.device(device), diff_method=method)
    if (device, method) == ("qrnn.torch", "best"):
        assert np.allclose(hessian_in_torch(once), SECOND, atol=tolerance)
    else:
        with pytest.raises(ValueError, match="max_diff must be the order of the derivatives"):
            hessian_in_torch(once)


@pytest.mark.parametrize("method", ["parameter-shift", "finite-diff", "best"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_autograd_gives_no_second_derivative_without_the_rules_part(
    device: str, method: str
) -> None:
    node = qml.QNode(measured_in_between, qml.device(device), diff_method=method)
    angles = qml.numpy.array([0.7, 0.4], requires_grad=True)
    # Of the squares' angles, so that what does not come from the rule is not 0.
    scaled = np.array([1.4, 0.8])
    gradient = -0.5 * np.array([np.sin(0.49) * (1 - np.cos(0.16)), 0])
    gradient[1] = -(np.sin(0.245) ** 2) * np.sin(0.16)
    first = qml.grad(lambda angles: node(angles**2))
    assert np.allclose(first(angles), scaled * gradient, atol=1e-6)
    if (device, method) == ("qrnn.torch", "best"):
        assert np.allclose(qml.jacobian(qml.grad(node))(angles), SECOND)
        return
    mixed = qml.grad(lambda last: qml.grad(lambda whole: node([whole, last]))(angles[0]))
    for twice, place in ((qml.jacobian(first), angles), (mixed, angles[1])):
        with pytest.raises(ValueError, match="max_diff must be the order of the derivatives"):
            twice(place)


def beside_what_is_not_read(angles: TensorLike) -> object:
    qml.RX(angles[0], 0)
    qml.measure(0)
    qml.RY(angles[1], 1)
    return qml.expval(qml.Z(0))


def nothing_read(angles: TensorLike) -> object:
    qml.RX(angles[0], 1)
    qml.RY(angles[1], 1)
    return qml.expval(qml.Z(0))


@pytest.mark.parametrize("method", ["parameter-shift", "finite-diff"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_parameters_that_nothing_depends_on_have_second_derivatives_of_0(
    device: str, method: str
) -> None:
    for circuit, second in ((beside_what_is_not_read, -np.cos(0.7)), (nothing_read, 0.0)):
        twice = qml.QNode(circuit, qml.device(device), diff_method=method, max_diff=2)
        assert np.allclose(hessian_in_torch(twice), np.diag([second, 0]), atol=1e-5)
    once = qml.QNode(beside_what_is_not_read, qml.device(device), diff_method=method)
    with pytest.raises(ValueError, match="max_diff must be the order of the derivatives"):
        hessian_in_torch(once)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_random_directions_are_not_differentiated_twice(device: str) -> None:
    node = qml.QNode(measured_in_between, qml.device(device), diff_method="spsa", max_diff=2)
    with pytest.raises(ValueError, match="max_diff must be 1 with diff_method='spsa', got 2"):
        hessian_in_torch(node)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_what_scales_a_result_is_differentiated_through_its_derivative(device: str) -> None:
    circuit = qml.QNode(measured_in_between, qml.device(device), diff_method="parameter-shift")
    angles = torch.tensor([0.7, 0.4], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(scale * circuit(angles), angles, create_graph=True)
    first[0].backward(inputs=[scale])
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(-0.5 * np.sin(0.7) * (1 - np.cos(0.4)))


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_autograd_does_not_differentiate_several_results_twice(device: str) -> None:
    angles = qml.numpy.array([0.7, 0.4], requires_grad=True)
    options = {"device": qml.device(device), "diff_method": "parameter-shift", "max_diff": 2}
    one = qml.QNode(measured_in_between, **options)
    assert np.allclose(qml.jacobian(qml.grad(one))(angles), SECOND)
    several = qml.QNode(measured_in_between_and_read, **options)
    with pytest.raises(ValueError, match="max_diff must be 1 for a circuit of 2 results"):
        qml.grad(lambda angles: several(angles)[0])(angles)
    of_copies = qml.set_shots(one, (10, 10, 10))
    with pytest.raises(ValueError, match="max_diff must be 1 for a circuit of 3 results"):
        qml.grad(lambda angles: of_copies(angles)[0])(angles)


@pytest.mark.parametrize("interface", ["torch", "autograd"])
def test_what_no_branch_depends_on_has_derivatives_of_0_of_any_order(interface: str) -> None:
    def circuit(angles: TensorLike) -> TensorLike:
        qml.RX(angles[0], 0)
        qml.cond(qml.measure(1), qml.RX)(angles[1], 0)
        return qml.expval(qml.Z(0))

    node = qml.QNode(circuit, qml.device("qrnn.torch"), diff_method="backprop")
    if interface == "torch":
        angles = torch.tensor([0.512, 0.3], dtype=torch.float64)
        first = torch.autograd.functional.jacobian(node, angles)
        second = torch.autograd.functional.hessian(node, angles)
        apart = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        (alone,) = torch.autograd.grad(node([0.1, apart]), apart)
        assert alone == 0
    else:
        trainable = qml.numpy.array([0.512, 0.3], requires_grad=True)
        first = qml.grad(node)(trainable)
        second = qml.jacobian(qml.grad(node))(trainable)
    np.testing.assert_allclose(first, [-np.sin(0.512), 0], atol=1e-12)
    np.testing.assert_allclose(second, [[-np.cos(0.512), 0], [0, 0]], atol=1e-12)
