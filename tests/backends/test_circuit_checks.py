from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.exceptions import DeviceError, WireError
from pennylane.operation import Operator
from scipy.sparse import csr_matrix

from qrnn_backends.circuit_checks import check_hermitian


@pytest.mark.parametrize("angle", [np.nan, np.inf, torch.tensor(np.nan), np.array([0.1, np.nan])])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer", "qrnn.ibm"])
def test_no_shots_are_drawn_of_angles_that_are_not_finite(
    name: str,
    angle: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    options = {"backend": "fake_manila", "noise": False, "jobs": tmp_path / "jobs.sqlite"}
    device = qml.device(name, **(options if name == "qrnn.ibm" else {}))
    tape = qml.tape.QuantumScript([qml.RX(angle, 0)], [qml.probs(wires=0)], shots=10)
    with pytest.raises(ValueError, match=r"^parameters of gates must be finite, got (nan|inf)$"):
        qml.execute([tape], device)
    if name == "qrnn.ibm":
        with pytest.raises(ValueError, match="must be finite"):
            device.submit([tape])


@pytest.mark.parametrize(
    ("angle", "error", "message"),
    [
        (np.inf, ValueError, "must be finite, got inf"),
        (torch.tensor(np.nan), ValueError, "must be finite, got nan"),
        (qml.numpy.array(np.nan, requires_grad=True), ValueError, "must be finite, got nan"),
        (np.zeros(0), ValueError, "must not be an empty batch"),
        ("a", TypeError, "must be numbers, got 'a'"),
        (None, TypeError, "must be numbers, got None"),
    ],
)
@pytest.mark.parametrize("shots", [None, 10])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_parameters_without_meaning_are_refused_by_every_device(
    name: str,
    shots: int | None,
    angle: Any,  # noqa: ANN401
    error: type[Exception],
    message: str,
) -> None:
    @qml.qnode(qml.device(name), shots=shots)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.RY(angle, 0)
        qml.measure(0)
        return qml.expval(qml.Z(0))

    with pytest.raises(error, match=f"^parameters of gates {message}$"):
        circuit()


@pytest.mark.parametrize("shots", [None, 10])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_what_has_nothing_to_measure_is_refused_in_one_line(name: str, shots: int | None) -> None:
    device = qml.device(name)
    empty = qml.tape.QuantumScript([qml.X(0)], [], shots)
    with pytest.raises(ValueError, match="must measure something"):
        qml.execute([empty], device)
    kinds = [qml.probs(), qml.expval(2 * qml.I())] + ([qml.sample(), qml.counts()] if shots else [])
    for measurement in kinds:
        tape = qml.tape.QuantumScript([qml.GlobalPhase(0.3)], [measurement], shots)
        with pytest.raises(WireError, match=r"must have wires, of which neither the circuit nor"):
            qml.execute([tape], device)


@pytest.mark.parametrize(
    ("name", "shots"),
    [
        ("qrnn.torch", None),
        ("qrnn.torch", 10),
        ("qrnn.aer", None),
        ("qrnn.aer", 10),
        ("qrnn.ibm", 10),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        lambda first: qml.cond(first, qml.QubitUnitary)(np.diag([1.0, 2.0]), 1),
        lambda _: qml.DiagonalQubitUnitary(np.array([1.0, 2.0]), 1),
        lambda _: qml.RX(0.3j, 1),
        lambda _: qml.RY(torch.tensor(0.2 + 0.3j), 1),
        lambda _: qml.GlobalPhase(0.3j),
        lambda _: qml.s_prod(2.0, qml.X(1)),
    ],
)
def test_what_changes_the_norms_of_branches_is_refused_by_every_device(
    make: Callable[[Any], Any], name: str, shots: int | None, tmp_path: Path
) -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.Hadamard(0)
        qml.Hadamard(1)
        make(qml.measure(0))
        return qml.expval(qml.Z(0))

    options = {"backend": "fake_manila", "noise": False, "jobs": tmp_path / "jobs.sqlite"}
    device = qml.device(name, **(options if name == "qrnn.ibm" else {}))
    with pytest.raises((ValueError, DeviceError), match="unitary"):
        qml.set_shots(qml.QNode(circuit, device), shots)()


@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_angles_of_complex_type_may_be_real_and_states_sparse(name: str) -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.StatePrep(csr_matrix([[0.6, 0.8]]), 0)
        qml.RX(0.3 + 0j, 1)
        qml.ctrl(qml.GlobalPhase(0.4 + 0j), 0)
        qml.Hadamard(0)
        return qml.probs(wires=0), qml.probs(wires=1)

    first, second = qml.QNode(circuit, qml.device(name))()
    assert first[0] == pytest.approx(0.5 + 0.48 * np.cos(0.4))
    assert second[0] == pytest.approx(np.cos(0.15) ** 2)


SPARSE = qml.RY(0.8, 0).sparse_matrix()


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (lambda: qml.QubitUnitary(SPARSE, 0), 1.2),
        (lambda: qml.adjoint(qml.QubitUnitary(SPARSE, 0)), -0.4),
        (lambda: qml.ctrl(qml.QubitUnitary(SPARSE, 0), 1, control_values=[0]), 1.2),
        (lambda: qml.cond(qml.measure(1), qml.QubitUnitary)(SPARSE, 0), 0.4),
    ],
)
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_unitaries_may_be_sparse(name: str, queue: Callable[[], object], expected: float) -> None:
    def circuit() -> object:
        qml.RY(0.4, 0)
        queue()
        return qml.expval(qml.Z(0))

    assert float(qml.QNode(circuit, qml.device(name))()) == pytest.approx(np.cos(expected))


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.X(0) @ qml.Y(0),
        lambda: qml.Hamiltonian([1j, 0.5], [qml.Z(0), qml.X(0)]),
        lambda: qml.Hermitian(np.array([[1.0, 1j], [1j, 0.0]]), 0),
        lambda: torch.tensor(1j) * qml.Hermitian(torch.eye(2), 0),
        lambda: qml.Hermitian(np.diag([1.0, 2.0]), 0) @ qml.X(0),
        lambda: qml.Hermitian(np.array([[0.0, 1.0], [0.0, 0.0]]), 0) + qml.Projector([1], 1),
        lambda: qml.SparseHamiltonian(csr_matrix([[0.0, 1.0], [0.0, 0.0]]), 0),
        lambda: qml.GlobalPhase(0.3, 0),
        lambda: qml.GlobalPhase(0.3),
        lambda: 2 * qml.GlobalPhase(0.3, 0) @ qml.Z(1),
        # Each term of a sum, of which shots are taken by itself.
        lambda: qml.exp(qml.Z(0), 0.3j) + qml.exp(qml.Z(0), -0.3j),
    ],
)
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_observables_that_are_not_hermitian_are_refused(
    make: Callable[[], Operator], name: str
) -> None:
    for kind in (qml.expval, qml.var):
        with qml.QueuingManager.stop_recording():
            tape = qml.tape.QuantumScript([qml.RY(0.7, 0)], [kind(make())])
        with pytest.raises(ValueError, match=r"^observables must be Hermitian, got .*$"):
            qml.execute([tape], qml.device(name))


def test_an_observable_of_many_factors_is_named_in_one_short_line() -> None:
    observable = qml.prod(qml.X(0), *(99 * [qml.Y(0)]))
    tape = qml.tape.QuantumScript([], [qml.expval(observable)])
    with pytest.raises(ValueError, match=r"^observables must be Hermitian, got X.{,200}\.\.\.$"):
        qml.execute([tape], qml.device("qrnn.torch"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: qml.X(0) @ qml.Y(0) @ (1j * qml.Z(0)),
        lambda: qml.Hamiltonian([0.5, 0.5, -1.0], [qml.Z(0), qml.Z(0), qml.Z(0)]),
        lambda: 0.3j * qml.X(0) - 0.1j * qml.X(0) - 0.2j * qml.X(0) + qml.Z(1),
        lambda: qml.Hermitian(np.array([[1.0, 1j / 3], [-1j / 3, 0.0]], np.complex64), 0),
        lambda: qml.pow(qml.Projector([1], 0) + qml.Hadamard(1), 2),
        lambda: qml.Hermitian(np.diag([1.0, 2.0]), 0) @ qml.Z(0) @ qml.X(1),
        lambda: qml.SparseHamiltonian(qml.Y(0).sparse_matrix(), 0),
    ],
)
def test_hermitian_observables_are_taken_however_they_are_written(
    make: Callable[[], Operator],
) -> None:
    check_hermitian([qml.expval(make())])


@pytest.mark.parametrize("entries", [1, 4])
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_shots_that_do_not_fit_into_memory_are_refused_before_they_are_drawn(
    device: str, entries: int
) -> None:
    rotation = qml.RX(np.full(entries, 0.3) if entries > 1 else 0.3, 0)
    tape = qml.tape.QuantumScript([rotation], [qml.counts(wires=0)], shots=10**12)
    with pytest.raises(ValueError, match=r"^shots must be at most [\d,]+ in all where each reads"):
        qml.execute([tape], qml.device(device))


def test_a_batch_of_more_shots_than_fit_takes_several_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of one bit, 280 bytes a shot.
    monkeypatch.setattr("qrnn_backends.circuit_checks.MAX_SHOT_BYTES", 280 * 250)
    device = qml.device("qrnn.aer", seed=1)
    angles = [0.0, np.pi, 0.0, np.pi, np.pi]
    tapes = [
        qml.tape.QuantumScript([qml.RX(angle, 0)], [qml.probs(wires=0)], shots=100)
        for angle in angles
    ]
    with qml.Tracker(device) as tracker:
        results = qml.execute(tapes, device)
    assert np.allclose(results, [[1, 0], [0, 1], [1, 0], [0, 1], [0, 1]])
    assert tracker.totals["runs"] == 3
