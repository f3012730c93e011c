"""Fractional powers are the principal ones on every device, with their derivatives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from scipy.linalg import fractional_matrix_power

pytest.importorskip("qiskit_aer")

DEVICES = ["qrnn.torch", "qrnn.aer"]
GENERATOR = qml.dot([1.0, 0.4], [qml.X(0), qml.Z(0) @ qml.Z(1)])

# Gates of one angle on wires 0 and 1.
GATES: dict[str, Callable[[Any], qml.operation.Operator]] = {
    "RX": lambda angle: qml.RX(angle, 0),
    "PhaseShift": lambda angle: qml.PhaseShift(angle, 0),
    "IsingXY": lambda angle: qml.IsingXY(angle, [0, 1]),
    "PCPhase": lambda angle: qml.PCPhase(angle, 2, [0, 1]),
    "FermionicSWAP": lambda angle: qml.FermionicSWAP(angle, [0, 1]),
    "CRX": lambda angle: qml.CRX(angle, [0, 1]),
    "inverse": lambda angle: qml.adjoint(qml.RX(angle, 0)),
    "scaled": lambda angle: -1 * qml.RX(angle, 0),
    "power": lambda angle: qml.pow(qml.RX(angle, 0), 2),
    "evolution": lambda angle: qml.evolve(GENERATOR, angle),
    "exponential": lambda angle: qml.exp(GENERATOR, -1j * angle),
}


def powered(gate: str, z: float, angle: Any, controlled: bool) -> object:  # noqa: ANN401
    for wire, turn in enumerate((0.3, 0.7, 1.1)):
        qml.RY(turn, wire)
        qml.RX(turn + 0.2, wire)
    power = qml.pow(GATES[gate](angle), z)
    if controlled:
        qml.ctrl(power, 2)
    return qml.expval(qml.X(0) @ qml.Y(1) + qml.Z(0) @ qml.X(2) + 0.3 * qml.Y(0) + qml.Y(2))


def by_hand(gate: str, z: float, angle: float, controlled: bool) -> float:
    prepared = np.ones(1)
    for turn in (0.3, 0.7, 1.1):
        matrix = qml.RX(turn + 0.2, 0).matrix() @ qml.RY(turn, 0).matrix()
        prepared = np.kron(prepared, matrix[:, 0])
    matrix = fractional_matrix_power(qml.matrix(GATES[gate](angle), wire_order=[0, 1]), z)
    blocks = np.eye(4) if controlled else matrix
    state = (
        np.kron(blocks, np.diag([1, 0])) @ prepared + np.kron(matrix, np.diag([0, 1])) @ prepared
    )
    observable = powered_observable()
    return float(np.real(state.conj() @ observable @ state))


def powered_observable() -> Any:  # noqa: ANN401
    x, y, z, one = (qml.matrix(gate(0)) for gate in (qml.X, qml.Y, qml.Z, qml.Identity))

    def on_wires(*factors: Any) -> Any:  # noqa: ANN401
        return np.kron(np.kron(factors[0], factors[1]), factors[2])

    return (
        on_wires(x, y, one)
        + on_wires(z, one, x)
        + 0.3 * on_wires(y, one, one)
        + on_wires(one, one, y)
    )


@pytest.mark.parametrize("controlled", [False, True])
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("name", DEVICES)
def test_powers_are_principal_whatever_the_angle(name: str, gate: str, controlled: bool) -> None:
    node = qml.QNode(powered, qml.device(name))
    for angle in (0.4, 4.0, -9.0):
        for z in (1 / 3, 0.5, -1.5, 2, -1):
            found = node(gate, z, angle, controlled)
            assert found == pytest.approx(by_hand(gate, z, angle, controlled), abs=1e-6)


@pytest.mark.parametrize("rule", ["best", "parameter-shift"])
@pytest.mark.parametrize("gate", ["RX", "PhaseShift", "IsingXY", "CRX"])
@pytest.mark.parametrize("name", DEVICES)
def test_principal_powers_have_their_derivatives(name: str, gate: str, rule: str) -> None:
    node = qml.QNode(powered, qml.device(name), diff_method=rule)
    for z, angle, controlled in ((0.5, 4.0, True), (1 / 3, 7.0, False), (2, -9.0, True)):
        traced = torch.tensor(angle, dtype=torch.float64, requires_grad=True)
        node(gate, z, traced, controlled).backward()
        ends = [by_hand(gate, z, angle + step, controlled) for step in (-1e-5, 1e-5)]
        assert traced.grad is not None
        assert traced.grad.item() == pytest.approx((ends[1] - ends[0]) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("name", DEVICES)
def test_powers_beyond_the_principal_ones_of_their_parameters_have_no_derivative(name: str) -> None:
    traced = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match=r"^Evolution\*\*0.5 cannot be differentiated at .*$"):
        qml.QNode(powered, qml.device(name))("evolution", 0.5, traced, False)


@pytest.mark.parametrize("name", DEVICES)
def test_phases_of_evolutions_are_estimated(name: str) -> None:
    @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.X(0)
        # Of phase 1/4 in the state 1.
        evolution = qml.evolve(qml.Z(0), np.pi / 2)
        qml.QuantumPhaseEstimation(evolution, estimation_wires=[1, 2])
        return qml.probs(wires=[1, 2])

    assert circuit() == pytest.approx(np.array([0.0, 1.0, 0.0, 0.0]), abs=1e-9)
