import numpy as np
import pennylane as qml
import pytest
from pennylane.typing import TensorLike
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error, pauli_error

from qrnn_backends.aer import branches
from qrnn_backends.readout import NoShotsKeptError


def noise() -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx"])
    model.add_quantum_error(pauli_error([("X", 0.2), ("I", 0.8)]), ["id"], [1])
    model.add_quantum_error(pauli_error([("X", 0.3), ("I", 0.7)]), ["reset"], [0])
    model.add_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]), [0])
    return model


def circuit(angle: TensorLike = 1.0) -> TensorLike:
    qml.RX(angle, 0)
    qml.CNOT([0, 1])
    first = qml.measure(0, reset=True)
    second = qml.measure(0)
    qml.cond(first | second, qml.RY)(0.7, 1)
    qml.cond(first & ~second, qml.Identity)(1)
    qml.measure(1, postselect=0)
    return qml.probs(wires=[1, 0]), qml.expval(first + 2 * second), qml.var(qml.X(1) @ qml.Z(0))


@pytest.mark.parametrize("wires", [None, 2])
def test_shots_tend_to_the_exact_results(wires: int | None) -> None:
    shots = 4_000
    device = qml.device("qrnn.aer", wires=wires, noise=noise(), seed=2)
    exact = qml.QNode(circuit, device)()
    for found, right in zip(qml.QNode(circuit, device, shots=shots)(), exact, strict=True):
        np.testing.assert_allclose(found, right, atol=5 / np.sqrt(shots / 4))


def test_a_chip_has_exact_results_of_dynamic_circuits() -> None:
    def bell() -> TensorLike:
        qml.Hadamard(0)
        first = qml.measure(0)
        qml.cond(first, qml.X)(1)
        return qml.probs(wires=[0, 1]), qml.probs(op=first)

    device = qml.device("qrnn.aer", noise="fake_fez", seed=2)
    exact, read = qml.QNode(bell, device)()
    assert exact.sum() == pytest.approx(1)
    assert 0.8 < exact[0] + exact[3] < 0.999
    found, _ = qml.QNode(bell, device, shots=4_000)()
    np.testing.assert_allclose(found, exact, atol=0.04)
    assert read.sum() == pytest.approx(1)


def test_gradients_are_those_of_finite_differences() -> None:
    def value(angle: TensorLike) -> TensorLike:
        qml.RX(angle, 0)
        first = qml.measure(0, reset=True)
        qml.cond(first, qml.RY)(2 * angle, 1)
        return qml.expval(qml.Z(1))

    node = qml.QNode(value, qml.device("qrnn.aer", noise=noise()))
    found = qml.grad(node)(qml.numpy.array(0.6, requires_grad=True))
    assert found == pytest.approx((node(0.6 + 1e-5) - node(0.6 - 1e-5)) / 2e-5, abs=1e-6)


def test_what_cannot_be_kept_or_computed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> TensorLike:
        qml.measure(1, postselect=1)
        return qml.probs(wires=1)

    with pytest.raises(NoShotsKeptError, match="has probability 0"):
        qml.QNode(never, qml.device("qrnn.aer", noise=noise()))()
    measured = noise()
    measured.add_quantum_error(pauli_error([("X", 0.2), ("I", 0.8)]), ["measure"], [1])
    with pytest.raises(ValueError, match=r"no quantum error on 'measure'.*give shots"):
        qml.QNode(circuit, qml.device("qrnn.aer", noise=measured))()
    monkeypatch.setattr(branches, "_MAX_ENTRIES", 100)
    with pytest.raises(ValueError, match=r"take 2\*\*3 density matrices of 4\*\*2 entries"):
        qml.QNode(circuit, qml.device("qrnn.aer", noise=noise()))()
