from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from pennylane.exceptions import DeviceError
from pennylane.measurements import MeasurementProcess
from pennylane.ops import MeasurementValue
from torch import Tensor

from tests.backends.dynamic_circuits import Instruction, circuits, deferred, queue

Measure = Callable[[list[MeasurementValue]], MeasurementProcess]

OF_WIRES: list[Measure] = [
    lambda _: qml.probs(wires=[2, 0]),
    lambda _: qml.expval(qml.Y(1)),
    lambda _: qml.var(qml.X(0) @ qml.Z(2)),
    lambda _: qml.expval(qml.Hamiltonian([0.5, -1.5], [qml.X(0) @ qml.Y(1), qml.Z(2)])),
    lambda _: qml.var(qml.Hermitian(np.array([[1.0, 2 - 1j], [2 + 1j, -1.0]]), 2)),
    lambda _: qml.expval(qml.Projector([1, 0], [0, 2])),
    lambda _: qml.probs(op=qml.Hadamard(1)),
    lambda _: qml.density_matrix([2, 1]),
    lambda _: qml.purity([1]),
    lambda _: qml.vn_entropy([0, 1]),
    lambda _: qml.mutual_info([0], [2]),
]
OF_OUTCOMES: list[Measure] = [
    lambda values: qml.expval(values[0]),
    lambda values: qml.var(values[0] + 2 * values[1]),
    lambda values: qml.expval(values[0] & ~values[1]),
    lambda values: qml.probs(op=values),
    lambda values: qml.probs(op=values[1]),
]


@settings(max_examples=25)
@given(circuits(2))
def test_results_are_those_of_deferred_measurements(instructions: list[Instruction]) -> None:
    def circuit() -> list[MeasurementProcess]:
        values = queue(instructions)
        return [measure(values) for measure in OF_WIRES + OF_OUTCOMES]

    expected = deferred(circuit)
    results = qml.QNode(circuit, qml.device("qrnn.torch"))()
    for result, reference in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, reference, atol=1e-7)


def test_a_batch_of_parameters_gives_a_batch_of_results() -> None:
    def circuit(angle: float) -> list[MeasurementProcess]:
        qml.RX(angle, 0)
        qml.CNOT([0, 1])
        values = [qml.measure(1, reset=True)]
        qml.cond(values[0], qml.RY)(angle, 1)
        qml.RY(0.4, wires=0)
        values.append(qml.measure(0, postselect=0))
        qml.RX(angle, wires=2)
        return [measure(values) for measure in OF_WIRES + OF_OUTCOMES if measure is not OF_WIRES[4]]

    node = qml.QNode(circuit, qml.device("qrnn.torch"))
    angles = np.array([0.3, 1.1, -2.0])
    together = node(angles)
    for entry, angle in enumerate(angles):
        for results, alone in zip(together, node(angle), strict=True):
            np.testing.assert_allclose(results[entry], alone, atol=1e-12)


def test_a_state_needs_one_branch() -> None:
    def circuit(postselect: int | None) -> MeasurementProcess:
        qml.Hadamard(0)
        qml.measure(0, postselect=postselect)
        return qml.state()

    node = qml.QNode(circuit, qml.device("qrnn.torch"))
    np.testing.assert_allclose(node(1), [0, 1], atol=1e-12)
    with pytest.raises(DeviceError, match=r"mixture: take qml.density_matrix"):
        node(None)


@pytest.mark.parametrize(("dtype", "complex_dtype"), [("float32", "complex64"), ("float64", None)])
def test_results_are_of_the_device_type(dtype: str, complex_dtype: str | None) -> None:
    def circuit(angle: torch.Tensor) -> list[MeasurementProcess]:
        qml.RX(angle, 0)
        qml.CNOT([0, 1])
        value = qml.measure(1)
        measures = [qml.expval(qml.Y(0)), qml.probs(wires=0), qml.expval(value)]
        return [*measures, qml.density_matrix(0), qml.vn_entropy(0), qml.var(qml.X(0))]

    results = qml.QNode(circuit, qml.device("qrnn.torch", dtype=dtype))(torch.tensor(0.3))
    types = [str(result.dtype).removeprefix("torch.") for result in results]
    assert types == [dtype] * 3 + [complex_dtype or "complex128"] + [dtype] * 2
    exact = qml.QNode(circuit, qml.device("default.qubit"), mcm_method="deferred")(
        torch.tensor(0.3)
    )
    for result, expected in zip(results, exact, strict=True):
        np.testing.assert_allclose(result, expected, atol=2e-6)


@pytest.mark.parametrize("measured", [False, True], ids=["pure", "mixed"])
@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        # <Z> = cos(a), <X> = 0 and Z(0) @ Z(1) = 1 of the state below.
        (lambda p: qml.expval(2 * _matrix(p) + p[1] * qml.Y(1)), [2 * np.cos(0.7), 0]),
        (lambda p: qml.expval(_matrix(p) @ qml.Z(1)), [1, 0]),
        (lambda p: qml.var(_matrix(p)), [0.6 * np.sin(0.7) ** 2, 0.8]),
        (lambda p: qml.expval(_matrix(p)), [np.cos(0.7), 0]),
    ],
    ids=["sum", "product", "variance", "alone"],
)
def test_backpropagation_reaches_the_matrix_of_an_observable(
    measure: Callable[[Tensor], MeasurementProcess], expected: list[float], measured: bool
) -> None:
    def queue(entries: Tensor) -> MeasurementProcess:
        qml.RX(0.7, 0)
        qml.CNOT([0, 1])
        if measured:
            qml.measure(1)
        return measure(entries)

    entries = torch.tensor([0.3, 0.4], dtype=torch.float64, requires_grad=True)
    qml.QNode(queue, qml.device("qrnn.torch"))(entries).backward()
    assert entries.grad is not None
    np.testing.assert_allclose(entries.grad, expected, atol=1e-12)


def _matrix(p: Tensor) -> qml.Hermitian:
    return qml.Hermitian(torch.stack([torch.stack([p[0], p[1]]), torch.stack([p[1], -p[0]])]), 0)
