"""Snapshots on qrnn.torch are those of default.qubit, and averages over what was measured."""

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.exceptions import DeviceError
from pennylane.typing import TensorLike


def unmeasured() -> TensorLike:
    qml.Snapshot()
    qml.RX(1.0, 1)
    qml.Snapshot("probabilities", measurement=qml.probs(wires=1))
    qml.CNOT([1, 0])
    qml.Snapshot("all")
    qml.Snapshot("every", measurement=qml.probs())
    return qml.expval(qml.Z(0))


def test_snapshots_without_measurements_are_those_of_default_qubit() -> None:
    found = qml.snapshots(qml.QNode(unmeasured, qml.device("qrnn.torch")))()
    right = qml.snapshots(qml.QNode(unmeasured, qml.device("default.qubit")))()
    assert found.keys() == right.keys()
    for tag, value in right.items():
        np.testing.assert_allclose(found[tag], value, atol=1e-12, err_msg=str(tag))


def measured(angle: TensorLike = 1.0) -> TensorLike:
    qml.RX(angle, "a")
    qml.Snapshot("before", measurement=qml.probs(wires="a"))
    first = qml.measure("a", reset=True)
    qml.cond(first, qml.RY)(0.8, "b")
    qml.Snapshot("after", measurement=qml.expval(qml.X("b")))
    qml.Snapshot("value", measurement=qml.var(first))
    qml.CNOT(["b", "a"])
    qml.measure("a", postselect=1)
    qml.Snapshot("selected", measurement=qml.expval(qml.Z("b")))
    qml.Snapshot("state")
    return qml.probs(wires=["a", "b"])


@pytest.mark.parametrize("shots", [None, 100_000])
def test_snapshots_are_averages_over_what_was_measured_before(shots: int | None) -> None:
    device = qml.device("qrnn.torch", seed=3)
    with qml.Tracker(device) as tracker:
        found = qml.snapshots(qml.QNode(measured, device, shots=shots))()
    one = np.sin(0.5) ** 2
    bound = 1e-12 if shots is None else 0.02
    np.testing.assert_allclose(found["before"], [1 - one, one], atol=bound)
    np.testing.assert_allclose(found["after"], one * np.sin(0.8), atol=bound)
    np.testing.assert_allclose(found["value"], one * (1 - one), atol=bound)
    np.testing.assert_allclose(found["selected"], -1, atol=bound)
    np.testing.assert_allclose(np.abs(found["state"]), [0, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(found["execution_results"], [0, 0, 0, 1], atol=1e-12)
    if shots is not None:
        share = one * np.sin(0.4) ** 2
        assert len(tracker.history["kept_shots"]) == 1, "those of the circuit itself"
        assert tracker.totals["kept_shots"] == pytest.approx(share * shots, rel=0.1)


def test_a_snapshot_may_have_shots_of_its_own() -> None:
    def circuit() -> TensorLike:
        qml.Hadamard(0)
        qml.measure(0)
        qml.Snapshot("counts", measurement=qml.counts(), shots=30)
        qml.Snapshot("sample", measurement=qml.sample(wires=0), shots=7)
        qml.Snapshot("matrix", measurement=qml.density_matrix(wires=0))
        return qml.expval(qml.Z(0))

    for shots in (None, 5):
        found = qml.snapshots(qml.QNode(circuit, qml.device("qrnn.torch", seed=1), shots=shots))()
        assert sum(found["counts"].values()) == 30
        assert np.shape(found["sample"]) == (7, 1)
        np.testing.assert_allclose(found["matrix"], np.eye(2) / 2, atol=1e-12)


def test_snapshots_of_a_trained_circuit_and_of_a_batch_are_numbers() -> None:
    node = qml.snapshots(qml.QNode(measured, qml.device("qrnn.torch")))
    angle = torch.tensor(1.0, requires_grad=True, dtype=torch.float64)
    found = node(angle)
    assert isinstance(found["after"], torch.Tensor)
    assert not found["after"].requires_grad
    assert found["execution_results"].requires_grad
    found = node(np.array([0.3, 1.0]))
    np.testing.assert_allclose(found["before"][:, 1], np.sin([0.15, 0.5]) ** 2)


def test_a_circuit_runs_without_snapshots_where_nobody_asks_for_them() -> None:
    device = qml.device("qrnn.torch")
    node = qml.QNode(measured, device)
    expected = qml.snapshots(node)()["execution_results"]
    np.testing.assert_allclose(node(), expected, atol=1e-12)


def test_the_state_of_a_mixture_is_refused_in_one_line() -> None:
    def circuit() -> TensorLike:
        qml.Hadamard(0)
        qml.measure(0)
        qml.Snapshot()
        return qml.probs(wires=0)

    for shots in (None, 10):
        node = qml.QNode(circuit, qml.device("qrnn.torch"), shots=shots)
        with pytest.raises(DeviceError, match=r"needs a pure state.*take qml\.density_matrix"):
            qml.snapshots(node)()
