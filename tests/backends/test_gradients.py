"""Every rule for gradients is right on dynamic circuits, or refuses and names one that is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.typing import TensorLike

from tests.backends.circuits_of_angles import (
    ANGLE,
    DYNAMIC,
    POSTSELECTED,
    Circuit,
    entangled_and_postselected,
    fed_forward,
    postselected,
    variance_of_a_value,
)

pytest.importorskip("qiskit_aer")

STEP = 1e-5


def right(circuit: Circuit, device: str) -> float:
    node = qml.QNode(circuit, qml.device(device), diff_method=None)
    return float((node(ANGLE + STEP) - node(ANGLE - STEP)) / (2 * STEP))


def gradient(circuit: Circuit, device: str, method: str, **options: object) -> float:
    node = qml.QNode(circuit, qml.device(device), diff_method=method, **options)
    return float(qml.grad(node)(qml.numpy.array(ANGLE, requires_grad=True)))


def test_the_references_are_those_worked_out_by_hand() -> None:
    known = {
        "entangled": np.sin(ANGLE),
        "value": np.sin(ANGLE) / 2,
        "variance of a value": np.sin(ANGLE) * np.cos(ANGLE) / 2,
        "fed forward": -np.sin(ANGLE),
        "never": 0.0,
        "variance of nothing": 0.0,
    }
    for name, expected in known.items():
        found = right((POSTSELECTED | DYNAMIC)[name], "qrnn.torch")
        assert found == pytest.approx(expected, abs=1e-8)


# Of several parameters, simultaneous perturbation gives an estimate.
ONE_PARAMETER = {
    "value",
    "variance of a value",
    "fed forward",
    "never",
    "conditioned PSWAP",
    "conditioned phase of all",
    "phase of all",
}
RULES = [
    (name, method)
    for name in DYNAMIC
    for method in ("best", "parameter-shift", "finite-diff", "spsa")
    if method != "spsa" or name in ONE_PARAMETER
]


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize(("name", "method"), RULES)
def test_gradients_without_postselection_are_right_by_every_rule(
    name: str, device: str, method: str
) -> None:
    found = gradient(DYNAMIC[name], device, method)
    assert found == pytest.approx(right(DYNAMIC[name], "qrnn.torch"), rel=1e-5, abs=2e-6)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize("name", POSTSELECTED)
def test_gradients_through_postselection_are_right_or_refused(name: str, device: str) -> None:
    circuit = POSTSELECTED[name]
    expected = right(circuit, device)
    for method in ("finite-diff", "spsa"):
        assert gradient(circuit, device, method) == pytest.approx(expected, rel=1e-5)
    if device == "qrnn.torch":
        assert gradient(circuit, device, "best") == pytest.approx(expected, rel=1e-6)
    else:
        with pytest.raises(ValueError, match=r"wrong for postselected.*differentiate without"):
            gradient(circuit, device, "best")
    for method in ("parameter-shift", "hadamard"):
        with pytest.raises(ValueError, match=r"or take diff_method='finite-diff' or 'spsa'"):
            gradient(circuit, device, method)


@pytest.mark.parametrize("method", ["finite-diff", "spsa"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_the_way_out_of_the_refusal_works_with_shots(device: str, method: str) -> None:
    node = qml.QNode(
        postselected,
        qml.device(device, seed=1),
        diff_method=method,
        shots=400_000,
        gradient_kwargs={"h": 0.1, "strategy": "center", "approx_order": 2},
    )
    found = qml.grad(node)(qml.numpy.array(ANGLE, requires_grad=True))
    assert found == pytest.approx(right(postselected, device), abs=0.2)


@pytest.mark.parametrize("method", ["finite-diff", "spsa"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_numerical_steps_do_not_drown_in_the_noise_of_shots(device: str, method: str) -> None:
    node = qml.QNode(fed_forward, qml.device(device, seed=1), diff_method=method, shots=5_000)
    found = qml.grad(node)(qml.numpy.array(ANGLE, requires_grad=True))
    # Its standard deviation is at most sqrt(2 / shots) / .2.
    assert found == pytest.approx(-np.sin(ANGLE), abs=0.4)


@pytest.mark.parametrize(
    ("method", "rule"),
    [("finite-diff", qml.gradients.finite_diff), ("spsa", qml.gradients.spsa_grad)],
)
@pytest.mark.parametrize(
    ("device", "options"),
    [("qrnn.torch", {}), ("qrnn.torch", {"dtype": "float32"}), ("qrnn.aer", {})],
)
def test_numerical_steps_are_not_rounded_off_in_float32(
    device: str, options: dict[str, str], method: str, rule: Callable[[qml.QNode], Any]
) -> None:
    node = qml.QNode(fed_forward, qml.device(device, **options), diff_method=method)
    angle = torch.tensor(ANGLE, dtype=torch.float32, requires_grad=True)
    found = (torch.autograd.grad(node(angle), angle)[0], rule(node)(angle).detach())
    np.testing.assert_allclose(found, -np.sin(ANGLE), atol=3e-5)


@pytest.mark.parametrize("method", ["hadamard", "reversed-hadamard", "direct-hadamard"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize("name", ["value", "fed forward", "conditioned PSWAP"])
def test_the_hadamard_test_is_refused_where_a_circuit_measures(
    name: str, device: str, method: str
) -> None:
    with pytest.raises(ValueError, match=r"must not be 'hadamard'.*take diff_method='parameter-"):
        gradient(DYNAMIC[name], device, method)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_the_hadamard_test_differentiates_unitary_circuits(device: str) -> None:
    def circuit(angle: TensorLike) -> object:
        qml.RX(angle, 0)
        qml.CRY(0.4, [0, 1])
        return qml.expval(qml.Z(0) @ qml.Z(1))

    found = gradient(circuit, device, "hadamard", gradient_kwargs={"aux_wire": 2})
    assert found == pytest.approx(right(circuit, device), rel=1e-6)


@pytest.mark.parametrize("method", ["best", "parameter-shift", "finite-diff", "hadamard"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize("wire", [0, 1])
def test_parameters_with_and_without_influence_are_differentiated_beside_a_batch(
    wire: int, device: str, method: str
) -> None:
    def circuit(angle: TensorLike) -> object:
        qml.RX(angle, wire)
        qml.RY(np.array([0.1, 0.2, 0.3]), 0)
        return qml.expval(qml.Z(0)), qml.probs(wires=[0])

    def results(angle: TensorLike) -> object:
        return qml.math.hstack([qml.math.reshape(result, -1) for result in node(angle)])

    options = {"aux_wire": 2} if method == "hadamard" else {}
    node = qml.QNode(circuit, qml.device(device), diff_method=method, gradient_kwargs=options)
    found = qml.jacobian(results)(qml.numpy.array(ANGLE, requires_grad=True))
    slopes = -np.sin(ANGLE) * np.cos([0.1, 0.2, 0.3]) if wire == 0 else np.zeros(3)
    expected = [*slopes, *np.stack([slopes / 2, -slopes / 2], 1).ravel()]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "measured",
    [
        qml.probs(),
        qml.probs(wires=[1, 0]),
        qml.probs(op=qml.Z(1) @ qml.Hadamard(0)),
    ],
)
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_the_hadamard_test_keeps_the_wires_of_probabilities_in_order(
    device: str, measured: qml.measurements.ProbabilityMP
) -> None:
    def circuit(angle: TensorLike) -> object:
        qml.RX(angle, 1)
        qml.CNOT([1, 0])
        qml.RY(0.3, 0)
        return qml.apply(measured)

    options = {"aux_wire": 2}
    node = qml.QNode(circuit, qml.device(device), diff_method="hadamard", gradient_kwargs=options)
    found = qml.jacobian(node)(qml.numpy.array(ANGLE, requires_grad=True))
    exact = qml.QNode(circuit, qml.device("default.qubit"))
    expected = (exact(ANGLE + STEP) - exact(ANGLE - STEP)) / (2 * STEP)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_the_hadamard_test_takes_no_wire_that_is_measured_for_its_own(device: str) -> None:
    def circuit(angle: TensorLike) -> object:
        qml.RX(angle, 0)
        return qml.probs()

    options = {"aux_wire": 1}
    node = qml.QNode(
        circuit, qml.device(device, wires=2), diff_method="hadamard", gradient_kwargs=options
    )
    angle = qml.numpy.array(ANGLE, requires_grad=True)
    for differentiated in (qml.jacobian(node), qml.gradients.hadamard_grad(node, **options)):
        with pytest.raises(qml.wires.WireError, match="auxiliary wire is already in use"):
            differentiated(angle)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_rules_that_are_applied_to_a_qnode_are_the_same(device: str) -> None:
    angle = qml.numpy.array(ANGLE, requires_grad=True)

    def node(circuit: Circuit) -> qml.QNode:
        return qml.QNode(circuit, qml.device(device))

    expected = right(entangled_and_postselected, device)
    for rule in (qml.gradients.finite_diff, qml.gradients.spsa_grad):
        found = rule(node(entangled_and_postselected))(angle)
        assert float(found) == pytest.approx(expected, rel=1e-5)
    for rule in (
        qml.gradients.param_shift,
        qml.gradients.hadamard_grad,
        qml.gradients.param_shift_hessian,
    ):
        with pytest.raises(ValueError, match="postselected"):
            rule(node(entangled_and_postselected))(angle)
    shifted = qml.gradients.param_shift(node(variance_of_a_value))(angle)
    assert float(shifted) == pytest.approx(right(variance_of_a_value, device), rel=1e-6)


def test_rules_on_qnodes_of_other_devices_stay_those_of_pennylane() -> None:
    def circuit(angle: TensorLike) -> object:
        qml.RX(angle, 0)
        return qml.expval(qml.Z(0))

    node = qml.QNode(circuit, qml.device("default.qubit"))
    transformed = qml.gradients.param_shift(node)
    assert len(node.compile_pipeline) == 0
    assert transformed.compile_pipeline[-1].tape_transform is (
        qml.gradients.param_shift.tape_transform
    )
    found = transformed(qml.numpy.array(ANGLE, requires_grad=True))
    assert float(found) == pytest.approx(-np.sin(ANGLE))


def test_several_parameters_results_and_copies_of_shots_keep_their_places() -> None:
    def circuit(angles: TensorLike) -> TensorLike:
        qml.RX(angles[0], 0)
        first = qml.measure(0)
        qml.cond(first, qml.RY)(angles[1], 1)
        return (
            qml.expval(qml.Z(1)),
            qml.var(first),
            qml.var(qml.Z(1) + qml.X(1)),
            qml.probs(op=first),
        )

    angles = np.array([0.4, 0.9])

    def joined(results: TensorLike) -> TensorLike:
        return qml.math.hstack([qml.math.reshape(part, (-1,)) for part in results])

    def stacked(node: qml.QNode) -> Callable[[TensorLike], TensorLike]:
        return lambda angles: joined(node(angles))

    exact = qml.QNode(circuit, qml.device("qrnn.torch"), diff_method=None)
    columns = []
    for place in range(2):
        step = np.eye(2)[place] * STEP
        columns.append((stacked(exact)(angles + step) - stacked(exact)(angles - step)) / (2 * STEP))
    expected = np.stack(columns, 1)
    trainable = qml.numpy.array(angles, requires_grad=True)
    for device in ("qrnn.torch", "qrnn.aer"):
        node = qml.QNode(circuit, qml.device(device), diff_method="parameter-shift")
        np.testing.assert_allclose(qml.jacobian(stacked(node))(trainable), expected, atol=1e-8)
    sampled = qml.QNode(circuit, qml.device("qrnn.torch", seed=1), diff_method="parameter-shift")
    sampled = qml.set_shots(sampled, (40_000, 50_000))

    def each_copy(angles: TensorLike) -> TensorLike:
        return qml.math.stack([joined(copy) for copy in sampled(angles)])

    for copy in qml.jacobian(each_copy)(trainable):
        np.testing.assert_allclose(copy, expected, atol=0.04)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize(
    "metric", [qml.metric_tensor, qml.adjoint_metric_tensor, qml.gradients.quantum_fisher]
)
def test_metrics_of_states_are_refused_where_a_measurement_would_be_left_out(
    metric: Any,  # noqa: ANN401
    device: str,
) -> None:
    def circuit(angles: TensorLike, measures: bool) -> Any:  # noqa: ANN401
        qml.RX(angles[0], 0)
        qml.RY(angles[1], 1)
        qml.CNOT([0, 1])
        if measures:
            qml.measure(1, postselect=1)
        qml.RY(angles[2], 0)
        return qml.expval(qml.Z(0))

    angles = qml.numpy.array([0.4, 0.7, 1.1], requires_grad=True)
    found = metric(qml.QNode(circuit, qml.device(device, wires=3)))(angles, measures=False)
    # Of the first layer 1/4 each; of the last one (1 - <Y>**2) / 4, where <Y> is sin(0.7) sin(0.4).
    factor = 4 if metric is qml.gradients.quantum_fisher else 1
    last = 1 - (np.sin(0.7) * np.sin(0.4)) ** 2
    np.testing.assert_allclose(np.diag(found), factor * np.array([1, 1, last]) / 4, atol=1e-9)
    with pytest.raises(ValueError, match="pure states and takes no mid-circuit measurements"):
        metric(qml.QNode(circuit, qml.device(device, wires=3)))(angles, measures=True)


@pytest.mark.parametrize("method", ["best", "parameter-shift", "hadamard"])
def test_functions_of_states_have_no_rule_of_expectation_values(method: str) -> None:
    def purity(angle: TensorLike) -> object:
        qml.RX(angle, 0)
        qml.CNOT([0, 1])
        return qml.purity([0])

    with pytest.raises(ValueError, match="wrong for purity"):
        gradient(purity, "qrnn.aer", method)
    # The purity is 1 - sin(angle)**2 / 2.
    for device, rule in [("qrnn.aer", "finite-diff"), ("qrnn.torch", "backprop")]:
        assert np.isclose(gradient(purity, device, rule), -np.sin(2 * ANGLE) / 2, atol=1e-6)


def test_numerical_differences_refuse_parameters_that_are_no_real_numbers() -> None:
    def encoded(angle: TensorLike) -> object:
        qml.BlockEncode(angle * np.array([[0.1, 0.2], [0.3, 0.4]]), [0, 1])
        return qml.expval(qml.Z(0))

    with pytest.raises(ValueError, match=r"takes real numbers.*without shots on qrnn\.torch"):
        gradient(encoded, "qrnn.torch", "finite-diff")


@pytest.mark.parametrize("method", ["best", "parameter-shift"])
def test_transforms_of_pytorch_name_the_device_that_they_take(method: str) -> None:
    circuit = qml.QNode(fed_forward, qml.device("qrnn.aer"), diff_method=method)
    angles = torch.tensor([ANGLE], dtype=torch.float64)
    for transformed in (torch.vmap(circuit), torch.func.grad(lambda angles: circuit(angles[0]))):
        with pytest.raises(ValueError, match=r"transforms of PyTorch, .* take qrnn.torch without"):
            transformed(angles)
