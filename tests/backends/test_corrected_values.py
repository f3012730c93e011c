"""Arithmetic with measured values is that of numbers, in results and in conditions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest

pytest.importorskip("qiskit_aer")

# Functions of the values of two measurements, and what they are of numbers.
FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[int, int], float]]] = {
    "neither": (lambda a, b: ~a + ~b, lambda a, b: 2 - a - b),
    "or and and": (lambda a, b: (a | b) + (a & b), lambda a, b: a + b),
    "or without and": (lambda a, b: (a | b) - (a & b), lambda a, b: abs(a - b)),
    "differ": (lambda a, b: (a ^ b) + (a ^ b), lambda a, b: 2 * abs(a - b)),
    "parity": (lambda a, b: ((a + b) % 2 == 1) + (b == 1), lambda a, b: (a + b) % 2 + b),
    "half": (lambda a, b: 2 * (a / 2) + 3 * (b / 4), lambda a, b: a + 0.75 * b),
    "negative": (lambda a, b: 1 - 2 * (a | b), lambda a, b: 1 - 2 * max(a, b)),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer", "default.qubit"])
def test_truth_values_and_fractions_count_as_numbers(device: str, function: str) -> None:
    measured, of_numbers = FUNCTIONS[function]

    @qml.qnode(qml.device(device))  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.RY(1.0, 0)
        qml.RY(2.0, 1)
        value = measured(qml.measure(0), qml.measure(1))
        qml.cond(value > 1, qml.RY)(0.6, 2)
        qml.cond(value, qml.RZ)(0.9, 2)
        return qml.expval(value), qml.var(value), qml.expval(qml.X(2))

    values = np.array([of_numbers(a, b) for a in (0, 1) for b in (0, 1)])
    shares = np.kron(*([np.cos(angle) ** 2, np.sin(angle) ** 2] for angle in (0.5, 1.0)))
    mean = shares @ values
    turned = np.where(values > 1, np.sin(0.6), 0) * np.where(values != 0, np.cos(0.9), 1)
    expected = [mean, shares @ values**2 - mean**2, shares @ turned]
    # PennyLane's own devices are put right with these.
    qml.device("qrnn.torch")
    assert np.allclose(circuit(), expected)
