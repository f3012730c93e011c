from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pennylane as qml
import pytest

from qrnn_backends.conditions import conditions_outside

Values = tuple[Any, Any]


def conditioned(gate: Callable[..., object], *arguments: Any, on: Any) -> None:  # noqa: ANN401
    qml.cond(on, gate)(*arguments, wires=2)


def in_turn(values: Values) -> None:
    conditioned(qml.RX, 0.2, on=values[1])
    conditioned(qml.S, on=values[0])
    conditioned(qml.RY, 0.5, on=values[1] == 0)


# What is queued, given two values, and what it does to wire 2 for each pair of them.
CASES: dict[str, tuple[Callable[[Values], object], Callable[[int, int], list[Any]]]] = {
    "nested": (
        lambda m: qml.cond(m[0], conditioned)(qml.RY, 0.9, on=m[1]),
        lambda a, b: [qml.RY(0.9, 2)] if a and b else [],
    ),
    "nested beside others": (
        lambda m: qml.cond(m[0], lambda: (qml.RX(0.3, 2), qml.cond(m[1] == 0, qml.X)(2)))(),
        lambda a, b: [qml.RX(0.3, 2), *([] if b else [qml.X(2)])] if a else [],
    ),
    "nested on numbers": (
        lambda m: qml.cond(m[0] + m[1], conditioned)(qml.X, on=2 * m[0] - m[1]),
        lambda a, b: [qml.X(2)] if a + b and 2 * a - b else [],
    ),
    "in the other branch": (
        lambda m: qml.cond(m[0], lambda: qml.S(2), lambda: qml.cond(m[1], qml.RY)(0.4, 2))(),
        lambda a, b: [qml.S(2)] if a else [qml.RY(0.4, 2)] if b else [],
    ),
    "adjoined": (
        lambda m: qml.adjoint(in_turn)(m),
        lambda a, b: [
            *([] if b else [qml.RY(-0.5, 2)]),
            *([qml.adjoint(qml.S(2))] if a else []),
            *([qml.RX(-0.2, 2)] if b else []),
        ],
    ),
    "controlled": (
        lambda m: qml.ctrl(conditioned, 3)(qml.RX, 0.8, on=m[0]),
        lambda a, b: [qml.CRX(0.8, [3, 2])] if a else [],
    ),
    "controlled by 0": (
        lambda m: qml.ctrl(in_turn, 3, control_values=[0])(m),
        lambda a, b: [
            qml.ctrl(gate, 3, control_values=[0])
            for gate, takes in ((qml.RX(0.2, 2), b), (qml.S(2), a), (qml.RY(0.5, 2), not b))
            if takes
        ],
    ),
    "to a power": (
        lambda m: qml.pow(qml.ops.Conditional(m[0], qml.RX(0.8, 2)), 1.5),
        lambda a, b: [qml.RX(1.2, 2)] if a else [],
    ),
    "a product": (
        lambda m: qml.prod(qml.ops.Conditional(m[0], qml.RX(0.8, 2)), qml.RY(0.4, 2)),
        lambda a, b: [qml.RY(0.4, 2), *([qml.RX(0.8, 2)] if a else [])],
    ),
    "an adjoined power of a product": (
        lambda m: qml.adjoint(
            qml.pow(qml.prod(qml.ops.Conditional(m[0], qml.RX(0.8, 2)), qml.RY(0.4, 2)), 2)
        ),
        lambda a, b: 2 * [*([qml.RX(-0.8, 2)] if a else []), qml.RY(-0.4, 2)],
    ),
}


def circuit(queue: Callable[[Values], object]) -> Any:  # noqa: ANN401
    qml.RY(1.1, 0)
    qml.RY(1.4, 1)
    qml.RX(0.7, 2)
    qml.H(3)
    queue((qml.measure(0), qml.measure(1)))
    qml.RX(0.3, 2)
    return qml.probs(wires=[2, 3])


def right(effect: Callable[[int, int], list[Any]]) -> Any:  # noqa: ANN401
    """The mean of what happens for each pair of values, by matrices."""
    ones = np.sin([0.55, 0.7]) ** 2
    total = np.zeros(4)
    for pair in product((0, 1), repeat=2):
        state = np.eye(4)[0].astype(complex)
        for gate in [qml.RX(0.7, 2), qml.H(3), *effect(*pair), qml.RX(0.3, 2)]:
            state = qml.matrix(gate, wire_order=[2, 3]) @ state
        share = np.prod(np.where(pair, ones, 1 - ones))
        total += share * np.abs(state) ** 2
    return total


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_conditions_hold_inside_of_other_operations(name: str, case: str) -> None:
    queue, effect = CASES[case]
    node = qml.QNode(circuit, qml.device(name, seed=1))
    assert node(queue) == pytest.approx(right(effect), abs=1e-10)
    assert qml.set_shots(node, 20_000)(queue) == pytest.approx(right(effect), abs=0.02)


@pytest.mark.parametrize("method", ["deferred", "tree-traversal"])
def test_conditions_hold_inside_whatever_runs_measurements(method: str) -> None:
    for queue, effect in CASES.values():
        node = qml.QNode(circuit, qml.device("qrnn.torch"), mcm_method=method)
        assert node(queue) == pytest.approx(right(effect), abs=1e-10)


def test_jobs_hold_conditions_inside_of_others(tmp_path: Path) -> None:
    queue, effect = CASES["nested beside others"]
    device = qml.device(
        "qrnn.ibm", backend="fake_manila", noise=False, seed=1, jobs=tmp_path / "jobs.sqlite"
    )
    found = qml.set_shots(qml.QNode(circuit, device), 10_000)(queue)
    assert found == pytest.approx(right(effect), abs=0.03)


@pytest.mark.parametrize("method", ["backprop", "parameter-shift", "finite-diff"])
def test_gradients_pass_through_conditions_inside_of_others(method: str) -> None:
    def turned(angles: Any) -> Any:  # noqa: ANN401
        qml.RY(angles[0], 0)
        value = qml.measure(0)
        inner = qml.prod(qml.ops.Conditional(value, qml.RX(angles[1], 1)), qml.RY(angles[2], 1))
        qml.adjoint(inner)
        return qml.expval(qml.Z(1))

    def mean(angles: Any) -> Any:  # noqa: ANN401
        share = np.sin(angles[0] / 2) ** 2
        return np.cos(angles[2]) * (1 - share + share * np.cos(angles[1]))

    angles = qml.numpy.array([0.9, 0.5, -0.7], requires_grad=True)
    found = qml.grad(qml.QNode(turned, qml.device("qrnn.torch"), diff_method=method))(angles)
    steps = 1e-6 * np.eye(3)
    expected = [(mean(angles + step) - mean(angles - step)) / 2e-6 for step in steps]
    assert found == pytest.approx(np.array(expected), abs=1e-5)


def test_trainable_parameters_keep_their_numbers() -> None:
    inner = qml.prod(
        qml.ops.Conditional(qml.measure(0), qml.RX(qml.numpy.array(0.5), 1)),
        qml.RY(qml.numpy.array(0.3, requires_grad=False), 1),
    )
    tape = qml.tape.QuantumScript([qml.adjoint(inner)], [qml.expval(qml.Z(1))])
    tape.trainable_params = qml.math.get_trainable_indices(tape.get_parameters(False))
    (found,), _ = conditions_outside(tape)
    assert found.get_parameters() == [pytest.approx(0.5)]


def test_what_no_condition_can_be_written_around_is_refused() -> None:
    doubled = qml.s_prod(2.0, qml.ops.Conditional(qml.measure(0), qml.X(1)))
    tape = qml.tape.QuantumScript([doubled], [qml.expval(qml.Z(1))])
    with pytest.raises(ValueError, match=r"must not hold a condition: apply qml\.cond to what"):
        conditions_outside(tape)
