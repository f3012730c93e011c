"""Mid-circuit measurements in other bases read what the basis says, with every device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray

from qrnn_backends.torch.acceptance import acceptance

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")
bases = pytest.importorskip("pennylane.ftqc")

SHOTS = 20_000
ANGLE = 0.7

# How a measurement is made, and the axis on the Bloch sphere that reads 0.
BASES: dict[str, tuple[Callable[..., Any], tuple[float, float, float]]] = {
    "x": (bases.measure_x, (1, 0, 0)),
    "y": (bases.measure_y, (0, 1, 0)),
    **{
        plane: (
            lambda wire, plane=plane, **options: bases.measure_arbitrary_basis(
                wire, angle=ANGLE, plane=plane, **options
            ),
            axis,
        )
        for plane, axis in {
            "XY": (np.cos(ANGLE), np.sin(ANGLE), 0),
            "ZX": (np.sin(ANGLE), 0, np.cos(ANGLE)),
            "YZ": (0, np.sin(ANGLE), np.cos(ANGLE)),
        }.items()
    },
}
STATE = (np.sin(0.9) * np.cos(0.4), np.sin(0.9) * np.sin(0.4), np.cos(0.9))


def make_device(name: str, path: Path) -> qml.devices.Device:
    options: dict[str, Any] = {}
    if name == "qrnn.ibm":
        options = {"backend": "fake_manila", "noise": False, "jobs": path / "jobs.sqlite"}
    return qml.device(name, seed=3, **options)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(
    ("device", "shots"),
    [
        ("qrnn.torch", None),
        ("qrnn.torch", SHOTS),
        ("qrnn.aer", None),
        ("qrnn.aer", SHOTS),
        ("qrnn.ibm", SHOTS),
    ],
)
def test_results_and_conditions_are_of_the_basis(
    device: str, shots: int | None, basis: str, tmp_path: Path
) -> None:
    measure, axis = BASES[basis]

    # Rules for gradients would turn the bases themselves.
    @qml.qnode(make_device(device, tmp_path), diff_method=None)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.RY(0.9, "a")
        qml.RZ(0.4, "a")
        qml.Hadamard("b")
        first, second = measure("a"), qml.measure("b")
        qml.cond(first & ~second, qml.X)("c")
        return qml.probs(op=[second, first]), qml.expval(first + 2 * second), qml.probs(wires="c")

    one = (1 - np.dot(axis, STATE)) / 2
    expected = [np.kron([0.5, 0.5], [1 - one, one]), one + 1, [1 - one / 2, one / 2]]
    found = (circuit if shots is None else qml.set_shots(circuit, shots))()
    for value, right in zip(found, expected, strict=True):
        assert np.allclose(value, right, atol=1e-9 if shots is None else 0.03)


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer"])
def test_postselection_and_resets_are_of_the_basis(device: str) -> None:
    @qml.qnode(qml.device(device), diff_method=None)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.Hadamard(0)
        qml.CNOT([0, 1])
        bases.measure_x(0, postselect=1)
        bases.measure_y(2, reset=True)
        return qml.expval(qml.X(1)), qml.probs(wires=2)

    mean, reset = circuit()
    assert np.allclose(mean, -1)
    assert np.allclose(reset, [1, 0])


def test_the_acceptance_is_of_the_basis() -> None:
    kept = [qml.Hadamard(0), bases.XMidMeasure(0, postselect=0)]
    assert acceptance(qml.tape.QuantumScript(kept)) == pytest.approx(1)


@pytest.mark.parametrize("method", ["backprop", "parameter-shift", "finite-diff"])
def test_the_angle_of_a_basis_is_differentiated(method: str) -> None:
    device = "qrnn.torch" if method == "backprop" else "qrnn.aer"

    @qml.qnode(qml.device(device), diff_method=method)  # type: ignore[untyped-decorator]
    def circuit(angles: torch.Tensor) -> object:
        qml.RY(angles[0], 0)
        qml.cond(bases.measure_arbitrary_basis(0, angle=angles[1], plane="ZX"), qml.X)(1)
        return qml.expval(qml.Z(1))

    angles = torch.tensor([0.9, 0.4], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(circuit(angles), angles)
    slope: NDArray[np.float64] = np.sin(0.5) * np.array([-1, 1])
    assert np.allclose(gradient, slope, atol=1e-6)
