"""Measurements and resets inside of circuits on local models of several chips."""

from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qrnn_backends.ibm.device import IBMDevice
from qrnn_circuits.circuits import UnsupportedTargetError
from qrnn_circuits.job_store import JobStore
from tests.backends.tapes import tape_of


def reset_and_used() -> Any:  # noqa: ANN401
    qml.X(0)
    value = qml.measure(0, reset=True)
    qml.CNOT([0, 1])
    return qml.probs(wires=[0, 1]), qml.counts(value)


def postselected_last() -> Any:  # noqa: ANN401
    qml.RY(1.0, 0)
    qml.CNOT([0, 1])
    qml.measure(0, reset=True, postselect=1)
    return qml.probs(wires=1)


def postselected_and_used() -> Any:  # noqa: ANN401
    qml.measure(0, reset=True, postselect=0)
    qml.CNOT([0, 1])
    return qml.probs(wires=1)


@pytest.mark.parametrize("chip", ["fake_boston", "fake_kingston"])
def test_a_chip_with_forms_for_the_middle_of_a_circuit_is_simulated(chip: str, path: Path) -> None:
    device = IBMDevice(backend=chip, noise=False, seed=1, jobs=path, optimization_level=1)
    tape = tape_of(reset_and_used, 2000)
    assert "measure_2" in str(device.estimate([tape]))
    ((probabilities, counts),) = device.fetch(device.submit([tape]))
    np.testing.assert_array_equal(probabilities, [1, 0, 0, 0])
    assert counts == {1: 2000}


def test_readout_errors_of_the_forms_are_mitigated(path: Path) -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.X(0)
        value = qml.measure(0, reset=True)
        return qml.expval(value), qml.probs(wires=0)

    device = IBMDevice(
        backend="fake_boston", seed=1, jobs=path, optimization_level=1, mitigation="m3"
    )
    ((value, probabilities),) = device.fetch(device.submit([tape_of(circuit, 2000)]))
    assert value == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(probabilities, [1, 0], atol=0.03)


@pytest.mark.parametrize("chip", ["fake_miami", "fake_berlin", "fake_melbourne"])
def test_a_chip_without_reset_runs_what_needs_none(chip: str, path: Path) -> None:
    device = IBMDevice(backend=chip, noise=False, seed=1, jobs=path, optimization_level=1)
    (found,) = device.fetch(device.submit([tape_of(postselected_last, 100)]))
    np.testing.assert_array_equal(found, [0, 1])
    with pytest.raises(UnsupportedTargetError, match=r"no reset: .*without reset=True"):
        device.submit([tape_of(postselected_and_used, 100)])
    assert len(JobStore(path).records()) == 1


def test_the_model_of_a_chip_without_reset_runs_on_aer_too() -> None:
    device = qml.device("qrnn.aer", noise="fake_melbourne", seed=1)
    (found,) = device.execute([tape_of(postselected_last, 2000)])
    assert found[1] > 0.8
