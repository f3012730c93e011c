from functools import partial
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
import scipy.signal

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qiskit_aer import AerSimulator

from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.qiskit_common.aer_failures import SimulationError
from qrnn_circuits.job_store import JobStatus, JobStore
from tests.backends.tapes import flip, tape_of


@pytest.mark.parametrize("noise", [True, False])
def test_a_condition_on_a_wire_that_nothing_reads_is_simulated(path: Path, noise: bool) -> None:
    def circuit() -> object:
        for wire, angle in enumerate((1.0, 0.7, 0.2)):
            qml.RY(angle, wire)
        first, second = qml.measure(1), qml.measure(2)
        qml.cond(~first & second, qml.RX)(0.3, 0)
        qml.RX(0.5, 1)
        return qml.probs(wires=1)

    device = IBMDevice(backend="fake_manila", jobs=path, seed=1, noise=noise)
    (found,) = device.execute([tape_of(circuit, 4000)])
    # The mean of Z is multiplied by the cosine of each angle.
    assert found[0] - found[1] == pytest.approx(
        np.cos(0.7) * np.cos(0.5), abs=0.2 if noise else 0.06
    )


def test_no_shots_of_a_row_of_parameters_are_those_of_another(path: Path) -> None:
    def circuit(angle: float) -> object:
        qml.RX(angle, 0)
        first = qml.measure(0, reset=True)
        qml.RX(angle, 0)
        return qml.expval(first), qml.sample(wires=0)

    shots = 5000
    device = IBMDevice(backend="fake_manila", jobs=path, seed=1, noise=False)
    angles = (np.pi / 2, np.pi / 2 + 1e-3)
    results = device.execute([tape_of(partial(circuit, angle), shots) for angle in angles])
    left, right = (1 - 2.0 * np.ravel(samples) for _, samples in results)
    overlaps = scipy.signal.correlate(left, right, method="fft")
    # Of independent coins, each sum has a standard deviation of at most sqrt(shots).
    assert np.abs(overlaps).max() < 7 * np.sqrt(shots)
    assert [first for first, _ in results] == pytest.approx([0.5, 0.5], abs=0.03)


def test_a_failed_simulation_says_why_and_is_no_damaged_record(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OfCliffordGates(AerSimulator):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(method="stabilizer")

    device = IBMDevice(backend="fake_manila", jobs=path, noise=False)
    # The model of the chip is made once, and must be a right one.
    device.execute([flip(0.3)])
    job = device.submit([flip(0.3)])
    monkeypatch.setattr("qiskit_aer.AerSimulator", OfCliffordGates)
    with pytest.raises(SimulationError, match=r"Aer failed: .*invalid"):
        device.fetch(job)
    assert JobStore(path).get(job).status is JobStatus.SUBMITTED
