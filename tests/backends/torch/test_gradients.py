from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane import numpy as pnp
from pennylane.measurements import MeasurementProcess
from torch import Tensor


def test_parameter_shift_with_shots_is_within_its_error() -> None:
    def circuit(angle: Tensor) -> MeasurementProcess:
        qml.RY(angle, 0)
        value = qml.measure(0)
        qml.cond(value, qml.RX)(0.8, 1)
        return qml.expval(qml.Y(1))

    shots = 20_000
    node = qml.set_shots(qml.QNode(circuit, qml.device("qrnn.torch", seed=4)), shots=shots)
    angle = torch.tensor(0.9, requires_grad=True)
    node(angle).backward()
    assert angle.grad is not None
    # <Y> = -sin(0.8) sin(angle/2)^2; the rule halves the difference of two expectation values.
    expected = -np.sin(0.8) * np.sin(0.9) / 2
    assert abs(float(angle.grad) - expected) < 4 / np.sqrt(2 * shots)


def test_parameter_shift_is_refused_only_where_it_would_be_wrong() -> None:
    def circuit(angle: Tensor) -> MeasurementProcess:
        qml.RY(angle, 0)
        qml.measure(0, postselect=0)
        return qml.expval(qml.Z(0))

    node = qml.set_shots(qml.QNode(circuit, qml.device("qrnn.torch", seed=4)), shots=100)
    angle = torch.tensor(0.9, requires_grad=True)
    value = node(angle)
    assert value == 1
    with pytest.raises(ValueError, match="wrong for postselected circuits"):
        value.backward()


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("constant", [float, np.array])
def test_a_gate_of_several_angles_has_gradients_beside_constants(
    place: int, constant: Callable[[float], Any]
) -> None:
    def circuit(*angles: Any) -> MeasurementProcess:  # noqa: ANN401
        qml.Rot(*angles, wires=0)
        qml.CRot(*angles[::-1], wires=[0, 1])
        qml.cond(qml.measure(0), qml.adjoint(qml.Rot))(*angles, wires=1)
        return qml.expval(qml.X(1) + 0.5 * qml.Y(1))

    values = [0.7, 1.1, -0.4]

    def shifted(step: float) -> Any:  # noqa: ANN401
        moved = [value + step * (number == place) for number, value in enumerate(values)]
        return qml.QNode(circuit, qml.device("default.qubit"))(*moved)

    right = (shifted(1e-5) - shifted(-1e-5)) / 2e-5
    node = qml.QNode(circuit, qml.device("qrnn.torch"))
    arrays = [
        pnp.array(value, requires_grad=number == place) for number, value in enumerate(values)
    ]
    assert qml.grad(node)(*arrays) == pytest.approx(right, abs=1e-8)
    angles = [constant(value) for value in values]
    traced = torch.tensor(values[place], dtype=torch.float64, requires_grad=True)
    node(*angles[:place], traced, *angles[place + 1 :]).backward()
    assert traced.grad is not None
    assert traced.grad.item() == pytest.approx(right, abs=1e-8)


def imaginary_parts(angle: Any) -> Any:  # noqa: ANN401
    """At an angle of 0, all amplitudes are real."""
    qml.RX(angle, 0)
    return qml.expval(qml.Y(0))


def conditioned_gates(angle: Any) -> Any:  # noqa: ANN401
    qml.X(1)
    qml.CRY(angle, [1, 0])
    first = qml.measure(0)
    qml.cond(first, qml.CRX)(angle, [1, 2])
    return qml.expval(qml.Y(2) @ qml.Z(1))


def many_measurements(angle: Any) -> Any:  # noqa: ANN401
    for _ in range(6):
        qml.RX(angle, 0)
        qml.measure(0)
    return qml.expval(qml.Z(0))


def postselected(angle: Any) -> Any:  # noqa: ANN401
    qml.RX(angle, 0)
    qml.CNOT([0, 1])
    qml.RY(0.4, 1)
    qml.measure(1, postselect=0)
    return qml.expval(qml.Z(0))


# PyTorch itself compiles its rules for forward mode by torch.jit.script, which it deprecates.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
@pytest.mark.parametrize(
    "circuit", [imaginary_parts, conditioned_gates, many_measurements, postselected]
)
def test_torch_func_follows_circuits_forwards_backwards_and_entry_by_entry(
    circuit: Callable[[Any], Any],
) -> None:
    node = qml.QNode(circuit, qml.device("qrnn.torch"))
    exact = qml.QNode(circuit, qml.device("default.qubit"))
    angles = torch.tensor([0.0, 0.4], dtype=torch.float64)
    slope = torch.func.jacrev(node)
    values = torch.tensor([exact(float(angle)) for angle in angles])
    torch.testing.assert_close(torch.func.vmap(node)(angles), values)
    slopes = torch.stack([torch.autograd.functional.jacobian(exact, angle) for angle in angles])
    torch.testing.assert_close(torch.func.vmap(slope)(angles), slopes)
    for derivative in (torch.func.jacfwd(node), torch.func.grad(node)):
        torch.testing.assert_close(torch.stack(list(map(derivative, angles))), slopes)
    for angle in angles:
        step = (slope(angle + 1e-5) - slope(angle - 1e-5)) / 2e-5
        torch.testing.assert_close(torch.func.hessian(node)(angle), step, atol=1e-6, rtol=0)
