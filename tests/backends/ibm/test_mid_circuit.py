"""Measurements and resets inside of circuits on local models of several chips."""

from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qiskit_ibm_runtime.circuit import MidCircuitMeasure
from qiskit_ibm_runtime.circuit.library.mid_circuit_measure import MidCircuitReset
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

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


def conditioned() -> Any:  # noqa: ANN401
    qml.X(0)
    first = qml.measure(0, reset=True)
    qml.cond(first, qml.X)(1)
    second = qml.measure(1)
    qml.CNOT([1, 2])
    qml.measure(1, reset=True, postselect=1)
    qml.CNOT([1, 0])
    return qml.probs(wires=[0, 1, 2]), qml.counts([first, second])


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("reset", [True, False])
def test_what_a_user_adds_to_the_target_of_a_local_model_is_taken(
    level: int, measured: bool, reset: bool, path: Path
) -> None:
    backend = FakeManilaV2()
    names = ["measure", "reset"]
    for place, (operation, added) in enumerate(
        [(MidCircuitMeasure(), measured), (MidCircuitReset(), reset)]
    ):
        if added:
            properties = backend.target[names[place]]
            backend.target.add_instruction(operation, dict(properties))
            names[place] = operation.name
    device = IBMDevice(backend=backend, noise=False, seed=1, jobs=path, optimization_level=level)
    tapes = [tape_of(conditioned, 100), tape_of(reset_and_used, 100)]
    said = device.estimate(tapes)
    assert said.mid_circuit == tuple(names)
    assert ("no measure_2 there" in str(said)) is not measured
    assert ("no reset_2 there" in str(said)) is not reset
    (probabilities, counts), (others, _) = device.fetch(device.submit(tapes))
    np.testing.assert_array_equal(probabilities, np.eye(8)[1])
    assert counts == {"11": 100}
    np.testing.assert_array_equal(others, [1, 0, 0, 0])


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
