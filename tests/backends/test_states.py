"""States after mid-circuit measurements, on the devices that have states."""

from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray
from pennylane.exceptions import DeviceError
from pennylane.typing import TensorLike

pytest.importorskip("qiskit_aer")

Circuit = Callable[[], TensorLike]
WAYS = [("qrnn.torch", None), ("qrnn.torch", "deferred"), ("qrnn.aer", None)]


def selected() -> TensorLike:
    qml.RX(0.4, "b")
    qml.CRY(0.9, ["b", "a"])
    qml.measure("a", postselect=1)
    return qml.state()


def reset() -> TensorLike:
    qml.RX(0.7, 1)
    qml.RY(0.5, 0)
    qml.CNOT([1, 0])
    qml.measure(1, postselect=1, reset=True)
    qml.RY(0.3, 1)
    qml.CNOT([1, 0])
    return qml.state()


def conditioned() -> TensorLike:
    qml.RX(0.3, 2)
    qml.Hadamard(0)
    first = qml.measure(0, postselect=1)
    qml.RX(0.4, 0)
    second = qml.measure(0, postselect=0)
    qml.cond(first & ~second, qml.RY)(0.2, 1)
    return qml.state()


def without_trace() -> TensorLike:
    """Both branches end in the same state."""
    qml.Hadamard(0)
    first = qml.measure(0)
    qml.cond(first, qml.X)(0)
    qml.RX(0.3, 1)
    return qml.state()


def certain() -> TensorLike:
    qml.X(0)
    first = qml.measure(0)
    qml.cond(first, qml.RX)(0.3, 1)
    return qml.state()


def rotation(pauli: str, angle: float) -> NDArray[np.complex128]:
    matrix = qml.matrix(getattr(qml, pauli)(0))
    return np.asarray(np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * matrix)


ZERO, ONE = np.eye(2)
# Of the wires in order: first as they are used where they are no numbers.
RIGHT = {
    selected: np.kron(ONE, ONE),
    reset: np.cos(0.25) * (np.cos(0.15) * np.kron(ONE, ZERO) + np.sin(0.15) * np.kron(ZERO, ONE))
    + np.sin(0.25) * (np.cos(0.15) * np.kron(ZERO, ZERO) + np.sin(0.15) * np.kron(ONE, ONE)),
    conditioned: np.kron(np.kron(ZERO, rotation("Y", 0.2) @ ZERO), rotation("X", 0.3) @ ZERO),
    without_trace: np.kron(ZERO, rotation("X", 0.3) @ ZERO),
    certain: np.kron(ONE, rotation("X", 0.3) @ ZERO),
}


@pytest.mark.parametrize(("device", "method"), WAYS)
@pytest.mark.parametrize("circuit", RIGHT)
def test_the_state_is_that_of_the_kept_outcomes(
    circuit: Circuit, device: str, method: str | None
) -> None:
    found = qml.QNode(circuit, qml.device(device), mcm_method=method)()
    assert found.shape == RIGHT[circuit].shape
    # Up to a phase of the whole.
    assert abs(np.vdot(found, RIGHT[circuit])) == pytest.approx(1)
    assert np.linalg.norm(found) == pytest.approx(1)


@pytest.mark.parametrize(("device", "method"), WAYS)
def test_the_state_of_a_mixture_is_refused_in_one_line(device: str, method: str | None) -> None:
    def circuit() -> TensorLike:
        qml.Hadamard(0)
        qml.measure(0)
        return qml.state()

    with pytest.raises(DeviceError, match=r"^qml.state\(\) needs a pure state, .*, or postselect$"):
        qml.QNode(circuit, qml.device(device), mcm_method=method)()


@pytest.mark.parametrize(("device", "method"), WAYS)
def test_states_of_a_batch_are_stacked(device: str, method: str | None) -> None:
    angles = np.array([0.2, 0.7])

    def circuit() -> TensorLike:
        qml.RX(0.3, 0)
        qml.measure(0, reset=True)
        qml.RX(angles, 1)
        return qml.state()

    found = qml.QNode(circuit, qml.device(device), mcm_method=method)()
    right = [np.kron(ZERO, rotation("X", angle) @ ZERO) for angle in angles]
    np.testing.assert_allclose(np.abs(np.sum(np.conj(found) * right, axis=1)), 1)


@pytest.mark.parametrize("method", [None, "deferred"])
def test_states_are_differentiated(method: str | None) -> None:
    def amplitude(angle: torch.Tensor) -> torch.Tensor:
        def circuit() -> TensorLike:
            qml.RY(angle, 0)
            qml.CRY(2 * angle, [0, 1])
            qml.measure(1, postselect=0)
            return qml.state()

        state: torch.Tensor = qml.QNode(circuit, qml.device("qrnn.torch"), mcm_method=method)()
        return state[2].abs()

    angle = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(amplitude(angle), angle)
    up, down = (amplitude(torch.tensor(0.6 + step, dtype=torch.float64)) for step in (1e-6, -1e-6))
    assert float(found) == pytest.approx(float(up - down) / 2e-6, abs=1e-6)
