from pathlib import Path

import numpy as np
import pennylane as qml
import pytest

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
