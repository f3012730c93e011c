"""Arithmetic with measured values is that of numbers, in results and in conditions."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch

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


FACTORS = {
    "autograd's": qml.numpy.tensor(2.5, requires_grad=True),
    "a tensor": torch.tensor(2.5, dtype=torch.float64),
    "an array": np.array(2.5),
    "NumPy's": np.float64(2.5),
}


def scaled(device: str, factor: Any, shots: int | None, path: Path, *, first: bool) -> Any:  # noqa: ANN401
    options = {"backend": "fake_manila", "noise": False, "jobs": path / "jobs.sqlite"}

    def circuit() -> object:
        qml.X(0)
        measured = qml.measure(0)
        # What is measured at the end is another value.
        qml.X(0)
        return qml.expval(factor * measured if first else measured * factor)

    node = qml.QNode(circuit, qml.device(device, **(options if device == "qrnn.ibm" else {})))
    return qml.set_shots(node, shots)()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    ("device", "shots"),
    [("qrnn.torch", None), ("qrnn.torch", 5), ("qrnn.aer", None), ("qrnn.aer", 5), ("qrnn.ibm", 5)],
)
def test_a_value_times_a_number_of_any_kind_is_of_what_was_measured(
    device: str, shots: int | None, factor: str, first: bool, tmp_path: Path
) -> None:
    assert scaled(device, FACTORS[factor], shots, tmp_path, first=first) == pytest.approx(2.5)


@pytest.mark.parametrize(
    "factor", [1j, np.array([1.0, 2.0]), torch.tensor(2.5, requires_grad=True)]
)
@pytest.mark.parametrize(
    ("device", "shots"),
    [("qrnn.torch", None), ("qrnn.torch", 5), ("qrnn.aer", None), ("qrnn.aer", 5), ("qrnn.ibm", 5)],
)
def test_values_that_are_no_real_numbers_are_refused(
    device: str,
    shots: int | None,
    factor: Any,  # noqa: ANN401
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match="must be a real number, without") as raised:
        scaled(device, factor, shots, tmp_path, first=True)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "split",
    [qml.transforms.split_non_commuting, qml.transforms.split_to_single_terms],
)
@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer", "default.qubit"])
def test_split_circuits_keep_every_function_of_the_same_values(device: str, split: Any) -> None:  # noqa: ANN401
    qml.device("qrnn.torch")  # Puts PennyLane's own devices right too.

    @split  # type: ignore[untyped-decorator]
    @qml.qnode(qml.device(device), cache=True)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.RY(0.6, 0)
        qml.RY(1.6, 1)
        m, n = qml.measure(0), qml.measure(1)
        return (*map(qml.expval, (m + n, m - n, m == n, m)), qml.var(m + n), qml.var(m - 2 * n))

    p, q = np.sin([0.3, 0.8]) ** 2
    spread = p - p**2, q - q**2
    expected = [p + q, p - q, p * q + (1 - p) * (1 - q), p, sum(spread), spread[0] + 4 * spread[1]]
    assert np.allclose(circuit(), expected)


def test_values_are_equal_if_measurements_and_function_are() -> None:
    qml.device("qrnn.torch")
    m, n, *others = (qml.measure(wire) for wire in range(8))
    assert qml.equal(qml.expval(m + n), qml.expval(m + n))
    assert qml.expval(m + n).hash == qml.expval(m + n).hash
    for first, second in ((m + n, m - n), (m == n, m != n), (m, ~m), (m, n), (1 / m, 2 / m)):
        assert not qml.equal(qml.expval(first), qml.expval(second))
        assert qml.counts(first).hash != qml.counts(second).hash
        assert (
            qml.ops.Conditional(first, qml.X(9)).hash != qml.ops.Conditional(second, qml.X(9)).hash
        )
    total = sum(others, m)
    assert qml.equal(total, total)
    assert not qml.equal(qml.var(total), qml.var(sum(others, 2 * m)))


def test_functions_whose_results_differ_in_type_are_not_equal() -> None:
    qml.device("qrnn.torch")
    m = qml.measure(0)
    for first, second in ((m == 1, 1 * m), (1 * m, 1.0 * m)):
        assert not qml.equal(qml.counts(first), qml.counts(second))
        assert qml.counts(first).hash != qml.counts(second).hash


def test_remembered_samples_and_counts_are_those_that_are_asked_for() -> None:
    device = qml.device("qrnn.torch", seed=1)
    tapes = [
        qml.tape.QuantumScript([qml.X(0)], [measured], shots=3)
        for measured in (
            qml.sample(wires=0, dtype="int8"),
            qml.sample(wires=0, dtype="float64"),
            qml.counts(wires=0),
            qml.counts(wires=0, all_outcomes=True),
        )
    ]
    small, wide, some, every = qml.execute(tapes, device, diff_method=None, cache=True)
    assert (small.dtype, wide.dtype) == (np.int8, np.float64)
    assert (set(some), set(every)) == ({"1"}, {"0", "1"})


@pytest.mark.parametrize("function", [math.log, [1.0].__getitem__, lambda bit: bit * math.nan])
def test_functions_without_a_number_for_each_outcome_equal_themselves(
    function: Callable[[int], float],
) -> None:
    qml.device("qrnn.torch")
    value = qml.ops.MeasurementValue(qml.measure(0).measurements, function)
    assert qml.equal(value, value)
    assert value.hash == value.hash
