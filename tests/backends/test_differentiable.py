"""Gradients of a batch of parameters are those of default.qubit, by every rule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.typing import TensorLike

pytest.importorskip("qiskit_aer")


def layer_circuit(inputs: TensorLike, weights: TensorLike) -> list[TensorLike]:
    qml.AngleEmbedding(inputs, wires=["a", "b"])
    qml.RY(weights[0], "a")
    qml.CNOT(["a", "b"])
    qml.RX(weights[1], "b")
    first = qml.measure("b", reset=True)
    qml.cond(first, qml.RY)(weights[2], "a")
    return [qml.expval(qml.Z("a") @ qml.Y("b")), qml.var(first), qml.var(qml.X("a"))]


@pytest.mark.parametrize("trained_inputs", [False, True])
@pytest.mark.parametrize(
    ("device", "method", "shots", "tolerance"),
    [
        ("qrnn.torch", "best", None, 1e-9),
        ("qrnn.torch", "parameter-shift", None, 1e-9),
        ("qrnn.torch", "finite-diff", None, 1e-5),
        ("qrnn.torch", "best", 20_000, 0.1),
        ("qrnn.aer", "best", None, 1e-9),
        ("qrnn.aer", "best", 1_000, 0.3),
        ("qrnn.ibm", "best", 1_000, 0.3),
    ],
)
def test_a_torch_layer_takes_batches(
    device: str,
    method: str,
    shots: int | None,
    tolerance: float,
    trained_inputs: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("QRNN_JOBS", f"{tmp_path}/jobs.sqlite")
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand(3, dtype=torch.float64, generator=generator)
    inputs = torch.rand(2, 2, dtype=torch.float64, generator=generator)
    cotangent = torch.rand(2, 3, dtype=torch.float64, generator=generator)

    def found(node: qml.QNode) -> list[torch.Tensor | None]:
        layer = qml.qnn.TorchLayer(node, {"weights": 3}).double()
        layer.weights.data.copy_(weights)
        given = inputs.clone().requires_grad_(trained_inputs)
        outputs = layer(given)
        (outputs * cotangent).sum().backward()
        return [outputs.detach(), layer.weights.grad, given.grad]

    options = {"backend": "fake_manila", "noise": False} if device == "qrnn.ibm" else {}
    sampled = qml.device(device, seed=5, **options)
    node = qml.QNode(layer_circuit, sampled, interface="torch", diff_method=method, shots=shots)
    peer = qml.QNode(layer_circuit, qml.device("default.qubit"), interface="torch")
    for ours, right in zip(found(node), found(peer), strict=True):
        if right is None:
            assert ours is None
        else:
            torch.testing.assert_close(ours, right, atol=tolerance, rtol=0)


@pytest.mark.parametrize("method", ["parameter-shift", "finite-diff", "spsa", "hadamard"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_jacobians_of_batches_are_right_by_every_rule(device: str, method: str) -> None:
    def circuit(angles: TensorLike) -> TensorLike:
        qml.RX(angles, 0)
        qml.CRY(0.4, [0, 1])
        return qml.probs(wires=[0, 1])

    options = {"aux_wire": 2} if method == "hadamard" else {}
    node = qml.QNode(circuit, qml.device(device), diff_method=method, gradient_kwargs=options)
    peer = qml.QNode(circuit, qml.device("default.qubit"))
    angles = qml.numpy.array([0.3, 0.512, 2.0], requires_grad=True)
    np.testing.assert_allclose(qml.jacobian(node)(angles), qml.jacobian(peer)(angles), atol=1e-6)


def _hermitian(p: Any) -> qml.Hermitian:  # noqa: ANN401
    x, z = np.array([[0, 1], [1, 0]]), np.diag([1, -1])
    return qml.Hermitian(p * x + 2 * p * z, 0)


@pytest.mark.parametrize("method", ["parameter-shift", "finite-diff", "hadamard"])
def test_no_rule_gives_a_number_for_the_derivative_in_a_matrix(method: str) -> None:
    def queue(p: Any) -> qml.measurements.ExpectationMP:  # noqa: ANN401
        qml.RX(0.3, 0)
        return qml.expval(_hermitian(p))

    circuit = qml.QNode(queue, qml.device("qrnn.aer", wires=2), diff_method=method)
    with pytest.raises(ValueError, match=r"in the parameters of Hermitian .* qrnn\.torch"):
        qml.grad(circuit)(qml.numpy.array(0.4, requires_grad=True))


@pytest.mark.parametrize(
    ("measure", "shots"),
    [
        (lambda p: qml.var(qml.s_prod(p, qml.Z(0))), None),
        (lambda p: qml.expval(qml.exp(qml.Z(0), p)), 100),
    ],
    ids=["a variance", "no coefficient, with shots"],
)
def test_shift_rules_give_no_tiny_difference_of_an_observables_parameter(
    measure: Callable[[Any], qml.measurements.MeasurementProcess], shots: int | None
) -> None:
    def queue(p: Any) -> qml.measurements.MeasurementProcess:  # noqa: ANN401
        qml.RX(0.3, 0)
        return measure(p)

    circuit = qml.QNode(queue, qml.device("qrnn.aer"), diff_method="parameter-shift")
    circuit = qml.set_shots(circuit, shots)
    with pytest.raises(ValueError, match="param_shift has no derivative in the parameters of"):
        qml.grad(circuit)(qml.numpy.array(0.4, requires_grad=True))


def test_a_matrix_that_is_not_differentiated_is_no_matter_to_rules() -> None:
    matrix = qml.numpy.array([[1, 0.5], [0.5, 2]], requires_grad=True)

    def queue(angle: Any) -> qml.measurements.ExpectationMP:  # noqa: ANN401
        qml.RX(angle, 0)
        return qml.expval(qml.Hermitian(matrix, 0))

    circuit = qml.QNode(queue, qml.device("qrnn.aer"), diff_method="parameter-shift")
    # The matrix is 1.5 - Z / 2 + X / 2, and <Z> the cosine.
    found = qml.grad(circuit)(qml.numpy.array(0.4, requires_grad=True))
    assert found == pytest.approx(np.sin(0.4) / 2)
