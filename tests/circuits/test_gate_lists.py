import numpy as np
import pennylane as qml

from qrnn_circuits.circuits.gate_lists import (
    SharedGates,
    inverse_gates,
    queue,
    queue_conditioned,
    walk_gates,
)
from qrnn_circuits.synthesis import Mix, Rotate, Step, Toggle
from tests.branches import branches

STEPS: list[Step] = [Rotate(1), Toggle(0), Mix(0, 1), Rotate(0), Toggle(1)]


def test_steps_become_gates_that_are_not_queued() -> None:
    angles = np.array([0.1, 0.2])
    with qml.queuing.AnnotatedQueue() as recorded:
        closed = walk_gates(STEPS, angles, ["a", "b"], "t")
        opened = walk_gates(STEPS, angles, ["a", "b"], "t", open_ends=True)
        inverse = inverse_gates(closed)
    assert not recorded.queue
    names = ["RY", "CNOT", "CNOT", "RY", "CNOT"]
    assert [gate.name for gate in closed] == names
    assert [gate.name for gate in opened] == ["RY", "CZ", "CNOT", "RY", "CZ"]
    assert [list(gate.wires) for gate in opened] == [
        ["t"],
        ["a", "t"],
        ["a", "b"],
        ["t"],
        ["b", "t"],
    ]
    assert [gate.data for gate in closed if gate.data] == [(0.2,), (0.1,)]
    (branch,) = branches([*closed, *inverse], ["a", "b", "t"], np.eye(8))
    np.testing.assert_allclose(branch.operator.reshape(8, 8), np.eye(8), rtol=0, atol=1e-15)


def test_one_list_can_be_queued_again_and_again() -> None:
    gates = walk_gates(STEPS, np.array([0.1, 0.2]), [0, 1], 2)
    with qml.queuing.AnnotatedQueue() as recorded:
        queue(gates)
        queue(gates)
        queue_conditioned(None, gates)
        bit = qml.measure(2)
        queue_conditioned(bit, gates)
    names = [operation.name for operation in recorded.queue]
    assert names.count("RY") == 6
    conditioned = [op for op in recorded.queue if isinstance(op, qml.ops.Conditional)]
    assert [operation.base.name for operation in conditioned] == [gate.name for gate in gates]
    assert all(operation.meas_val.measurements == bit.measurements for operation in conditioned)
    assert len(recorded.queue) == 4 * len(gates) + 1


def test_a_shared_recording_holds_parts_once_and_gates_as_often_as_they_are_queued() -> None:
    gates = walk_gates(STEPS, np.array([0.1, 0.2]), [0, 1], 2)
    with SharedGates() as recorded:
        queue(gates)
        bit = qml.measure(2)
        queue_conditioned(bit, gates)
        queue_conditioned(bit, gates)
        sum_of = qml.prod(qml.X(0), qml.Y(1))
        qml.adjoint(qml.S(0))
    first, measurement, conditioned, again, parts = (
        recorded.operations[start:stop]
        for start, stop in ((0, 5), (5, 6), (6, 11), (11, 16), (16, None))
    )
    assert all(ours is theirs for ours, theirs in zip(first, gates, strict=True))
    assert measurement == bit.measurements
    assert all(ours is theirs for ours, theirs in zip(conditioned, again, strict=True))
    assert all(ours.base is theirs for ours, theirs in zip(conditioned, gates, strict=True))
    assert parts[0] is sum_of
    assert [part.name for part in parts] == ["Prod", "Adjoint(S)"]


def test_a_gate_that_repeats_has_one_inverse() -> None:
    (gate,) = walk_gates([Rotate(0)], np.array([0.1]), [0], 1)
    inverse = inverse_gates([gate, gate])
    assert inverse[0] is inverse[1]
    assert inverse[0].data == (-0.1,)
