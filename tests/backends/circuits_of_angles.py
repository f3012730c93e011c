from collections.abc import Callable

import numpy as np
import pennylane as qml
from pennylane.typing import TensorLike

from qrnn_circuits.circuits.neuron import NeuronOperation

ANGLE = 0.512
HERMITIAN = np.array([[1.0, 0.3 - 0.2j], [0.3 + 0.2j, -0.5]])
Circuit = Callable[[TensorLike], object]


def entangled_and_postselected(angle: TensorLike) -> object:
    """No wire leads from the rotation to what is measured."""
    qml.Hadamard(0)
    qml.CNOT([0, 1])
    qml.RX(angle, 1)
    qml.measure(1, postselect=1)
    return qml.expval(qml.Z(0))


def postselected(angle: TensorLike) -> object:
    qml.RX(angle, 0)
    qml.RY(0.4, 1)
    qml.CNOT([0, 1])
    qml.measure(1, postselect=1)
    return qml.expval(qml.Z(0))


def postselecting_neuron(angle: TensorLike) -> object:
    qml.RX(angle, 0)
    NeuronOperation([0.5, 0.8], [0, 1, 2], order=1, degree=1, realisation="postselect")
    return qml.expval(qml.Z(1))


def value(angle: TensorLike) -> object:
    qml.RX(angle, 1)
    return qml.expval(qml.measure(1))


def variance_of_a_value(angle: TensorLike) -> object:
    qml.RX(angle, 0)
    return qml.var(qml.measure(0))


def variance_of_several_values(angle: TensorLike) -> object:
    qml.RX(angle, 0)
    qml.RY(0.6, 1)
    qml.CRX(angle, [0, 1])
    first, second = qml.measure(0), qml.measure(1)
    return qml.var(first + 2 * second)


def fed_forward(angle: TensorLike) -> object:
    qml.RX(angle, 1)
    qml.cond(qml.measure(1), qml.X)(0)
    return qml.expval(qml.Z(0))


def reset(angle: TensorLike) -> object:
    qml.RX(angle, 1)
    qml.CRY(0.7, [1, 0])
    value = qml.measure(1, reset=True)
    qml.RY(angle, 1)
    qml.cond(value, qml.RY)(2 * angle, 0)
    return qml.expval(qml.Z(0) @ qml.X(1))


def conditioned(make: Callable[[TensorLike], TensorLike]) -> Circuit:
    def circuit(angle: TensorLike) -> object:
        qml.RX(0.7, 0)
        qml.Hadamard(1)
        qml.RY(0.3, 2)
        qml.cond(qml.measure(0), make)(angle)
        return qml.expval(qml.X(1))

    return circuit


def never(angle: TensorLike) -> object:
    qml.cond(qml.measure(0), qml.RX)(angle, 1)
    return qml.expval(qml.Z(1))


def unitary(make: Callable[[TensorLike], object]) -> Circuit:
    def circuit(angle: TensorLike) -> object:
        qml.Hadamard(0)
        qml.RY(0.7, 2)
        qml.CNOT([0, 1])
        make(angle)
        qml.RY(0.2, 0)
        return qml.expval(qml.Z(0) @ qml.X(1))

    return circuit


def variance(make: Callable[[], qml.operation.Operator]) -> Circuit:
    def circuit(angle: TensorLike) -> object:
        qml.RX(angle, 0)
        qml.RY(2 * angle, 1)
        qml.CNOT([0, 1])
        qml.cond(qml.measure(1), qml.S)(0)
        return qml.var(make())

    return circuit


POSTSELECTED: dict[str, Circuit] = {
    "entangled": entangled_and_postselected,
    "postselected": postselected,
    "neuron": postselecting_neuron,
}
DYNAMIC: dict[str, Circuit] = {
    "value": value,
    "variance of a value": variance_of_a_value,
    "variance of several values": variance_of_several_values,
    "fed forward": fed_forward,
    "reset": reset,
    "never": never,
    "conditioned PSWAP": conditioned(lambda angle: qml.PSWAP(angle, [1, 2])),
    "conditioned CRot": conditioned(lambda angle: qml.CRot(angle, 0.3, 2 * angle, [2, 1])),
    "conditioned neuron": conditioned(
        lambda angle: NeuronOperation(
            qml.math.stack([angle, 2 * angle]), [2, 1], order=1, degree=1, realisation="multiplexed"
        )
    ),
    "conditioned power": conditioned(lambda angle: qml.pow(qml.adjoint(qml.RY(angle, 1)), 2)),
    "conditioned phase of all": conditioned(lambda angle: qml.GlobalPhase(angle)),
    "power of a product": unitary(lambda angle: qml.pow(qml.SX(0) @ qml.RY(angle, 1), 3)),
    "controlled rotation": unitary(
        lambda angle: qml.ctrl(qml.PauliRot(angle, "XY", [0, 1]), 2, control_values=0)
    ),
    "controlled rotation of nothing": unitary(
        lambda angle: qml.ctrl(qml.PauliRot(angle, "II", [1, 2]), 0)
    ),
    "phase of all": unitary(lambda angle: qml.adjoint(qml.GlobalPhase(angle))),
    "variance of a sum": variance(lambda: qml.Z(0) + 0.5 * qml.X(1)),
    "variance of a Hamiltonian": variance(
        lambda: qml.Hamiltonian([0.5, 0.7, -0.3], [qml.Z(0), qml.X(0), qml.I(1)])
    ),
    "variance of a scaled matrix": variance(lambda: 3 * qml.Hermitian(HERMITIAN, 0)),
    "variance of nothing": variance(lambda: qml.Z(0) - qml.Z(0)),
}
