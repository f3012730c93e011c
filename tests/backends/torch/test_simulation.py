from collections.abc import Hashable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_backends.torch.acceptance import acceptance
from qrnn_backends.torch.simulation import ExactBranches, SampledBranches
from qrnn_circuits import ZeroProbabilityError
from qrnn_circuits.circuits.neuron import NeuronOperation
from tests.backends.dynamic_circuits import Instruction, circuits, queue
from tests.branches import branches as reference_branches

CPU = torch.device("cpu")


def exact(tape: qml.tape.QuantumScript) -> ExactBranches:
    branches = ExactBranches(tape, torch.float64, CPU)
    branches.run()
    return branches


def density_matrix(branches: ExactBranches) -> NDArray[np.complex128]:
    """Of what is kept, normalised."""
    states = branches.state.reshape(len(branches.state), -1).numpy()
    matrix = np.einsum("bi,bj->ij", states, states.conj())
    return np.asarray(matrix / np.trace(matrix))


GATES = ("RY", "RZ", "Hadamard", "S", "CNOT", "CZ")


def measuring(instructions: list[Instruction], asked_for: bool) -> qml.tape.QuantumScript:
    """A tape that does or does not return what was measured mid-circuit."""

    def circuit() -> None:
        values = queue(instructions)
        if asked_for:
            qml.probs(op=values)
        qml.probs(wires=range(3))

    return qml.tape.make_qscript(circuit)()


def single_conditions(instructions: list[Instruction]) -> list[Instruction]:
    """Leaves the first condition only: the reference knows those on one measurement."""
    kept, found = [], False
    for item in instructions:
        if item.kind != "condition" or not found:
            kept.append(item)
        found = found or item.kind == "condition"
    return kept


@settings(max_examples=30)
@given(circuits(3, names=GATES).map(single_conditions))
def test_every_branch_has_the_state_of_its_record(instructions: list[Instruction]) -> None:
    tape = measuring(instructions, asked_for=True)
    expected = reference_branches(tape.operations, range(3), np.eye(8)[:, :1])
    total = sum(float(np.sum(np.abs(branch.operator) ** 2)) for branch in expected)
    assume(total > 1e-9)
    found = exact(tape)
    assert float(found.log_acceptance.exp()) == pytest.approx(total)
    uids = list(found.records)
    rows = [tuple(int(found.records[uid][row]) for uid in uids) for row in range(len(found.state))]
    by_record = dict(zip(rows, found.state.reshape(len(rows), 8).numpy(), strict=True))
    for branch in expected:
        amplitudes = branch.operator.reshape(8) / np.sqrt(total)
        record = tuple(branch.outcomes[uid] for uid in uids)
        alone = by_record.pop(record, np.zeros(8))
        np.testing.assert_allclose(alone, amplitudes, atol=1e-9)
    assert not by_record


@settings(max_examples=30)
@given(circuits(3), st.booleans())
def test_merged_branches_have_the_same_density_matrix(
    instructions: list[Instruction], asked_for: bool
) -> None:
    tape = measuring(instructions, asked_for)
    followed = ExactBranches(tape, torch.float64, CPU)
    merged = ExactBranches(tape, torch.float64, CPU)
    merged._merge_at = 2
    try:
        followed.run()
    except ZeroProbabilityError:
        return
    merged.run()
    assert len(merged.state) <= len(followed.state)
    np.testing.assert_allclose(density_matrix(merged), density_matrix(followed), atol=1e-9)
    torch.testing.assert_close(merged.log_acceptance, followed.log_acceptance)


def test_measurements_that_nothing_asks_for_do_not_add_up() -> None:
    def circuit() -> None:
        for step in range(40):
            qml.RY(0.3 + step, wires=0)
            qml.CRY(0.7, wires=[0, 1])
            qml.measure(0, reset=True)
        qml.probs(wires=1)

    branches = exact(qml.tape.make_qscript(circuit)())
    assert len(branches.state) <= 32
    # A chain of random flips of wire 1, by hand: its density matrix after each step.
    rho = np.diag([1.0, 0.0])
    for step in range(40):
        one = np.sin((0.3 + step) / 2) ** 2
        cos, sin = np.cos(0.35), np.sin(0.35)
        turn = np.array([[cos, -sin], [sin, cos]])
        rho = (1 - one) * rho + one * turn @ rho @ turn.T
    system = np.einsum("aiaj->ij", density_matrix(branches).reshape(2, 2, 2, 2))
    np.testing.assert_allclose(system, rho, atol=1e-12)


@pytest.mark.parametrize("reset", [False, True])
def test_a_measurement_leaves_its_outcome_or_zero(reset: bool) -> None:
    def circuit() -> None:
        qml.RY(1.2, wires="b")
        qml.CNOT(["b", "a"])
        value = qml.measure("b", reset=reset)
        qml.expval(value)

    branches = exact(qml.tape.make_qscript(circuit)())
    (bits,) = branches.records.values()
    assert bits.tolist() == [0, 1]
    # Wires in the order of the tape: "b", "a".
    after = np.zeros((2, 2, 2))
    after[0, 0, 0], after[1, 0 if reset else 1, 1] = np.cos(0.6), np.sin(0.6)
    np.testing.assert_allclose(branches.state[:, 0], after, atol=1e-15)


@pytest.mark.parametrize("labels", [("a", "b"), (1, 0), (7, 3)])
def test_impossible_outcomes_are_dropped_and_cannot_be_postselected(
    labels: tuple[Hashable, Hashable],
) -> None:
    def circuit(postselect: int | None) -> None:
        qml.Hadamard(labels[0])
        qml.CNOT(labels)
        qml.CNOT(labels)
        qml.expval(qml.measure(labels[1], postselect=postselect))

    make = qml.tape.make_qscript(circuit)
    assert len(exact(make(None)).state) == 1
    message = f"outcome 1 of the measurement of wire {labels[1]!r}"
    with pytest.raises(ZeroProbabilityError, match=message):
        exact(make(1))
    assert acceptance(make(1)) == 0
    assert acceptance(make(0)) == pytest.approx(1)


def test_too_many_branches_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qrnn_backends.torch.simulation.MAX_AMPLITUDES", 16)

    def circuit() -> None:
        values: list[Any] = []
        for wire in range(2):
            for _ in range(2):
                qml.RY(1.0, wires=wire)
                values.append(qml.measure(wire))
        qml.probs(op=values)

    tape = qml.tape.make_qscript(circuit)()
    with pytest.raises(ValueError, match="leave 8 branches of 4 amplitudes"):
        exact(tape)
    with pytest.raises(ValueError, match="branches"):
        acceptance(tape)
    with pytest.raises(ValueError, match="5 wires"):
        acceptance(qml.tape.QuantumScript([qml.X(wire) for wire in range(5)]))


def test_a_long_postselected_sequence_does_not_underflow() -> None:
    def circuit() -> None:
        for _ in range(1200):
            qml.RY(2.0, wires=0)
            qml.measure(0, postselect=0)
        qml.probs(wires=0)

    branches = exact(qml.tape.make_qscript(circuit)())
    assert float(branches.log_acceptance) == pytest.approx(1200 * np.log(np.cos(1.0) ** 2))
    torch.testing.assert_close(branches.weights().sum(), torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_neuron_that_hardly_succeeds_is_not_impossible(dtype: torch.dtype) -> None:
    neuron = NeuronOperation(
        [np.pi / 2, 0.0], range(8), order=6, degree=1, realisation="postselect"
    )
    branches = ExactBranches(qml.tape.QuantumScript([neuron] * 3), dtype, CPU)
    branches.run()
    assert float(branches.log_acceptance) == pytest.approx(3 * np.log(2.0**-63), rel=1e-5)


def test_conditions_are_functions_of_any_number_of_measurements() -> None:
    def circuit() -> None:
        values: list[Any] = []
        for wire in range(3):
            qml.Hadamard(wire)
            values.append(qml.measure(wire, reset=True))
        qml.cond(values[0] + 2 * values[1] + values[2] > 1, qml.X)(3)
        qml.probs(op=values)

    branches = exact(qml.tape.make_qscript(circuit)())
    bits = np.stack(list(branches.records.values()), 1)
    flipped = branches.state[:, 0, 0, 0, 0, 1].numpy() != 0
    np.testing.assert_array_equal(flipped, bits @ [1, 2, 1] > 1)


def test_a_neuron_may_be_conditioned() -> None:
    coefficients, wires = np.array([1.0, 0.4]), [1, 2, 3]

    def circuit(native: bool) -> None:
        qml.RY(1.0, wires=0)
        value = qml.measure(0)
        qml.RY(0.7, wires=1)
        if native:
            qml.cond(value, NeuronOperation)(
                coefficients, wires, order=1, degree=1, realisation="postselect"
            )
        else:
            matrix = np.eye(4)
            for bit, angle in enumerate([1.0, 1.4]):
                cos, sin = np.cos(angle / 2) ** 2, np.sin(angle / 2) ** 2
                matrix[2 * bit : 2 * bit + 2, 2 * bit : 2 * bit + 2] = [[cos, -sin], [sin, cos]]
            qml.cond(value, qml.QubitUnitary)(matrix, [1, 2], unitary_check=False)
        qml.probs(wires=[0, 1, 2])

    make = qml.tape.make_qscript(circuit)
    native, dense = exact(make(True)), exact(make(False))
    states = native.state[..., 0].flatten(1)
    expected = dense.state.flatten(1)
    share = float(expected.square().sum())
    assert float(native.log_acceptance.exp()) == pytest.approx(share)
    torch.testing.assert_close(states * np.sqrt(share), expected)


def test_a_conditioned_measurement_is_refused() -> None:
    def circuit() -> None:
        value = qml.measure(0)
        qml.ops.Conditional(value, qml.ops.MidMeasure("c"))
        qml.probs(wires=0)

    with pytest.raises(
        ValueError, match=r"must not condition a mid-circuit measurement \(of wire 'c'"
    ):
        exact(qml.tape.make_qscript(circuit)())


def test_sampled_branches_hold_the_shots_of_a_binomial() -> None:
    def circuit() -> None:
        qml.RY(1.0, wires=0)
        value = qml.measure(0, reset=True)
        qml.cond(value, qml.RY)(2.0, wires=1)
        qml.measure(1, postselect=0)
        qml.expval(value)

    shots, random = 100_000, np.random.default_rng(3)
    branches = SampledBranches(qml.tape.make_qscript(circuit)(), torch.float64, CPU, shots, random)
    branches.run()
    one = np.sin(0.5) ** 2
    expected = np.array([1 - one, one * np.cos(1.0) ** 2])
    error = np.sqrt(expected * (1 - expected) / shots)
    assert (np.abs(branches.counts[:, 0] / shots - expected) < 4 * error).all()
    torch.testing.assert_close(
        branches.state.square().sum((1, 2, 3)), torch.ones(2, dtype=torch.float64)
    )


def test_branches_are_no_more_than_shots() -> None:
    def circuit(wires: list[Hashable]) -> None:
        values = []
        for wire in wires:
            qml.Hadamard(wire)
            values.append(qml.measure(wire))
            qml.RX(0.1, wires=wire)
        qml.sample(op=values)

    tape = qml.tape.make_qscript(circuit)([*"abcdefgh"])
    branches = SampledBranches(tape, torch.float64, CPU, 20, np.random.default_rng(0))
    branches.run()
    assert branches.counts.sum() == 20
    assert len(branches.state) <= 20
