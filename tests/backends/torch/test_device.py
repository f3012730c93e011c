from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from pennylane import numpy as pnp
from pennylane.devices import ExecutionConfig
from pennylane.exceptions import DeviceError, QuantumFunctionError, WireError
from pennylane.measurements import MeasurementProcess
from torch import Tensor

from qrnn_circuits import QRNN
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import REALISATIONS
from qrnn_circuits.circuits.sequence import compile_circuit
from tests.backends.dynamic_circuits import Instruction, circuits, deferred, queue

MakeModel = Callable[..., QRNN]


def dynamic(angles: Any) -> tuple[MeasurementProcess, MeasurementProcess]:  # noqa: ANN401
    """Free and postselected measurements, resets and conditions."""
    qml.RX(angles[0], 0)
    qml.CNOT([0, 1])
    first = qml.measure(0, reset=True)
    qml.RY(angles[1], 0)
    qml.CRY(angles[2], [1, 0])
    qml.measure(0, postselect=0)
    qml.cond(first, qml.RX)(angles[1], 2)
    qml.RY(angles[0], 2)
    return qml.expval(qml.Y(2) @ qml.Z(1)), qml.expval(first)


ANGLES = [0.7, 1.1, -0.4]


def total(results: Any) -> Any:  # noqa: ANN401
    return results[0] + 2 * results[1]


@settings(max_examples=15)
@given(circuits())
def test_gradients_of_all_methods_are_those_of_default_qubit(
    instructions: list[Instruction],
) -> None:
    gates = qml.tape.make_qscript(queue)(instructions).operations
    values = np.array([value for gate in gates for value in gate.data])

    def circuit(parameters: Any) -> MeasurementProcess:  # noqa: ANN401
        start = 0
        for gate in gates:
            data = [parameters[start + place] for place in range(gate.num_params)]
            qml.ops.functions.bind_new_parameters(gate, data)
            start += gate.num_params
        return qml.expval(
            qml.Hamiltonian([0.5, 1.0, 2.0], [qml.X(0), qml.Z(1) @ qml.Y(2), qml.Y(0)])
        )

    def gradient(device: str, method: str) -> Tensor:
        parameters = torch.tensor(values, requires_grad=True)
        qml.QNode(circuit, qml.device(device), diff_method=method)(parameters).backward()
        assert parameters.grad is not None
        return parameters.grad

    expected = gradient("default.qubit", "backprop")
    for method in ("best", "parameter-shift"):
        torch.testing.assert_close(gradient("qrnn.torch", method), expected)


def test_backpropagation_goes_through_postselection_and_conditions() -> None:
    reference = qml.QNode(dynamic, qml.device("default.qubit"), mcm_method="deferred")
    expected = qml.jacobian(lambda angles: total(reference(angles)))(pnp.array(ANGLES))
    node = qml.QNode(dynamic, qml.device("qrnn.torch"))
    angles = torch.tensor(ANGLES, dtype=torch.float64, requires_grad=True)
    total(node(angles)).backward()
    assert angles.grad is not None
    np.testing.assert_allclose(angles.grad, expected, atol=1e-9)
    found = qml.jacobian(lambda angles: total(node(angles)))(pnp.array(ANGLES))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_adjoint_method_is_left_to_other_devices() -> None:
    device = qml.device("qrnn.torch")
    with pytest.raises(QuantumFunctionError, match=r"qrnn\.torch device.* not support adjoint"):
        qml.QNode(dynamic, device, diff_method="adjoint")


def test_second_derivatives_agree_in_torch_and_autograd() -> None:
    node = qml.QNode(dynamic, qml.device("qrnn.torch"))
    angles = torch.tensor(ANGLES, dtype=torch.float64)
    expected = torch.autograd.functional.hessian(lambda angles: total(node(angles)), angles)
    gradient = qml.grad(lambda angles: total(node(angles)))
    found = qml.jacobian(gradient)(pnp.array(ANGLES))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    step = 1e-5 * np.eye(3)
    differences = [
        (gradient(pnp.array(ANGLES + row)) - gradient(pnp.array(ANGLES - row))) / 2e-5
        for row in step
    ]
    np.testing.assert_allclose(found, differences, atol=1e-6)


def test_results_are_of_the_interface_of_the_parameters() -> None:
    node = qml.QNode(dynamic, qml.device("qrnn.torch"))
    assert {type(result) for result in node(ANGLES)} == {np.float64}
    assert {type(result) for result in node(torch.tensor(ANGLES))} == {Tensor}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_is_that_of_the_device(dtype: str) -> None:
    node = qml.QNode(dynamic, qml.device("qrnn.torch", dtype=dtype))
    angles = torch.tensor(ANGLES, dtype=torch.float64, requires_grad=True)
    value = total(node(angles))
    assert value.dtype == getattr(torch, dtype)
    expected = total(deferred(lambda: dynamic(ANGLES)))
    error = abs(value.item() - expected)
    assert error < (1e-6 if dtype == "float32" else 1e-13)
    assert dtype == "float64" or error > 0
    (gradient,) = torch.autograd.grad(value, angles)
    assert gradient.dtype == torch.float64


@pytest.mark.parametrize("method", [None, "deferred", "device", "tree-traversal"])
def test_mid_circuit_methods_agree(method: str | None) -> None:
    node = qml.QNode(dynamic, qml.device("qrnn.torch"), mcm_method=method)
    np.testing.assert_allclose(node(ANGLES), deferred(lambda: dynamic(ANGLES)), atol=1e-12)


@pytest.mark.parametrize("method", [None, "deferred", "one-shot"])
def test_mid_circuit_methods_agree_with_shots(method: str | None) -> None:
    node = qml.QNode(dynamic, qml.device("qrnn.torch", seed=2), mcm_method=method)
    found = qml.set_shots(node, shots=20_000)(ANGLES)
    expected = np.array(deferred(lambda: dynamic(ANGLES)))
    np.testing.assert_allclose(found, expected, atol=4 / np.sqrt(20_000 / 3))


def sequence_gradients(model: QRNN, distribution: Tensor) -> list[Tensor]:
    weights = torch.arange(1.0, distribution.numel() + 1, dtype=distribution.dtype)
    return list(torch.autograd.grad((weights * distribution).sum(), list(model.parameters())))


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize(
    ("semantics", "realisation"), [("postselected", "postselect"), ("unitary", "multiplexed")]
)
def test_compiled_sequences_and_their_gradients_are_the_models(
    semantics: str, realisation: str, order: int, make_model: MakeModel
) -> None:
    model = make_model(lane=2, workspace=2, stages=1, order=order, degree=2, semantics=semantics)
    inputs, outcomes = [1, 3, 0], [2, 0]
    circuit = compile_circuit(model, inputs, [*outcomes, None], realisation=realisation)
    found = circuit.qnode("qrnn.torch")()[0]
    output = model(torch.tensor([inputs]), torch.tensor([[*outcomes, 0]]))
    expected = output.log_probs[0, -1].exp()
    torch.testing.assert_close(found, expected)
    pairs = zip(sequence_gradients(model, found), sequence_gradients(model, expected), strict=True)
    for gradient, reference in pairs:
        torch.testing.assert_close(gradient, reference)


def test_sampled_steps_have_the_models_distributions(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, stages=0, order=1, degree=1)
    inputs, last = [1, 0, 1], 1
    circuit = compile_circuit(model, inputs, [None, None, last])
    with torch.no_grad():
        histories = torch.cartesian_prod(*[torch.arange(2)] * 2)
        outcomes = torch.cat((histories, torch.full((4, 1), last)), 1)
        shares = model(torch.tensor([inputs] * 4), outcomes).log_acceptance.exp()
    # Bayes' rule: a history weighs as much as the shots that it keeps.
    weights = shares / shares.sum()
    expected = [
        [float(weights[histories[:, step] == bit].sum()) for bit in range(2)] for step in range(2)
    ]
    np.testing.assert_allclose(circuit.qnode("qrnn.torch")(), expected, atol=1e-9)
    found = circuit.qnode(qml.device("qrnn.torch", seed=1), shots=50_000)()
    kept = 50_000 * float(shares.sum())
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.25 / kept))


@pytest.mark.parametrize("realisation", REALISATIONS.names())
def test_neurons_of_all_realisations_do_what_their_circuits_do(realisation: str) -> None:
    chosen = REALISATIONS.make(realisation)
    wires = range(3 + chosen.ancillas(1))

    def circuit(decompose: bool) -> MeasurementProcess:
        for wire in range(3):
            qml.RY(0.7 + wire, wires=wire)
        options: dict[str, Any] = {"order": 1, "degree": 1, "realisation": chosen}
        coefficients = np.array([1.2, 0.5, -0.8])
        if decompose:
            NeuronOperation.compute_decomposition(coefficients, wires, inverse=False, **options)
        else:
            NeuronOperation(coefficients, wires, **options)
        return qml.probs(wires=[0, 1, 2])

    found = qml.QNode(circuit, qml.device("qrnn.torch"))(False)
    np.testing.assert_allclose(found, deferred(lambda: circuit(True)), atol=1e-9)


def test_wires_that_the_device_lacks_are_named_as_on_other_devices() -> None:
    def circuit() -> MeasurementProcess:
        qml.X("c")
        return qml.probs()

    message = r"Cannot run circuit\(s\) on qrnn.torch as they contain wires not found on the device"
    with pytest.raises(WireError, match=message):
        qml.QNode(circuit, qml.device("qrnn.torch", wires=["a", "b"]))()
    three = qml.QNode(circuit, qml.device("qrnn.torch", wires=["a", "c", "b"]))()
    np.testing.assert_array_equal(three, np.eye(8)[2])


def test_states_that_do_not_fit_are_refused() -> None:
    tape = qml.tape.QuantumScript([qml.X(wire) for wire in range(40)], [qml.probs(wires=0)])
    with pytest.raises(ValueError, match="a state of 40 wires"):
        qml.device("qrnn.torch").execute(tape)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float16"}, r"dtype must be one of float32, float64, got 'float16'"),
        ({"torch_device": "abacus"}, "torch_device must be a device of this machine"),
    ],
)
def test_bad_options_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        qml.device("qrnn.torch", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"mcm_method": "single-branch-statistics"},
        {"postselect_mode": "pad-invalid-samples"},
        {"device_options": {"max_workers": 2}},
    ],
)
def test_what_the_device_does_not_have_is_refused(options: dict[str, Any]) -> None:
    device_options = options.pop("device_options", {})
    config = ExecutionConfig(
        mcm_config=qml.devices.MCMConfig(**options), device_options=device_options
    )
    with pytest.raises(DeviceError, match=next(iter({**options, **device_options}))):
        qml.device("qrnn.torch").setup_execution_config(config)


def test_executions_are_tracked() -> None:
    device = qml.device("qrnn.torch", seed=1)
    node = qml.QNode(dynamic, device)
    with qml.Tracker(device) as tracker:
        node(ANGLES)
        qml.set_shots(node, shots=50)(ANGLES)
    assert tracker.totals["simulations"] == 2
    assert tracker.totals["shots"] == 50 * 2
    assert 0 < tracker.totals["kept_shots"] < 50


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gpu_gives_the_same_results_and_gradients(dtype: str, make_model: MakeModel) -> None:
    device = qml.device("qrnn.torch", torch_device="cuda", dtype=dtype, seed=1)
    node = qml.QNode(dynamic, device)
    angles = torch.tensor(ANGLES, dtype=torch.float64, requires_grad=True)
    value = total(node(angles))
    assert value.is_cuda
    value.backward()
    reference = torch.tensor(ANGLES, dtype=torch.float64, requires_grad=True)
    expected = total(qml.QNode(dynamic, qml.device("qrnn.torch"))(reference))
    expected.backward()
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert value.item() == pytest.approx(expected.item(), abs=tolerance)
    assert angles.grad is not None
    assert reference.grad is not None
    torch.testing.assert_close(angles.grad, reference.grad, atol=tolerance, rtol=tolerance)
    sampled = total(qml.set_shots(node, shots=20_000)(ANGLES))
    assert sampled == pytest.approx(expected.item(), abs=12 / np.sqrt(20_000 / 3))
    model = make_model(lane=1, workspace=2, stages=1, order=2, degree=2)
    circuit = compile_circuit(model, [1, 0], [1, None])
    torch.testing.assert_close(
        circuit.qnode(device)()[0].double().cpu(),
        circuit.qnode("qrnn.torch")()[0],
        atol=tolerance,
        rtol=tolerance,
    )


def test_products_of_tensors_and_matrices_of_integers_act_as_their_factors() -> None:
    def circuit(angle: Any) -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        qml.prod(qml.CNOT([0, 1]), qml.RX(angle, 1))
        qml.adjoint(qml.prod(qml.X(1), qml.RY(angle, 1)))
        qml.cond(qml.measure(0), lambda: qml.prod(qml.X(1), qml.RX(angle, 1)))()
        angles = qml.math.stack([angle, 2 * angle])
        qml.SelectPauliRot(angles, control_wires=[0], target_wire=1, rot_axis="Y")
        return qml.probs(wires=[0, 1])

    # Of numbers, PennyLane's products are right.
    exact = qml.QNode(circuit, qml.device("default.qubit"))
    tensor = torch.tensor(0.4, dtype=torch.float64)
    node = qml.QNode(circuit, qml.device("qrnn.torch"))
    np.testing.assert_allclose(node(tensor), exact(0.4), atol=1e-12)
    gradient = torch.autograd.functional.jacobian(node, tensor)
    differences = (exact(0.4 + 1e-5) - exact(0.4 - 1e-5)) / 2e-5
    np.testing.assert_allclose(gradient, differences, atol=1e-8)
