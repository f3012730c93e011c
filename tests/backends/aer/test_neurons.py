"""Circuits of neurons on qrnn.aer: the same as the circuits of all their gates."""

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript
from qiskit_aer.noise import NoiseModel, depolarizing_error

from qrnn_backends.aer.sampling import sample
from qrnn_backends.aer.simulation import DirectSimulation
from qrnn_backends.qiskit_common.program import programs
from qrnn_circuits import QRNN
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.basic import basic_operations
from qrnn_circuits.circuits.qiskit.target import Chip
from qrnn_circuits.circuits.realisations import REALISATIONS
from qrnn_circuits.circuits.sequence import compile_circuit
from tests.backends.tapes import tape_of


def noise_in_two_gates() -> NoiseModel:
    noise = NoiseModel(basis_gates=["cx", "u"])
    noise.add_all_qubit_quantum_error(depolarizing_error(0.02, 1), "u")
    noise.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), "cx")
    return noise


def with_gates(tape: QuantumScript) -> QuantumScript:
    gates = [gate for each in tape.operations for gate in basic_operations(each)]
    return tape.copy(operations=gates)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("realisation", REALISATIONS.names())
def test_shots_of_repeated_neurons_are_those_of_all_their_gates(
    realisation: str, noisy: bool
) -> None:
    semantics = REALISATIONS.make(realisation).semantics
    # Noise is drawn shot by shot.
    shots = 60 if noisy else 500
    model = QRNN(lane=1, workspace=2, order=1, degree=1, semantics=semantics)
    circuit = compile_circuit(model, [0, 1, 1], [0, None], realisation=realisation)
    with qml.QueuingManager.stop_recording():
        # The first gates tell the order of the qubits.
        operations = [qml.RY(0.1, wire) for register in circuit.registers for wire in register]
    measurements = [qml.probs(wires=list(circuit.registers.lane))]
    tape = QuantumScript(operations + circuit.tape.operations, measurements, shots=shots)
    (tape,), _ = qml.transforms.convert_to_numpy_parameters(tape)
    simulation = DirectSimulation("automatic", noise_in_two_gates() if noisy else None)
    one, other = (
        sample(simulation, programs([each]), shots, seed=5)[0] for each in (tape, with_gates(tape))
    )
    np.testing.assert_array_equal(one, other)


def test_a_batch_of_coefficients_is_a_batch_of_results() -> None:
    coefficients = np.array([[0.2, 0.4], [1.1, -0.3]])
    operation = NeuronOperation(coefficients, [0, 1], 1, 1, "multiplexed")
    tape = QuantumScript([qml.H(0), operation], [qml.probs(wires=[0, 1])])
    (found,) = qml.execute([tape], qml.device("qrnn.aer"), diff_method=None)
    (expected,) = qml.execute([tape], qml.device("default.qubit"), diff_method=None)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_circuits_in_gates_that_aer_knows_are_those_that_the_transpiler_would_give() -> None:
    def queue() -> object:
        qml.RY(0.3, 0)
        first = qml.measure(0, reset=True)
        qml.cond(first, qml.CRX)(0.4, [0, 1])
        return qml.probs(wires=[1])

    (program,) = programs([tape_of(queue, shots=10)])
    (circuit,), _ = DirectSimulation("automatic").prepare([program])
    assert circuit == Chip("Aer", None, ("crx", "ry")).transpile(
        program.bound(), optimization_level=0
    )
    (circuit,), _ = DirectSimulation("automatic", noise_in_two_gates()).prepare([program])
    inside = circuit.get_instructions("if_else")[0].operation.blocks[0]
    assert set(circuit.count_ops()) == {"u", "measure", "reset", "if_else"}
    assert set(inside.count_ops()) <= {"u", "cx"}
