"""Every observable in every kind of measurement, on every device, against its matrix."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray
from pennylane.measurements import MeasurementProcess
from pennylane.operation import Operator
from pennylane.typing import TensorLike
from scipy.sparse import csr_matrix

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

SHOTS = 10_000
HERMITIAN = np.array([[1.0, 0.3 - 0.2j], [0.3 + 0.2j, -0.5]])
WIRES = [0, 1, 2]


def simplified(observable: Operator) -> Operator:
    observable.pauli_rep.simplify()
    return observable


OBSERVABLES: dict[str, Callable[[], Operator]] = {
    "identity": lambda: qml.I(0),
    "of two wires": lambda: qml.I([0, 1]),
    "of an idle wire": lambda: qml.I(2),
    "scaled": lambda: 2 * qml.I(0),
    "in a product": lambda: qml.I(1) @ qml.Z(0),
    "on the same wire": lambda: qml.X(0) @ qml.I(0),
    "without wires, in a product": lambda: qml.Z(0) @ qml.I(),
    "identities only": lambda: qml.I(0) @ qml.I(1),
    "in a sum": lambda: qml.I(0) + qml.Z(0),
    "without wires, in a sum": lambda: qml.I() + qml.Z(1),
    "sum of identities": lambda: qml.I(0) + qml.I(1),
    "Hamiltonian of an identity": lambda: qml.Hamiltonian([0.5], [qml.I(0)]),
    "Hamiltonian": lambda: qml.Hamiltonian([0.5, 0.7, -0.3], [qml.Z(0), qml.X(0), qml.I(1)]),
    "commuting sum": lambda: qml.Z(0) + 0.5 * qml.X(1),
    "anticommuting sum": lambda: qml.Z(0) + qml.X(0),
    "equal eigenvalues": lambda: qml.Z(0) @ qml.Y(1) + qml.X(0) @ qml.Z(1),
    "nothing": lambda: qml.Z(0) - qml.Z(0),
    "nothing, as whoever simplifies it leaves it": lambda: simplified(qml.Z(0) - qml.Z(0)),
    "of complex type": lambda: qml.Hamiltonian([1 + 0j, 0.5 + 0j], [qml.X(0), qml.Z(1)]),
    "scaled by 0": lambda: 0 * qml.Z(0),
    "product of paulis": lambda: -2.0 * qml.X(0) @ qml.Y(1),
    "factor": lambda: 2 * qml.Hermitian(HERMITIAN, 1),
    "sum without paulis": lambda: qml.Hermitian(HERMITIAN, 0) + qml.Projector([1], 1),
    "product of sums": lambda: (qml.Hermitian(HERMITIAN, 0) + qml.Projector([1], 1)) @ qml.Z(2),
    "square": lambda: qml.Z(0) ** 2,
}
# With their expectation value after RX(0.7, 0), and its derivative.
DIFFERENTIATED: dict[str, tuple[Callable[[], Operator], list[float]]] = {
    "identity without wires": (
        lambda: qml.Y(0) + qml.I(),
        [1 - np.sin(0.7), -np.cos(0.7)],
    ),
    "identity in a Hamiltonian": (
        lambda: qml.Hamiltonian([1.0, 0.5], [qml.Y(0) @ qml.I(), qml.I()]),
        [0.5 - np.sin(0.7), -np.cos(0.7)],
    ),
    "product that is i times Hermitian": (
        lambda: 1j * qml.prod(qml.X(0), qml.Y(0)),
        [-np.cos(0.7), np.sin(0.7)],
    ),
    "terms of which only the sum is Hermitian": (
        lambda: qml.sum(qml.X(0) @ qml.Y(0), qml.Y(0) @ qml.X(0), qml.Z(0)),
        [np.cos(0.7), -np.sin(0.7)],
    ),
}

# PennyLane has no distribution of these.
HAMILTONIANS = {"Hamiltonian", "Hamiltonian of an identity", "of complex type"}

DEVICES: dict[str, dict[str, Any]] = {
    "qrnn.torch": {},
    "qrnn.aer": {},
    "qrnn.ibm": {"backend": "fake_manila", "noise": False},
}


def prepare() -> None:
    qml.RX(0.7, 0)
    qml.RY(1.1, 1)
    qml.CNOT([0, 1])
    qml.RZ(0.5, 1)
    qml.RX(0.3, 1)


@pytest.fixture(scope="module")
def state() -> NDArray[np.complex128]:
    return np.asarray(qml.matrix(prepare, wire_order=WIRES)()[:, 0])


# It shares its conversion with qrnn.aer, and takes a transpilation each.
FEW_ON_IBM = ("scaled", "in a sum", "anticommuting sum")
CASES = [
    (device, name)
    for name in OBSERVABLES
    for device in DEVICES
    if device != "qrnn.ibm" or name in FEW_ON_IBM
]


@pytest.fixture(params=DEVICES)
def device(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> qml.devices.Device:
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "jobs.sqlite"))
    return qml.device(request.param, seed=3, **DEVICES[request.param])


def spectrum(
    observable: Operator, state: NDArray[np.complex128]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Different eigenvalues and their probabilities."""
    eigenvalues, vectors = np.linalg.eigh(qml.matrix(observable, wire_order=WIRES))
    weights = np.abs(vectors.conj().T @ state) ** 2
    rounded, places = np.unique(np.round(eigenvalues, 9), return_inverse=True)
    return np.asarray(rounded), np.bincount(places, weights).astype(np.float64)


@pytest.mark.parametrize(("device", "name"), CASES, indirect=["device"])
def test_shots_have_the_spectrum_of_the_observable(
    name: str, device: qml.devices.Device, state: NDArray[np.complex128]
) -> None:
    observable = OBSERVABLES[name]
    eigenvalues, shares = spectrum(observable(), state)

    @qml.qnode(device, shots=SHOTS)  # type: ignore[untyped-decorator]
    def circuit() -> Any:  # noqa: ANN401
        prepare()
        kinds = qml.expval, qml.var, qml.sample, qml.counts
        return tuple(kind(observable()) for kind in kinds)

    expectation, variance, samples, counts = circuit()
    mean = eigenvalues @ shares
    squares = eigenvalues**2 @ shares - mean**2
    # Terms of a sum are sampled one by one.
    error = 5 * np.abs(eigenvalues).max() / np.sqrt(SHOTS)
    assert abs(expectation - mean) <= (error if squares > 1e-9 else 1e-9)
    assert abs(variance - squares) <= (
        2 * error * np.abs(eigenvalues).max() if squares > 1e-9 else 1e-9
    )
    assert np.shape(expectation) == np.shape(variance) == ()
    assert samples.shape == (SHOTS,)
    found, numbers = np.unique(np.round(samples, 9), return_counts=True)
    from_counts = {round(float(value), 9): int(number) for value, number in counts.items()}
    assert len(from_counts) == len(counts)
    for measured in (dict(zip(found.tolist(), numbers, strict=True)), from_counts):
        assert sum(measured.values()) == SHOTS
        assert set(measured) <= set(eigenvalues.tolist())
        for value, share in zip(eigenvalues.tolist(), shares, strict=True):
            bound = 5 * np.sqrt(share * (1 - share) / SHOTS + 1e-12)
            assert abs(measured.get(value, 0) / SHOTS - share) <= bound


@pytest.mark.parametrize(
    ("device", "name"), [case for case in CASES if case[1] not in HAMILTONIANS], indirect=["device"]
)
def test_distributions_have_the_shape_and_order_of_default_qubit(
    name: str, device: qml.devices.Device
) -> None:
    def circuit() -> qml.measurements.ProbabilityMP:
        prepare()
        return qml.probs(op=OBSERVABLES[name]())

    expected = qml.QNode(circuit, qml.device("default.qubit"))()
    found = qml.QNode(circuit, device, shots=SHOTS)()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_without_shots_identities_are_exact(name: str) -> None:
    @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
    def circuit() -> Any:  # noqa: ANN401
        qml.X(0)
        qml.X(1)
        return (
            qml.probs(op=qml.I(0)),
            qml.var(qml.I(0)),
            qml.var(qml.I()),
            qml.expval(2 * qml.I(0)),
            qml.var(2 * qml.I()),
            qml.probs(op=qml.I()),
        )

    results = circuit()
    expected: list[Any] = [[0, 1], 0, 0, 2, 0, [0, 0, 0, 1]]
    for found, right in zip(results, expected, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-12)


def test_sums_values_and_identities_of_one_tape_keep_their_order(
    device: qml.devices.Device,
) -> None:
    @qml.qnode(device, shots=(SHOTS, 10))  # type: ignore[untyped-decorator]
    def circuit() -> Any:  # noqa: ANN401
        qml.RX(0.7, 0)
        value = qml.measure(0, reset=True)
        qml.RY(0.4, 1)
        return (
            qml.var(qml.Z(0) + 0.5 * qml.X(1)),
            qml.counts(qml.I(0)),
            qml.expval(qml.X(1)),
            qml.expval(value),
            qml.expval(qml.Z(1) + 3 * qml.I(0)),
            qml.var(qml.X(1) + qml.Z(1)),
        )

    first, second = circuit()
    cos, sin = np.cos(0.4), np.sin(0.4)
    assert first[1] == {1.0: SHOTS}
    assert second[1] == {1.0: 10}
    expected = [0.25 * cos**2, sin, np.sin(0.35) ** 2, cos + 3, 2 - (sin + cos) ** 2]
    found = [first[place] for place in (0, 2, 3, 4, 5)]
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("method", [None, "deferred"])
def test_put_off_values_are_read_from_the_wires_that_hold_them(
    method: str | None, device: qml.devices.Device
) -> None:
    @qml.qnode(device, mcm_method=method, shots=SHOTS)  # type: ignore[untyped-decorator]
    def circuit() -> Any:  # noqa: ANN401
        qml.RX(0.7, 0)
        first = qml.measure(0)
        qml.X(0)
        second = qml.measure(0)
        qml.cond(second, qml.X)(1)
        return (
            qml.expval(first),
            qml.var(first + 2 * second),
            qml.probs(op=[second, first]),
            qml.counts(first & second),
            qml.expval(qml.X(0)),
            qml.sample(first),
            qml.probs(wires=[0, 1]),
        )

    mean, variance, table, counts, observed, samples, wires = circuit()
    share = np.sin(0.35) ** 2
    np.testing.assert_allclose(mean, share, atol=0.02)
    np.testing.assert_allclose(variance, share * (1 - share), atol=0.02)
    np.testing.assert_allclose(table, [0, share, 1 - share, 0], atol=0.02)
    assert {int(value): int(number) for value, number in counts.items()} == {0: SHOTS}
    np.testing.assert_allclose(observed, 0, atol=0.04)
    np.testing.assert_allclose([np.mean(samples), samples.shape[0]], [share, SHOTS], atol=0.02)
    np.testing.assert_allclose(wires, [share, 0, 0, 1 - share], atol=0.02)


@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_equal_samples_of_other_types_keep_their_types(name: str) -> None:
    @qml.set_shots(5)  # type: ignore[untyped-decorator]
    @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        return qml.sample(wires=0, dtype=float), qml.sample(wires=0), qml.sample(wires=0)

    assert [samples.dtype.kind for samples in circuit()] == ["f", "i", "i"]


@pytest.mark.parametrize("shots", [None, 10])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_sparse_observables_within_others_are_refused_in_words(
    name: str, shots: int | None
) -> None:
    sparse = qml.SparseHamiltonian(csr_matrix(np.diag([1.0, 2.0])), 0)
    for observable in (sparse + qml.X(1), qml.s_prod(2, sparse)):

        @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
        def circuit(observable: qml.operation.Operator = observable) -> object:
            return qml.expval(observable)

        with pytest.raises(ValueError, match="SparseHamiltonian must stand alone"):
            qml.set_shots(circuit, shots)()


@pytest.mark.parametrize("shots", [None, 10])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_a_real_phase_of_no_wires_is_its_sign(name: str, shots: int | None) -> None:
    @qml.set_shots(shots)  # type: ignore[untyped-decorator]
    @qml.qnode(qml.device(name))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.Hadamard(0)
        return qml.expval(qml.GlobalPhase(np.pi)), qml.var(qml.GlobalPhase(np.pi))

    assert circuit() == pytest.approx((-1.0, 0.0))


@pytest.mark.parametrize("interface", ["torch", "autograd"])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
@pytest.mark.parametrize("observable", DIFFERENTIATED)
@pytest.mark.parametrize("measured", [False, True])
def test_observables_have_real_expectation_values_and_gradients(
    measured: bool, observable: str, device: str, interface: str
) -> None:
    make, expected = DIFFERENTIATED[observable]

    def circuit(angle: TensorLike) -> MeasurementProcess:
        qml.RX(angle, 0)
        if measured:
            qml.measure(1)
        return qml.expval(make())

    node = qml.QNode(circuit, qml.device(device))
    if interface == "torch":
        angle = torch.tensor(0.7, dtype=torch.float64)
        value = node(angle)
        gradient = torch.autograd.functional.jacobian(node, angle)
        assert value.dtype == torch.float64
    else:
        angle = qml.numpy.array(0.7, requires_grad=True)
        value, gradient = node(angle), qml.grad(node)(angle)
        assert value.dtype == np.float64
    assert [float(value), float(gradient)] == pytest.approx(expected, abs=1e-9)
