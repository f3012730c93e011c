"""Products of a Jacobian by a rule of PennyLane's with a vector, and their derivatives."""

import numpy as np
import pennylane as qml
import pytest
import torch
from torch import Tensor

pytest.importorskip("qiskit_aer")

DEVICES = ["qrnn.torch", "qrnn.aer"]
ANGLES = torch.tensor([0.5, 0.8], dtype=torch.float64)
DIRECTION = torch.tensor([1.0, -0.5], dtype=torch.float64)


def conditioned(angles: Tensor) -> object:
    qml.RX(angles[0], 0)
    qml.RY(0.3, 1)
    first = qml.measure(0)
    qml.cond(first, qml.RY)(angles[1], 1)
    return qml.expval(qml.Z(1)), qml.expval(qml.X(1))


def by_hand(angles: Tensor) -> Tensor:
    share = torch.sin(angles[0] / 2) ** 2
    turned = torch.stack([torch.cos(angles[1] + 0.3), torch.sin(angles[1] + 0.3)])
    return (1 - share) * torch.tensor([np.cos(0.3), np.sin(0.3)]) + share * turned


@pytest.mark.parametrize("method", ["parameter-shift", "finite-diff"])
@pytest.mark.parametrize("device", DEVICES)
def test_derivatives_in_a_direction_by_a_rule_are_right(device: str, method: str) -> None:
    circuit = qml.QNode(conditioned, qml.device(device), diff_method=method)
    expected = torch.func.jacrev(by_hand)(ANGLES) @ DIRECTION
    _, found = torch.autograd.functional.jvp(circuit, ANGLES, DIRECTION)
    assert torch.allclose(torch.stack(found), expected, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_second_derivatives_in_a_direction_by_a_rule_are_right(device: str) -> None:
    circuit = qml.QNode(conditioned, qml.device(device), diff_method="parameter-shift", max_diff=2)

    def cubes(angles: Tensor) -> Tensor:
        return (torch.stack(circuit(angles)) ** 3).sum()

    _, expected = torch.autograd.functional.hvp(
        lambda angles: (by_hand(angles) ** 3).sum(), ANGLES, DIRECTION
    )
    _, found = torch.autograd.functional.hvp(cubes, ANGLES, DIRECTION)
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("device", DEVICES)
def test_the_square_of_a_result_that_is_zero_has_its_second_derivative(device: str) -> None:
    circuit = qml.QNode(conditioned, qml.device(device), diff_method="parameter-shift", max_diff=2)
    goal = by_hand(ANGLES)
    slopes = torch.func.jacrev(by_hand)(ANGLES)
    found = torch.autograd.functional.hessian(
        lambda angles: ((torch.stack(circuit(angles)) - goal) ** 2).sum(), ANGLES
    )
    assert torch.allclose(found, 2 * slopes.T @ slopes)
