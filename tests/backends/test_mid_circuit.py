from typing import Any

import numpy as np
import pennylane as qml
import pytest
from pennylane.devices import MCMConfig
from pennylane.exceptions import DeviceError
from pennylane.ops import MidMeasure

from qrnn_backends.mid_circuit import (
    MAX_DEFERRED_WIRES,
    WithoutShots,
    check_mcm_config,
    defer_where_needed,
    defers,
)
from tests.backends.tapes import tape_of

NATIVE = {"methods": ("deferred", "one-shot"), "postselect_modes": ("hw-like", "fill-shots")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"mcm_method": "tree-traversal"},
            "mcm_method must be 'deferred' or 'one-shot' on a device, got 'tree-traversal'",
        ),
        (
            {"postselect_mode": "pad-invalid-samples"},
            "postselect_mode must be 'hw-like' or 'fill-shots' on a device, got 'pad",
        ),
    ],
)
def test_what_a_device_does_not_have_is_refused(options: dict[str, Any], message: str) -> None:
    check_mcm_config(MCMConfig(), "a device", **NATIVE)
    for error in (DeviceError, ValueError):
        with pytest.raises(error, match=message):
            check_mcm_config(MCMConfig(**options), "a device", **NATIVE)


def once() -> object:
    qml.Hadamard(0)
    qml.measure(0, postselect=0)
    return qml.probs(wires=0)


@pytest.mark.parametrize(
    ("without_shots", "method", "shots", "expected"),
    [
        ("branches", None, None, False),
        ("branches", "tree-traversal", None, False),
        ("branches", "deferred", None, True),
        ("branches", "deferred", 10, True),
        ("state", None, None, True),
        ("state", "one-shot", 10, False),
        ("distribution", None, None, False),
        ("distribution", "deferred", None, True),
    ],
)
def test_the_method_is_deferral_where_asked_for_or_needed(
    without_shots: WithoutShots, method: str | None, shots: int | None, expected: bool
) -> None:
    assert defers(tape_of(once, shots), method, without_shots) == expected
    unmeasured = tape_of(lambda: qml.probs(wires=0), shots)
    (left,), _ = defer_where_needed(unmeasured, method, without_shots)
    assert left is unmeasured


@pytest.mark.parametrize("shots", [None, 10])
def test_deferral_leaves_projectors_only_to_devices_that_project(shots: int | None) -> None:
    (deferred,), _ = defer_where_needed(tape_of(once, shots), "deferred", "branches")
    assert not any(isinstance(each, MidMeasure) for each in deferred.operations)
    with pytest.raises(ValueError, match=r"not be 'deferred' .*: leave mcm_method out"):
        defer_where_needed(tape_of(once, shots), "deferred", "distribution")


def test_too_many_measurements_ask_for_shots() -> None:
    def queue() -> object:
        for _ in range(MAX_DEFERRED_WIRES):
            qml.Hadamard(0)
            qml.measure(0)
        return qml.probs(wires=[0])

    tape = tape_of(queue)
    with pytest.raises(ValueError, match=r"needs 23 wires, more than 22. Give shots"):
        defer_where_needed(tape, None, "state")
    sampled = tape.copy(shots=10)
    assert defer_where_needed(sampled, None, "state")[0] == (sampled,)


@pytest.mark.parametrize("without_shots", ["branches", "state", "distribution"])
@pytest.mark.parametrize("shots", [None, 10])
def test_values_of_another_circuit_cannot_be_read(
    without_shots: WithoutShots, shots: int | None
) -> None:
    other = qml.measure(0)
    tape = tape_of(lambda: qml.X(0), shots).copy(measurements=[qml.expval(other)])
    with pytest.raises(ValueError, match="is of a measurement that is not in the circuit"):
        defer_where_needed(tape, None, without_shots)


@pytest.mark.parametrize("method", [None, "deferred"])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_conditioned_gates_may_have_work_wires(name: str, method: str | None) -> None:
    pytest.importorskip("qiskit_aer")

    @qml.qnode(qml.device(name), mcm_method=method)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.RY(0.7, 0)
        qml.RY(1.1, 1)
        value = qml.measure(0)
        # Wire 4 is the first that no gate acts on.
        qml.cond(value, qml.MultiControlledX)(
            [0, 1, 2, 3], control_values=[1, 0, 0], work_wires=[4]
        )
        return qml.expval(qml.Z(3))

    turned = np.sin(0.35) ** 2 * np.cos(0.55) ** 2
    assert float(circuit()) == pytest.approx(1 - 2 * turned)


@pytest.mark.parametrize("outcome", [True, np.bool_(True), 1.0, np.int64(1), np.array(1)])
@pytest.mark.parametrize("shots", [None, 20])
@pytest.mark.parametrize("name", ["qrnn.torch", "qrnn.aer"])
def test_the_outcome_1_may_be_of_any_type(
    name: str,
    shots: int | None,
    outcome: Any,  # noqa: ANN401
) -> None:
    pytest.importorskip("qiskit_aer")

    @qml.qnode(qml.device(name), shots=shots)  # type: ignore[untyped-decorator]
    def circuit() -> object:
        qml.Hadamard(0)
        qml.measure(0, postselect=outcome)
        return qml.probs(wires=0)

    assert np.allclose(circuit(), [0, 1])


@pytest.mark.parametrize("outcome", [2, -1, 0.5, "1", [1], np.array([1]), float("nan")])
@pytest.mark.parametrize("without_shots", ["branches", "state", "distribution"])
@pytest.mark.parametrize("shots", [None, 10])
def test_nothing_else_than_0_and_1_is_postselected(
    without_shots: WithoutShots,
    shots: int | None,
    outcome: Any,  # noqa: ANN401
) -> None:
    tape = tape_of(once, shots).copy(operations=[MidMeasure(0, postselect=outcome)])
    with pytest.raises(ValueError, match=r"^postselect must be 0, 1 or None, got "):
        defer_where_needed(tape, None, without_shots)


@pytest.mark.parametrize("without_shots", ["branches", "state", "distribution"])
@pytest.mark.parametrize("shots", [None, 10])
def test_a_condition_asks_for_what_was_measured_before(
    without_shots: WithoutShots, shots: int | None
) -> None:
    other = qml.measure(0)

    def queue() -> object:
        qml.measure(0)
        qml.cond(other, qml.X)(1)
        return qml.probs(wires=1)

    with pytest.raises(ValueError, match="depends on a measurement that does not come before it"):
        defer_where_needed(tape_of(queue, shots), None, without_shots)


def values_listed_twice() -> object:
    qml.RY(0.7, 0)
    first, second = qml.measure(0), qml.measure(1)
    return qml.probs(op=[first, second, first])


@pytest.mark.parametrize("shots", [None, 2000])
def test_values_that_are_listed_twice_are_read_twice_or_refused(shots: int | None) -> None:
    pytest.importorskip("qiskit_aer")
    one = np.sin(0.35) ** 2
    circuit = qml.set_shots(qml.QNode(values_listed_twice, qml.device("qrnn.torch", seed=1)), shots)
    assert np.allclose(circuit(), [1 - one, 0, 0, 0, 0, one, 0, 0], atol=0.03 if shots else 1e-9)
    circuit = qml.set_shots(qml.QNode(values_listed_twice, qml.device("qrnn.aer", seed=1)), shots)
    with pytest.raises(ValueError, match="must list each measured value once, got probs"):
        circuit()
