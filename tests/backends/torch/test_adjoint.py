from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane import numpy as pnp
from pennylane.exceptions import QuantumFunctionError
from pennylane.measurements import MeasurementProcess

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import REALISATIONS


def circuit(angles: Any) -> tuple[MeasurementProcess, MeasurementProcess]:  # noqa: ANN401
    qml.RX(angles[0], wires="a")
    qml.CRY(angles[1], wires=["a", "b"])
    qml.SingleExcitation(angles[2], wires=["b", "a"])
    return qml.expval(qml.Z("a") @ qml.Y("b")), qml.expval(qml.X("a"))


ANGLES = [0.3, 1.2, -0.8]


@pytest.mark.parametrize("options", [{}, {"device_vjp": False}, {"grad_on_execution": False}])
def test_jacobians_are_those_of_backpropagation(options: dict[str, bool]) -> None:
    def jacobian(method: str, **options: bool) -> Any:  # noqa: ANN401
        device = qml.device("qrnn.torch")
        node = qml.QNode(circuit, device, diff_method=method, **options)
        return qml.jacobian(lambda angles: qml.math.stack(node(angles)))(pnp.array(ANGLES))

    np.testing.assert_allclose(jacobian("adjoint", **options), jacobian("backprop"), atol=1e-12)


def test_products_with_jacobians_are_the_products() -> None:
    (tape,), _ = qml.transforms.decompose(qml.tape.make_qscript(circuit)(ANGLES))
    device = qml.device("qrnn.torch")
    results, (jacobian,) = device.execute_and_compute_derivatives((tape,))
    jacobian = np.array(jacobian)
    np.testing.assert_allclose(results[0], device.execute((tape,))[0])
    np.testing.assert_allclose(jacobian, device.compute_derivatives((tape,))[0])
    cotangent, tangent = np.array([0.4, -1.1]), np.linspace(1, 2, jacobian.shape[1])
    for products in (
        device.compute_vjp((tape,), (cotangent,)),
        device.execute_and_compute_vjp((tape,), (cotangent,))[1],
    ):
        np.testing.assert_allclose(products[0], cotangent @ jacobian, atol=1e-12)
    for products in (
        device.compute_jvp((tape,), (tangent,)),
        device.execute_and_compute_jvp((tape,), (tangent,))[1],
    ):
        np.testing.assert_allclose(products[0], jacobian @ tangent, atol=1e-12)


@pytest.fixture
def neuron_circuit() -> Callable[[str], Callable[[Any], MeasurementProcess]]:
    def make(realisation: str) -> Callable[[Any], MeasurementProcess]:
        def run(coefficients: Any) -> MeasurementProcess:  # noqa: ANN401
            qml.Hadamard(0)
            wires = range(3 + REALISATIONS.make(realisation).ancillas(1))
            NeuronOperation(coefficients, wires, order=1, degree=1, realisation=realisation)
            return qml.expval(qml.Z(2))

        return run

    return make


def test_unitary_neurons_are_decomposed(
    neuron_circuit: Callable[[str], Callable[[Any], MeasurementProcess]],
) -> None:
    gradients: list[torch.Tensor] = []
    for method in ("adjoint", "backprop"):
        node = qml.QNode(
            neuron_circuit("multiplexed"), qml.device("qrnn.torch"), diff_method=method
        )
        coefficients = torch.tensor([1.0, 0.4, -0.6], dtype=torch.float64, requires_grad=True)
        gradients += torch.autograd.grad(node(coefficients), coefficients)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("realisation", ["postselect", "repeat_until_success"])
def test_circuits_that_are_not_unitary_are_refused(
    realisation: str,
    neuron_circuit: Callable[[str], Callable[[Any], MeasurementProcess]],
) -> None:
    device = qml.device("qrnn.torch")
    node = qml.QNode(neuron_circuit(realisation), device, diff_method="adjoint")
    with pytest.raises(QuantumFunctionError, match="does not support adjoint"):
        node(torch.tensor([1.0, 0.4, -0.6], requires_grad=True))
