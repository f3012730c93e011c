from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")
from qrnn_backends.ibm.device import IBMDevice
from qrnn_circuits.job_store import JobStore
from tests.backends.tapes import tape_of


def everything() -> list[QuantumScript]:
    """Tapes of several circuits and results, with values, batches and copies of shots."""

    def dynamic() -> object:
        qml.X(0)
        value = qml.measure(0)
        return qml.expval(value), qml.probs(wires=0), qml.counts(value), qml.expval(qml.Z(1))

    flipped = [qml.X(0)]
    batch = [qml.RY(np.array([0, np.pi]), 0)]
    return [
        QuantumScript(
            flipped, [qml.expval(qml.Z(0)), qml.probs(wires=0), qml.expval(qml.I(1))], 10
        ),
        QuantumScript(flipped, [qml.expval(2 * qml.Z(0) - qml.X(0) @ qml.X(0))], 10),
        QuantumScript(flipped, [qml.expval(qml.Z(0)), qml.sample(wires=0)], [2, 3]),
        QuantumScript([qml.H(0)], [qml.var(qml.X(0) + qml.Z(1)), qml.expval(qml.X(0))], 10),
        QuantumScript(batch, [qml.expval(qml.Z(0)), qml.counts(wires=0)], 10),
        QuantumScript(flipped, [qml.expval(qml.I(0))], 10),
        tape_of(dynamic, 10),
    ]


def test_what_is_fetched_is_what_execution_gives(path: Path) -> None:
    device = IBMDevice(backend="fake_manila", noise=False, seed=1, jobs=path)
    job = device.submit(everything())
    assert JobStore(path).get(job).circuits == 9
    fetched = IBMDevice(jobs=path).fetch(job)
    executed = qml.execute(everything(), device)
    for results in (fetched, executed):
        assert results[0][::2] == (-1, 1)
        np.testing.assert_array_equal(results[0][1], [0, 1])
        assert results[1] == -3
        assert [copy[0] for copy in results[2]] == [-1, -1]
        assert [copy[1].shape for copy in results[2]] == [(2, 1), (3, 1)]
        assert results[3] == pytest.approx((0, 1))
        np.testing.assert_array_equal(results[4][0], [1, -1])
        assert list(results[4][1]) == [{"0": 10}, {"1": 10}]
        assert results[5] == 1
        value, probabilities, counts, idle = results[6]
        assert (value, counts, idle) == (1, {1: 10}, 1)
        np.testing.assert_array_equal(probabilities, [0, 1])


def test_a_tape_that_measures_nothing_is_no_job(path: Path) -> None:
    with pytest.raises(ValueError, match="must measure something"):
        IBMDevice(backend="fake_manila", jobs=path).submit([QuantumScript([qml.X(0)], [], 10)])
    assert JobStore(path).records() == []


@pytest.mark.parametrize("name", ["qrnn.ibm", "qrnn.aer"])
def test_execution_refuses_a_tape_that_measures_nothing_and_leaves_snapshots_out(
    name: str, path: Path
) -> None:
    options = {"backend": "fake_manila", "noise": False, "jobs": path} if "ibm" in name else {}
    device = qml.device(name, **options)
    with pytest.raises(ValueError, match="must measure something"):
        qml.execute([QuantumScript([qml.X(0)], [], 10)], device)
    tape = QuantumScript([qml.X(0), qml.Snapshot("here")], [qml.probs(wires=0)], 10)
    np.testing.assert_array_equal(qml.execute([tape], device), [[0, 1]])


def test_what_is_no_context_and_no_id_is_named(path: Path) -> None:
    device = IBMDevice(backend="fake_manila", jobs=path)
    with pytest.raises(TypeError, match=r"context must be a JSON object, got \[1\]"):
        device.submit([QuantumScript([], [qml.probs(wires=0)], 10)], context=[1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="job_id must be text"):
        device.fetch(None)  # type: ignore[arg-type]


def test_a_sum_of_nothing_is_zero(path: Path) -> None:
    device = IBMDevice(backend="fake_manila", noise=False, seed=1, jobs=path)
    nothing = qml.expval(qml.Hamiltonian([], []))
    tapes = [
        QuantumScript([qml.X(0)], [nothing], 10),
        QuantumScript([qml.X(0)], [nothing, qml.expval(qml.Z(0))], 10),
    ]
    assert device.fetch(device.submit(tapes)) == (0, (0, -1))


def test_the_distribution_of_a_power_is_in_the_basis_of_what_it_is_of(path: Path) -> None:
    tape = QuantumScript(
        [qml.Hadamard(0)],
        [qml.probs(op=qml.X(0) ** 2), qml.expval(qml.X(0) ** 2), qml.expval(qml.X(0) ** 3)],
        50,
    )
    device = IBMDevice(backend="fake_manila", noise=False, seed=1, jobs=path)
    ((probabilities, square, cube),) = device.fetch(device.submit([tape]))
    np.testing.assert_array_equal(probabilities, [1, 0])
    assert (square, cube) == (1, 1)
