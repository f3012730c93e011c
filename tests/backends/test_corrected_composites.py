"""Products and sums are right whatever wires their operators share, and in any order."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray
from pennylane.tape import QuantumScript
from scipy.linalg import sqrtm
from scipy.sparse import csr_array

pytest.importorskip("qiskit_aer")

DEVICES = ["qrnn.torch", "qrnn.aer"]
WIRES = [0, 1, 2]
SHOTS = 50_000

X, Y, Z = (np.array(rows) for rows in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))
H = (X + Z) / np.sqrt(2)
ID = np.eye(2)
CZ = np.diag([1, 1, 1, -1])
# Hermitian, of two equal eigenvalues and more.
REFLECTION = np.eye(4) - 2 * np.outer([0.1, 0.5j, 0.5, 0.7], [0.1, -0.5j, 0.5, 0.7])
FULL = np.array([[0.3, 1, 0.2j, 0], [1, -1, 0.5, 2], [-0.2j, 0.5, 0.7, 1j], [0, 2, -1j, 0.1]])


def kron(*factors: Any) -> NDArray[np.complex128]:  # noqa: ANN401
    return reduce(lambda first, second: np.kron(first, second).astype(complex), factors)


def full() -> qml.Hermitian:
    return qml.Hermitian(FULL, [0, 1])


def shifted() -> qml.Hermitian:
    return qml.Hermitian(FULL, [1, 2])


def x_and_h() -> qml.ops.Sum:
    return qml.X(0) + qml.H(0)


def commutator(scale: complex) -> qml.operation.Operator:
    first, second = full(), qml.Hermitian(np.diag([1, 3]), 0)
    return scale * (first @ second - second @ first)


COMMUTATOR = 1j * (FULL @ kron(np.diag([1, 3]), ID) - kron(np.diag([1, 3]), ID) @ FULL)

# With their matrices on wires 0, 1 and 2, by hand.
OBSERVABLES: dict[str, tuple[Callable[[], qml.operation.Operator], Any]] = {
    "groups of wires in between": (
        lambda: qml.prod(qml.H(0), qml.Y(1), qml.CZ([0, 2]), qml.H(0)),
        kron(H, Y, ID) @ kron(ID, ID, ID) @ np.diag([1, 1, 1, 1, 1, -1, 1, -1]) @ kron(H, ID, ID),
    ),
    "equal eigenvalues": (
        lambda: qml.prod(
            qml.Hermitian(REFLECTION, [0, 1]), qml.CZ([0, 1]), qml.Hermitian(REFLECTION, [0, 1])
        ),
        kron(REFLECTION @ CZ @ REFLECTION, ID),
    ),
    "a sum": (lambda: full() + qml.H(1), kron(FULL + kron(ID, H), ID)),
    "the sum in another order": (lambda: qml.H(1) + full(), kron(FULL + kron(ID, H), ID)),
    "a product": (
        lambda: qml.prod(qml.H(0), qml.Y(1), qml.CZ([0, 1]), qml.Y(1), qml.H(0)),
        kron(kron(H, Y) @ CZ @ kron(H, Y), ID),
    ),
    "the product in another order": (
        lambda: qml.prod(qml.Y(1), qml.H(0), qml.CZ([0, 1]), qml.Y(1), qml.H(0)),
        kron(kron(H, Y) @ CZ @ kron(H, Y), ID),
    ),
    "a number in a sum": (
        lambda: 2 * (0.5 * qml.I() + qml.H(2)) + qml.Z(2),
        kron(ID, ID, ID + 2 * H + Z),
    ),
    "a number in a product of sums": (
        lambda: qml.prod(qml.I() + qml.H(0), qml.Z(1), qml.I() + qml.H(0)),
        kron((ID + H) @ (ID + H), Z, ID),
    ),
    "terms that are numbers": (
        lambda: qml.Hamiltonian([2.0, 1.0], [-1.0 * qml.I(), qml.Y(1)]),
        -2 * np.eye(8) + kron(ID, Y, ID),
    ),
    "a product of sums": (
        lambda: qml.prod(x_and_h(), qml.Y(0), x_and_h()),
        kron((X + H) @ Y @ (X + H), ID, ID),
    ),
    "a sum with a product of sums": (
        lambda: qml.Z(1) + qml.prod(x_and_h(), qml.Y(0), x_and_h()),
        kron((X + H) @ Y @ (X + H), ID, ID) + kron(ID, Z, ID),
    ),
    "a commutator": (lambda: commutator(1j), kron(COMMUTATOR, ID)),
    "a sum with a commutator": (
        lambda: qml.Z(0) + commutator(1j),
        kron(COMMUTATOR, ID) + kron(Z, ID, ID),
    ),
    "a commutator that is 0": (
        lambda: 1j * (qml.H(0) @ shifted() - shifted() @ qml.H(0)),
        np.zeros((8, 8)),
    ),
    "a multiple of a power": (
        lambda: qml.s_prod(2, qml.pow(qml.Hermitian(np.diag([1, 3]), 0), 2)),
        kron(np.diag([2, 18]), ID, ID),
    ),
}


def prepare() -> None:
    for wire in WIRES:
        qml.Rot(0.4 + 0.3 * wire, 0.8 + 0.4 * wire, 1.3, wire)
    qml.CRX(0.7, [0, 1])
    qml.CRY(0.9, [2, 0])


def prepared() -> NDArray[np.complex128]:
    rotations = kron(*(qml.Rot(0.4 + 0.3 * w, 0.8 + 0.4 * w, 1.3, 0).matrix() for w in WIRES))
    first = np.kron(qml.CRX(0.7, [0, 1]).matrix(), ID)
    rotation = qml.RY(0.9, 0).matrix()
    second = kron(ID, ID, np.diag([1, 0])) + kron(rotation, ID, np.diag([0, 1]))
    state: NDArray[np.complex128] = (second @ first @ rotations)[:, 0]
    return state


def measured(name: str, measure: Callable[[], object], shots: int | None = None) -> Any:  # noqa: ANN401
    @qml.qnode(qml.device(name, wires=WIRES, seed=3))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        prepare()
        return measure()

    return qml.set_shots(circuit, shots)()


def distribution(matrix: Any) -> tuple[Any, Any]:  # noqa: ANN401
    values, vectors = np.linalg.eigh(matrix)
    return values, abs(vectors.conj().T @ prepared()) ** 2


# PennyLane's warning, where i times an imaginary eigenvalue is a real one.
@pytest.mark.filterwarnings("ignore:Casting complex values to real")
@pytest.mark.parametrize("case", OBSERVABLES)
@pytest.mark.parametrize("name", DEVICES)
def test_observables_have_the_moments_of_their_matrices(name: str, case: str) -> None:
    observable, matrix = OBSERVABLES[case]
    values, shares = distribution(matrix)
    mean = shares @ values
    spread = shares @ values**2 - mean**2
    assert measured(name, lambda: qml.expval(observable())) == pytest.approx(mean)
    assert measured(name, lambda: qml.var(observable())) == pytest.approx(spread)
    found = measured(name, lambda: qml.expval(observable()), SHOTS)
    # Terms that are measured apart vary more than they do together.
    assert abs(found - mean) < 5 * np.sqrt(2 * (spread + 0.1) / SHOTS)


@pytest.mark.parametrize("case", OBSERVABLES)
@pytest.mark.parametrize("name", DEVICES)
def test_samples_of_observables_are_the_eigenvalues_of_their_matrices(name: str, case: str) -> None:
    observable, matrix = OBSERVABLES[case]
    values, shares = distribution(matrix)
    found = np.real(measured(name, lambda: qml.sample(observable()), SHOTS))
    for value in np.unique(values.round(6)):
        share = min(shares[abs(values - value) < 1e-5].sum(), 1)
        bound = 5 * np.sqrt(share * (1 - share) / SHOTS) + 1e-6
        assert np.mean(abs(found - value) < 1e-5) == pytest.approx(share, abs=bound)


@pytest.mark.parametrize("name", DEVICES)
def test_products_on_groups_of_wires_have_the_order_of_their_wires(name: str) -> None:
    product = qml.prod(qml.S(0), qml.T(1), qml.CH([0, 2]))
    controlled = kron(np.diag([1, 0]), ID, ID) + kron(np.diag([0, 1]), ID, H)
    matrix = kron(np.diag([1, 1j]), qml.T(0).matrix(), ID) @ controlled
    assert qml.matrix(product) == pytest.approx(matrix)
    assert qml.matrix(product, wire_order=[2, 0, 1]) == pytest.approx(
        matrix.reshape((2,) * 6).transpose(2, 0, 1, 5, 3, 4).reshape(8, 8)
    )

    @qml.qnode(qml.device(name, wires=WIRES))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        prepare()
        qml.pow(product, 0.5)
        return qml.state()

    assert circuit() == pytest.approx(sqrtm(matrix) @ prepared())


@pytest.mark.parametrize("name", DEVICES)
def test_coefficients_of_tensors_that_are_differentiated_are_read(name: str) -> None:
    half = torch.tensor(0.5, requires_grad=True)
    tape = QuantumScript([], [qml.expval(half * qml.H(0) + half * qml.Z(1))], shots=5_000)
    device = qml.device(name, wires=2, seed=1)
    batch, combine = device.preprocess_transforms(device.setup_execution_config())((tape,))
    (found,) = combine(device.execute(batch))
    assert float(found) == pytest.approx(0.5 * H[0, 0] + 0.5, abs=0.04)


def test_numbers_in_sums_and_products_are_multiples_of_the_identity() -> None:
    qml.device("qrnn.torch")
    for operator, matrix in [
        (0.5 * qml.I() + qml.H(0), 0.5 * ID + H),
        (qml.GlobalPhase(0.3) + qml.H(0), np.exp(-0.3j) * ID + H),
        (qml.prod(qml.GlobalPhase(0.3), qml.H(0), qml.S(0)), np.exp(-0.3j) * H @ np.diag([1, 1j])),
    ]:
        assert qml.matrix(operator) == pytest.approx(matrix)
        assert operator.matrix(wire_order=[0, 1]) == pytest.approx(np.kron(matrix, ID))
    assert (0.5 * qml.I() + qml.H(0)).sparse_matrix().toarray() == pytest.approx(0.5 * ID + H)
    batch = qml.prod(qml.GlobalPhase(np.array([0.3, 0.4])), qml.H(0), qml.S(0))
    both = [np.exp(-1j * phase) * H @ np.diag([1, 1j]) for phase in (0.3, 0.4)]
    assert qml.matrix(batch) == pytest.approx(np.array(both))


@pytest.mark.parametrize("wires", [[], [0]])
def test_matrices_are_expanded_by_the_arguments_of_pennylane(wires: list[int]) -> None:
    qml.device("qrnn.torch")
    matrix = csr_array(H if wires else np.array([[2.0]]))
    expected = kron(H, ID) if wires else 2 * np.eye(4)
    for found in (
        qml.math.expand_matrix(matrix, wires, [0, 1], "csc"),
        qml.math.expand_matrix(mat=matrix, wires=wires, wire_order=[0, 1], sparse_format="csc"),
    ):
        assert found.format == "csc"
        assert found.toarray() == pytest.approx(expected)


def test_eigenvalues_of_small_products_and_of_batches_are_those_of_their_matrices() -> None:
    qml.device("qrnn.torch")
    # No multiple of a Hermitian matrix.
    small = qml.prod(1e-9 * (qml.H(0) + qml.S(0)), qml.T(0))
    batch = qml.prod(qml.RX(np.array([0.1, 0.2, 0.3]), 0), qml.RY(0.3, 0))
    for product in (small, batch):
        found = np.sort_complex(product.eigendecomposition["eigval"])
        expected = np.sort_complex(np.linalg.eigvals(product.matrix()))
        assert np.allclose(found, expected, rtol=1e-9, atol=0)


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("device", DEVICES)
def test_coefficients_of_sums_without_pauli_words_have_their_gradient_by_rules(device: str) -> None:
    def queue(factors: torch.Tensor) -> qml.measurements.ExpectationMP:
        qml.RX(0.3, 0)
        return qml.expval(factors[0] * qml.Z(0) + factors[1] * qml.H(0))

    factors = leaf(0.3, 0.4)
    circuit = qml.QNode(queue, qml.device(device), diff_method="parameter-shift")
    circuit(factors).backward()
    assert factors.grad is not None
    np.testing.assert_allclose(factors.grad, np.cos(0.3) * np.array([1, np.sqrt(0.5)]), atol=1e-12)


def test_eigenbases_of_tensors_are_of_the_numbers_and_the_graph_of_each_call() -> None:
    def queue(factors: torch.Tensor) -> qml.measurements.VarianceMP:
        qml.RX(0.3, 0)
        return qml.var(factors[0] * qml.Z(0) + factors[1] * qml.X(0))

    circuit = qml.QNode(queue, qml.device("qrnn.torch"))
    # Tensors are printed, and so hashed, to four digits.
    first, second = leaf(0.3, 0.4), leaf(0.30001, 0.4)
    with torch.no_grad():
        circuit(first)
    for factors in (first, second):
        value = circuit(factors)
        value.backward()
        # Var = a^2 + b^2 - (a cos)^2.
        assert factors.grad is not None
        a, b = factors.detach().numpy()
        assert value.item() == pytest.approx(a**2 * np.sin(0.3) ** 2 + b**2, abs=1e-12)
        expected = 2 * np.array([a * np.sin(0.3) ** 2, b])
        np.testing.assert_allclose(factors.grad, expected, atol=1e-12)
