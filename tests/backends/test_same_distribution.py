"""One QNode on every device: only the device changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray
from pennylane.measurements import ProbabilityMP

from qrnn_circuits import QRNN, compile_circuit
from tests.backends.dynamic_circuits import deferred, within_error

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

SHOTS = 20_000


def dynamic_circuit() -> tuple[ProbabilityMP, ProbabilityMP]:
    """Free and postselected measurements, with and without a reset, and conditions on them."""
    qml.RY(0.9, wires=0)
    qml.RX(0.7, wires=1)
    qml.CNOT(wires=[0, 1])
    first = qml.measure(0, reset=True)
    qml.cond(first, qml.RY, qml.RX)(1.1, wires=2)
    qml.RY(0.6, wires=0)
    qml.CRX(1.3, wires=[0, 2])
    qml.measure(0, postselect=0)
    qml.RY(2.1, wires=0)
    qml.CNOT(wires=[0, 1])
    second = qml.measure(0, postselect=1, reset=True)
    qml.cond(second, qml.S)(wires=1)
    third = qml.measure(1)
    qml.cond(first & ~third, qml.RX)(0.8, wires=2)
    return qml.probs(wires=[1, 2]), qml.probs(op=[first, third])


@pytest.fixture(scope="module")
def exact() -> list[NDArray[np.float64]]:
    """The distributions by PennyLane's deferred measurements."""
    return [np.asarray(distribution) for distribution in deferred(dynamic_circuit)]


DEVICES: dict[str, dict[str, Any]] = {
    "qrnn.torch": {"seed": 1},
    "qrnn.aer": {"seed": 1},
    "qrnn.ibm": {"seed": 1, "backend": "fake_fez", "noise": False},
}


@pytest.fixture
def make_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], qml.devices.Device]:
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "jobs.sqlite"))
    return lambda name: qml.device(name, **DEVICES[name])


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_samples_the_distribution_of_deferred_measurements(
    name: str, make_device: Callable[[str], qml.devices.Device], exact: list[NDArray[np.float64]]
) -> None:
    device = make_device(name)
    node = qml.set_shots(qml.QNode(dynamic_circuit, device), shots=SHOTS)
    with qml.Tracker(device) as tracker:
        sampled = node()
    kept = tracker.totals["kept_shots"]
    assert 0.2 * SHOTS < kept < 0.8 * SHOTS
    for distribution, expected in zip(sampled, exact, strict=True):
        assert within_error(distribution, expected, kept)


@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_simulators_give_the_exact_distribution_without_shots(
    name: str, make_device: Callable[[str], qml.devices.Device], exact: list[NDArray[np.float64]]
) -> None:
    for distribution, expected in zip(
        qml.QNode(dynamic_circuit, make_device(name))(), exact, strict=True
    ):
        np.testing.assert_allclose(distribution, expected, atol=1e-8)


@pytest.mark.parametrize("realisation", ["multiplexed", "postselect", "amplified,length=3"])
def test_simulators_agree_on_a_circuit_that_drops_rotations(
    realisation: str,
    make_model: Callable[..., QRNN],
    make_device: Callable[[str], qml.devices.Device],
) -> None:
    semantics = "postselected" if realisation == "postselect" else "unitary"
    model = make_model(lane=1, workspace=1, order=1, degree=1, semantics=semantics)
    outcomes = [1] if realisation == "postselect" else None
    # Each of an amplification's resets is a wire of default.qubit, which a second step squares.
    inputs = [1] if realisation.startswith("amplified") else [0, 1]

    def run(device: "str | qml.devices.Device", tolerance: float) -> NDArray[np.float64]:
        circuit = compile_circuit(
            model.requires_grad_(False),
            inputs,
            outcomes,
            realisation=realisation,
            steps=[len(inputs) - 1],
            tolerance=tolerance,
        )
        return np.array(circuit.qnode(device)()).reshape(-1)

    expected = run("default.qubit", 0.4)
    assert np.abs(expected - run("default.qubit", 0.0)).max() > 1e-3
    for name in ("qrnn.torch", "qrnn.aer"):
        np.testing.assert_allclose(run(make_device(name), 0.4), expected, rtol=0, atol=1e-10)


def allocating_circuit() -> ProbabilityMP:
    qml.RY(0.7, "a")
    with qml.allocate(1, state="zero") as (borrowed,):
        qml.CNOT(["a", borrowed])
        first = qml.measure(borrowed)
    qml.cond(first, qml.Hadamard)("b")
    return qml.probs(wires=["a", "b"])


@pytest.mark.parametrize("wires", [None, ["b", "c", "a"]])
@pytest.mark.parametrize(
    ("name", "shots"),
    [
        ("qrnn.torch", None),
        ("qrnn.torch", SHOTS),
        ("qrnn.aer", None),
        ("qrnn.aer", SHOTS),
        ("qrnn.ibm", SHOTS),
    ],
)
def test_every_device_finds_wires_for_those_that_are_allocated(
    name: str, shots: int | None, wires: list[str] | None, tmp_path: Path
) -> None:
    options = {"backend": "fake_manila", "noise": False, "jobs": tmp_path / "jobs.sqlite"}
    device = qml.device(name, wires=wires, **(options if name == "qrnn.ibm" else {}))
    found = qml.set_shots(qml.QNode(allocating_circuit, device), shots)()
    one = np.sin(0.35) ** 2
    tolerance = 1e-9 if shots is None else 0.03
    np.testing.assert_allclose(found, [1 - one, 0, one / 2, one / 2], atol=tolerance)
