import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error

from qrnn_backends.aer.exact import distributions, exact_results
from qrnn_backends.aer.simulation import DirectSimulation
from qrnn_backends.mid_circuit import defer_where_needed
from qrnn_backends.readout import NoShotsKeptError
from tests.backends.tapes import program, tape_of

IDEAL = DirectSimulation("automatic")


def test_the_state_has_the_phase_and_the_order_of_wires_of_default_qubit() -> None:
    def queue() -> object:
        qml.RX(0.4, "b")
        qml.GlobalPhase(0.3)
        qml.CRY(0.5, ["b", "a"])
        qml.S("a")
        qml.Identity(["a", "b"])
        qml.GlobalPhase(0.4)
        return qml.state(), qml.expval(qml.Hermitian([[1, 1j], [-1j, 2]], "c"))

    tape = tape_of(queue)
    ((state, expectation),) = exact_results(IDEAL, [tape])
    expected_state, expected = qml.device("default.qubit").execute(tape)
    np.testing.assert_allclose(state, expected_state, atol=1e-12)
    assert expectation == pytest.approx(expected)


def test_all_of_pennylanes_measurements_of_states_work() -> None:
    def queue() -> object:
        qml.RY(0.4, 0)
        qml.CRX(0.5, [0, 1])
        qml.CRY(0.9, [1, 2])
        return (
            qml.density_matrix([1]),
            qml.purity([0]),
            qml.vn_entropy([0, 2]),
            qml.mutual_info([0], [1]),
            qml.var(qml.X(0) + 2 * qml.Z(1)),
        )

    tape = tape_of(queue)
    (results,) = exact_results(IDEAL, [tape])
    for result, expected in zip(results, qml.device("default.qubit").execute(tape), strict=True):
        np.testing.assert_allclose(result, expected, atol=1e-10)


def test_a_tape_without_gates_is_in_state_zero() -> None:
    (probabilities,) = exact_results(IDEAL, [QuantumScript([], [qml.probs(wires=[0, 1])])])
    assert probabilities.tolist() == [1, 0, 0, 0]


def test_postselected_wires_are_projected_before_and_after_they_are_used_again() -> None:
    def queue() -> object:
        qml.RY(0.6, 0)
        qml.CNOT([0, 1])
        # Used again, also by a CNOT that copies nothing.
        qml.measure(1, postselect=1)
        qml.CNOT([1, 0])
        qml.RX(0.5, 1)
        qml.RY(0.3, 0)
        qml.measure(0, postselect=0, reset=True)
        qml.RX(0.7, 0)
        qml.measure(0, postselect=1)
        return qml.probs(wires=[0, 1])

    tape = tape_of(queue)
    (deferred,), _ = defer_where_needed(tape, None, "state")
    (probabilities,) = exact_results(IDEAL, [deferred])
    # RX(0.5) on |1>, and wire 0 is postselected on 1.
    expected = [0, 0, np.sin(0.25) ** 2, np.cos(0.25) ** 2]
    assert probabilities == pytest.approx(expected)


def test_an_impossible_outcome_is_an_error() -> None:
    def queue() -> object:
        qml.measure(0, postselect=1)
        return qml.probs(wires=[0])

    (deferred,), _ = defer_where_needed(tape_of(queue), None, "state")
    with pytest.raises(NoShotsKeptError, match="has probability 0"):
        exact_results(IDEAL, [deferred])


def test_exact_distributions_have_gate_and_readout_errors() -> None:
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["x"])
    noise.add_readout_error(ReadoutError([[0.9, 0.1], [0.3, 0.7]]), [1])
    # Wire 1 is measured into bit 0.
    flipped = program(qml.X(0), qml.Identity(1), wires=[1, 0])
    untouched = program(qml.Identity(0), qml.X(1), wires=[0])
    both, single = distributions(DirectSimulation("automatic", noise), [flipped, untouched])
    # The qubit's error of 10 % leaves 5 % of the other value.
    assert both == pytest.approx([0.9 * 0.05, 0.9 * 0.95, 0.1 * 0.05, 0.1 * 0.95])
    assert single == pytest.approx([1.0, 0.0])
    noise.add_all_qubit_readout_error(ReadoutError([[0.8, 0.2], [0.0, 1.0]]), warnings=False)
    (everywhere,) = distributions(DirectSimulation("automatic", noise), [untouched])
    assert everywhere == pytest.approx([0.8, 0.2])


def test_a_circuit_without_wires_has_the_state_of_none() -> None:
    tape = QuantumScript([qml.GlobalPhase(0.3)], [qml.state()])
    (state,) = exact_results(IDEAL, [tape])
    np.testing.assert_allclose(state, [np.exp(-0.3j)], atol=1e-12)
