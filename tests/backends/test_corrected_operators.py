"""Operators are the same whatever their parameters are made of, and have the right derivatives."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from scipy.linalg import expm
from scipy.sparse import csr_matrix

pytest.importorskip("qiskit_aer")

DEVICES = ["qrnn.torch", "qrnn.aer"]
TIME = 0.512
X = np.array([[0, 1], [1, 0]])
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1])
ID = np.eye(2)
UNITARY = qml.RY(0.9, 0).matrix() @ qml.RZ(0.3, 0).matrix()

# Generators with their matrices on wires 0 and 1.
GENERATORS: dict[str, tuple[Callable[[], qml.operation.Operator], Any]] = {
    "scaled": (lambda: 0.3 * qml.X(0), 0.3 * np.kron(X, ID)),
    "scaled twice": (lambda: 2 * (0.3 * qml.X(0)), 0.6 * np.kron(X, ID)),
    "a word": (lambda: qml.X(0) @ qml.Z(1), np.kron(X, Z)),
    "a sum": (
        lambda: 0.3 * qml.X(0) @ qml.Z(1) + 0.2 * qml.Z(0),
        0.3 * np.kron(X, Z) + 0.2 * np.kron(Z, ID),
    ),
    # Its frequencies .2, .6, .8 and 1.4 look alike to shifts that the smallest of them sets.
    "commuting": (
        lambda: 0.3 * qml.Z(0) + 0.4 * qml.Z(1) @ qml.Z(0),
        0.3 * np.kron(Z, ID) + 0.4 * np.kron(Z, Z),
    ),
    # Two differences of its eigenvalues are equal but for rounding.
    "evenly spaced": (
        lambda: qml.Hermitian(np.diag([0.1, 0.4, 0.7, 0.1]), [0, 1]),
        np.diag([0.1, 0.4, 0.7, 0.1]),
    ),
    # It is a generator, and projects nothing.
    "a projector": (
        lambda: qml.Projector([1], 0) + 0.4 * qml.X(1),
        np.kron(np.diag([0, 1]), ID) + 0.4 * np.kron(ID, X),
    ),
    "a matrix": (lambda: 0.5 * qml.Hermitian(X + Y, 0), 0.5 * np.kron(X + Y, ID)),
}


def rotated(generator: str, evolve: Callable[[Any, Any], object], time: Any) -> object:  # noqa: ANN401
    qml.RX(0.3, 0)
    qml.RY(0.8, 1)
    evolve(GENERATORS[generator][0](), time)
    return qml.expval(qml.X(0) @ qml.Z(1) + 0.3 * qml.Y(0))


def by_hand(generator: str, time: float) -> float:
    prepared = np.kron(expm(-0.15j * X), expm(-0.4j * Y))[:, 0]
    state = expm(-1j * time * GENERATORS[generator][1]) @ prepared
    observable = np.kron(X, Z) + 0.3 * np.kron(Y, ID)
    return float((state.conj() @ observable @ state).real)


def slope(generator: str) -> float:
    return (by_hand(generator, TIME + 1e-5) - by_hand(generator, TIME - 1e-5)) / 2e-5


def exponential(generator: qml.operation.Operator, time: Any) -> None:  # noqa: ANN401
    qml.exp(generator, -1j * time)


@pytest.mark.parametrize("make", [float, np.array, qml.numpy.array, torch.tensor])
@pytest.mark.parametrize("evolve", [qml.evolve, exponential])
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", DEVICES)
def test_exponentials_are_the_same_for_numbers_of_any_kind(
    name: str, generator: str, evolve: Callable[[Any, Any], object], make: Callable[[float], object]
) -> None:
    node = qml.QNode(rotated, qml.device(name))
    assert np.isclose(float(node(generator, evolve, make(TIME))), by_hand(generator, TIME))


@pytest.mark.parametrize("method", ["best", "parameter-shift", "finite-diff"])
@pytest.mark.parametrize("evolve", [qml.evolve, exponential])
@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("name", DEVICES)
def test_evolutions_have_the_derivative_of_finite_differences(
    name: str, generator: str, evolve: Callable[[Any, Any], object], method: str
) -> None:
    node = qml.QNode(rotated, qml.device(name), diff_method=method)
    time = qml.numpy.array(TIME, requires_grad=True)
    found = qml.grad(lambda time: node(generator, evolve, time))(time)
    assert np.isclose(found, slope(generator), atol=1e-5)
    tensor = torch.tensor(TIME, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(node(generator, evolve, tensor), tensor)
    assert np.isclose(found.item(), slope(generator), atol=1e-5)


@pytest.mark.parametrize("name", DEVICES)
def test_trotter_products_can_be_differentiated(name: str) -> None:
    @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
    def circuit(time: object) -> object:
        qml.Hadamard(1)
        generator = qml.dot([0.3, 0.4], [qml.X(0), qml.Z(0) @ qml.Y(1)])
        qml.TrotterProduct(generator, time, n=2)
        return qml.expval(qml.Z(0))

    def exact(time: float) -> float:
        first, second = 0.3 * np.kron(X, ID), 0.4 * np.kron(Z, Y)
        step = expm(-0.5j * time * second) @ expm(-0.5j * time * first)
        state = step @ step @ np.array([1, 1, 0, 0]) / np.sqrt(2)
        return float((state.conj() @ np.kron(Z, ID) @ state).real)

    time = qml.numpy.array(TIME, requires_grad=True)
    found = qml.grad(circuit)(time)
    assert np.isclose(found, (exact(TIME + 1e-5) - exact(TIME - 1e-5)) / 2e-5, atol=1e-6)


def test_looking_for_a_decomposition_leaves_a_coefficient_alone() -> None:
    coefficient = torch.tensor(-0.5j)
    operation = qml.exp(0.3 * qml.X(0), coefficient)
    assert operation.has_decomposition
    assert coefficient == -0.5j


@pytest.mark.parametrize("make", [np.array, qml.numpy.array, torch.tensor])
@pytest.mark.parametrize("values", [[0, 1], [1, 0], [0, 0], [1, 1]])
@pytest.mark.parametrize("name", DEVICES)
def test_matrices_of_any_kind_are_controlled_by_the_values_given(
    name: str, values: list[int], make: Callable[[Any], Any]
) -> None:
    @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
    def circuit(unitary: object) -> object:
        qml.RY(0.7, 0)
        qml.RY(1.1, 1)
        qml.ControlledQubitUnitary(unitary, wires=[0, 1, 2], control_values=values)
        return qml.probs(wires=[0, 1, 2])

    controls = [np.diag([1.0, 0.0]) if value == 0 else np.diag([0.0, 1.0]) for value in values]
    where = reduce(np.kron, controls)
    whole = np.kron(where, UNITARY) + np.kron(np.eye(4) - where, ID)
    state = whole @ np.kron(np.kron(expm(-0.35j * Y), expm(-0.55j * Y)), ID)[:, 0]
    assert np.allclose(np.asarray(circuit(make(UNITARY))), np.abs(state) ** 2)
    batch = make(np.stack([UNITARY, UNITARY]))
    assert np.allclose(np.asarray(circuit(batch)), np.abs(state) ** 2)


def turned(angle: float) -> Any:  # noqa: ANN401
    """A matrix of five wires whose text leaves out what the angle changes."""
    basis = np.eye(32)
    basis[14:16, 14:16] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return basis @ np.diag(np.arange(32.0)) @ basis.T


@pytest.mark.parametrize("name", [*DEVICES, "default.qubit"])
def test_large_matrices_are_told_apart_by_every_number(name: str) -> None:
    qml.device("qrnn.torch")  # Puts PennyLane's own devices right too.
    first, second = turned(0.3), turned(1.2)
    state = np.zeros(32)
    state[14:16] = [0.6, 0.8]

    @qml.set_shots(4_000)  # type: ignore[untyped-decorator]
    @qml.qnode(qml.device(name, seed=5))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.StatePrep(state, range(5))
        one, other = (qml.Hermitian(matrix, range(5)) for matrix in (first, second))
        return qml.expval(one), qml.expval(other), qml.expval(one + 2 * other)

    means = np.array([state @ matrix @ state for matrix in (first, second)])
    assert np.allclose(circuit(), [*means, means @ [1, 2]], atol=0.1)


def test_sparse_matrices_are_told_apart_by_every_number() -> None:
    first, second = (qml.SparseHamiltonian(csr_matrix(f * np.eye(4)), [0, 1]) for f in (1, 2))
    assert first.hash != second.hash
    assert first.hash == qml.SparseHamiltonian(csr_matrix(np.eye(4)), [0, 1]).hash
    assert (first + second).simplify().sparse_matrix().toarray()[0, 0] == 3


def test_arrays_that_numpy_does_not_know_can_be_told_apart() -> None:
    qml.device("qrnn.torch")
    one, other = (qml.RX(torch.tensor([x, 0.5], dtype=torch.bfloat16), 0) for x in (0.5, 1.0))
    assert one.hash == one.hash
    assert one.hash != other.hash


CONTROLLED: dict[str, Callable[[Any], qml.operation.Operator]] = {
    "Rot": lambda angle: qml.Rot(angle, 0.3, angle, 0),
    "U1": lambda angle: qml.U1(angle, 0),
    "a matrix": lambda angle: qml.QubitUnitary(qml.matrix(qml.IsingXY(angle, [0, 1])), [0, 1]),
    "FermionicSWAP": lambda angle: qml.FermionicSWAP(angle, [0, 1]),
    "a product": lambda angle: qml.prod(qml.RX(angle, 0), qml.RY(0.4, 1)),
    "an evolution": lambda angle: qml.prod(qml.evolve(qml.X(0), 0.3), qml.RY(angle, 1)),
}


@pytest.mark.parametrize("controls", [[2], [2, 3]])
@pytest.mark.parametrize("gate", CONTROLLED)
@pytest.mark.parametrize("name", DEVICES)
def test_a_batch_of_controlled_gates_is_each_of_them(
    name: str, gate: str, controls: list[int]
) -> None:
    def circuit(angle: Any) -> object:  # noqa: ANN401
        for wire in range(4):
            qml.RY(0.6 + 0.3 * wire, wire)
        qml.ctrl(CONTROLLED[gate](angle), controls)
        return qml.expval(qml.X(0) @ qml.Y(2)), qml.probs(wires=[0, 1])

    def by_hand(angle: float) -> list[Any]:
        state = reduce(np.kron, [qml.RY(0.6 + 0.3 * wire, 0).matrix()[:, 0] for wire in range(4)])
        matrix = qml.matrix(CONTROLLED[gate](angle), wire_order=[0, 1])
        inner = 2 ** len(controls)
        select = np.diag(np.arange(inner) == inner - 1).astype(float)
        whole = np.kron(np.eye(4), np.eye(inner) - select) + np.kron(matrix, select)
        state = np.kron(whole, np.eye(4 // inner)) @ state
        observable = reduce(np.kron, [X, ID, Y, ID])
        probabilities = (abs(state) ** 2).reshape(4, 4).sum(1)
        return [np.real(state.conj() @ observable @ state), probabilities]

    for batch in ([0.9], [0.9, -1.7], [0.9, -1.7, 2.6]):
        found = qml.QNode(circuit, qml.device(name))(np.array(batch))
        for result, right in zip(found, zip(*map(by_hand, batch), strict=True), strict=True):
            assert result == pytest.approx(np.stack(right))
        sampled = qml.set_shots(qml.QNode(circuit, qml.device(name, seed=1)), 10)(np.array(batch))
        assert [np.shape(result) for result in sampled] == [(len(batch),), (len(batch), 4)]


def test_evolutions_are_controlled_by_computed_tensors() -> None:
    @qml.qnode(qml.device("qrnn.aer"))  # type: ignore[untyped-decorator]
    def circuit(time: Any) -> object:  # noqa: ANN401
        qml.Hadamard(1)
        qml.ctrl(qml.evolve(qml.X(0) + 0.5 * qml.Z(0), 2 * time), 1)
        return qml.expval(qml.Z(0))

    time = torch.tensor(TIME, dtype=torch.float64, requires_grad=True)
    evolved = expm(-2j * TIME * (X + 0.5 * Z))[:, 0]
    expected = 0.5 + 0.5 * (abs(evolved[0]) ** 2 - abs(evolved[1]) ** 2)
    assert circuit(time).item() == pytest.approx(expected)
