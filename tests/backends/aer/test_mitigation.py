from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.devices import Tracker

pytest.importorskip("mthree")
pytest.importorskip("qiskit_aer")

from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from tests.backends.dynamic_circuits import deferred, flat


@pytest.fixture
def misread() -> NoiseModel:
    """Readout errors and no others."""
    noise = NoiseModel()
    noise.add_all_qubit_readout_error(ReadoutError([[0.94, 0.06], [0.12, 0.88]]))
    noise.add_readout_error(ReadoutError([[0.97, 0.03], [0.09, 0.91]]), [1], warnings=False)
    return noise


def postselected() -> Any:  # noqa: ANN401
    qml.RY(1.1, 0)
    qml.CNOT([0, 1])
    free = qml.measure(1, reset=True)
    qml.CRX(0.7, [0, 1])
    qml.RY(0.9, 0)
    qml.measure(0, postselect=0, reset=True)
    qml.CRY(1.2, [1, 2])
    return (
        qml.probs(wires=[1, 2]),
        qml.expval(qml.Y(1) @ qml.Z(2)),
        qml.var(qml.Z(2)),
        qml.expval(free),
    )


def test_mitigation_takes_readout_errors_away_before_postselection(misread: NoiseModel) -> None:
    shots = 10_000
    exact = flat(deferred(postselected))
    off = {}
    for mitigation in (None, "m3"):
        device = qml.device("qrnn.aer", noise=misread, seed=3, mitigation=mitigation)
        with Tracker(device) as tracker:
            found = flat(qml.set_shots(qml.QNode(postselected, device), shots)())
        off[mitigation] = np.abs(found - exact)
        # As they were read; Y and Z take a circuit each.
        kept = tracker.history["kept_shots"]
        assert len(kept) == 2
        assert 0.5 * shots < min(kept) <= max(kept) < 0.9 * shots
    # No standard deviation is above 1, and inverting the errors of four bits costs a factor.
    error = 1 / np.sqrt(0.5 * shots) * 0.82**-4
    assert off["m3"].max() < 4 * error < off[None].max()


def test_mitigation_brings_a_chips_results_nearer() -> None:
    def circuit() -> Any:  # noqa: ANN401
        qml.RY(0.8, 0)
        qml.CNOT([0, 1])
        return qml.probs(wires=[0, 1]), qml.expval(qml.X(0) @ qml.X(1)), qml.var(qml.Z(0))

    exact = flat(qml.QNode(circuit, qml.device("default.qubit"))())
    devices = (
        qml.device("qrnn.aer", noise="fake_manila", seed=2, mitigation=mitigation)
        for mitigation in (None, "m3")
    )
    raw, mitigated = (
        flat(qml.set_shots(qml.QNode(circuit, device), 40_000)()) for device in devices
    )
    assert np.linalg.norm(mitigated - exact) < 0.5 * np.linalg.norm(raw - exact)


def test_mitigation_leaves_results_without_readout_errors_alone() -> None:
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.2, 2), ["cx"])
    raw, mitigated = (
        flat(qml.set_shots(qml.QNode(postselected, qml.device("qrnn.aer", **options)), 500)())
        for options in (
            {"noise": noise, "seed": 2},
            {"noise": noise, "seed": 2, "mitigation": "m3"},
        )
    )
    assert mitigated == pytest.approx(raw, abs=1e-6)


def test_what_mitigation_does_not_take_is_refused_before_it_runs(misread: NoiseModel) -> None:
    device = qml.device("qrnn.aer", noise=misread, mitigation="m3")

    def conditioned() -> Any:  # noqa: ANN401
        qml.cond(qml.measure(0), qml.X)(1)
        return qml.probs(wires=[1])

    def counted() -> Any:  # noqa: ANN401
        return qml.probs(wires=[0]), qml.counts(wires=[0])

    def sampled() -> Any:  # noqa: ANN401
        return qml.sample(wires=[0])

    with Tracker(device) as tracker:
        for circuit, message in (
            (conditioned, "mitigation must be None for circuits with conditions"),
            (counted, r"mitigation must be None for qml\.counts"),
            (sampled, r"mitigation must be None for qml\.sample"),
        ):
            with pytest.raises(ValueError, match=message):
                qml.set_shots(qml.QNode(circuit, device), 10)()
        with pytest.raises(ValueError, match="must be None without shots, got 'm3': give shots"):
            qml.QNode(postselected, device)()
    assert "runs" not in tracker.totals
