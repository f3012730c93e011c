from collections.abc import Callable
from math import sqrt

import numpy as np
import pennylane as qml
import pytest
from pennylane.ops import MeasurementValue
from qiskit.quantum_info import Operator

from qrnn_backends.qiskit_common.program import programs
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.basic import basic_operations
from qrnn_circuits.circuits.realisations import REALISATIONS
from tests.backends.tapes import tape_of


def every_kind_of_gate() -> qml.measurements.MeasurementProcess:
    qml.StatePrep(np.array([0.5, 0.5j, -0.5, 0.5]), wires=[2, "a"])
    qml.BasisState([1], wires=[0])
    qml.RY(0.3, 0)
    qml.Rot(0.4, 0.5, 0.6, wires="a")
    qml.ctrl(qml.RX(0.7, 2), control=[0, "a"], control_values=[0, 1])
    qml.QubitUnitary(qml.QFT.compute_matrix(3), wires=[0, "a", 2])
    qml.BlockEncode(np.array([[0.1, 0.2], [0.3, 0.4]]), wires=[0, 2])
    qml.adjoint(qml.IsingXY(0.8, [0, 2]))
    qml.MultiControlledX([0, 2, "a"])
    qml.PauliRot(0.9, "XYZ", [0, "a", 2])
    qml.GlobalPhase(1.1)
    return qml.probs(wires=[2, 0])


def test_bound_circuits_are_the_gates_of_the_tape_up_to_a_phase() -> None:
    tape = tape_of(every_kind_of_gate, shots=10)
    (program,) = programs([tape])
    assert program.circuit.num_parameters == len(program.values) > 20
    circuit = program.bound().remove_final_measurements(inplace=False)
    # The register is in the tape's order of wires, with the first least significant in Qiskit.
    state = Operator(circuit.reverse_bits()).data[:, 0]
    expected = qml.matrix(tape, wire_order=tape.wires)[:, 0]
    assert abs(np.vdot(state, expected)) == pytest.approx(1.0, abs=1e-10)


def test_the_wires_that_are_read_are_measured_in_order() -> None:
    (program,) = programs([tape_of(every_kind_of_gate, shots=10)])
    measured = [
        (program.circuit.find_bit(item.qubits[0]).index, program.circuit.find_bit(item.clbits[0]))
        for item in program.circuit.data
        if item.operation.name == "measure"
    ]
    # Wires come up in the order 2, a, 0.
    assert [(qubit, bit.index) for qubit, bit in measured] == [(0, 0), (2, 1)]
    assert [register.name for register in program.circuit.cregs] == ["end"]


def dynamic(
    angle: float = 0.3,
    *,
    value: int = 1,
    reset: bool = False,
    postselect: int | None = None,
    control: bool = True,
    read: Callable[[MeasurementValue], qml.measurements.MeasurementProcess] = qml.expval,
) -> Callable[[], object]:
    def queue() -> object:
        qml.RY(angle, 0)
        first = qml.measure(0, reset=reset, postselect=postselect)
        qml.cond(first == value, qml.RY)(2 * angle, 1)
        qml.ctrl(qml.RX(3 * angle, 2), control=0, control_values=[control])
        return qml.expval(qml.X(1)), read(first)

    return queue


def test_tapes_that_differ_in_angles_and_readout_share_one_circuit() -> None:
    first, second, third = programs(
        [
            tape_of(dynamic(0.3), 10),
            tape_of(dynamic(0.5, postselect=0), 10),
            tape_of(dynamic(0.3, read=qml.counts), 7),
        ]
    )
    assert first.circuit is second.circuit is third.circuit
    assert first.structure == second.structure == third.structure
    assert first.values == pytest.approx([0.3, 0.6, 0.9])
    assert second.values == pytest.approx([0.5, 1.0, 1.5])
    assert (first.readout.shots, third.readout.shots) == ((10,), (7,))
    assert programs([tape_of(dynamic(0.7), 10)])[0].circuit is first.circuit


@pytest.mark.parametrize(
    "other",
    [
        dynamic(value=0),
        dynamic(reset=True),
        dynamic(control=False),
        lambda: (qml.RY(0.3, 0), qml.expval(qml.X(1))),
    ],
)
def test_tapes_that_differ_in_anything_else_do_not(other: Callable[[], object]) -> None:
    first, second = programs([tape_of(dynamic(), shots=10), tape_of(other, shots=10)])
    assert first.structure != second.structure
    assert first.circuit != second.circuit


def test_postselected_bits_are_named_with_their_values() -> None:
    def queue() -> object:
        qml.measure(0)
        qml.measure(1, reset=True)
        qml.measure(0, postselect=1)
        second = qml.measure(1, postselect=0, reset=True)
        return qml.sample(second)

    (program,) = programs([tape_of(queue, shots=10)])
    # The reset that nobody reads has no bit.
    assert program.readout.postselected == ((1, 1), (2, 0))
    assert [wire for each in program.readout.measurements for wire in each.wires] == [2]
    # A kept shot may have been misread, so that its wire is reset as others are.
    assert dict(program.circuit.count_ops()) == {"measure": 3, "reset": 2}


def test_an_unread_measurement_still_projects() -> None:
    def queue() -> object:
        qml.Hadamard(0)
        qml.measure(0)
        qml.Hadamard(0)
        return qml.expval(qml.Z(0))

    (program,) = programs([tape_of(queue, shots=10)])
    assert program.circuit.count_ops()["measure"] == 2


def test_observables_are_diagonalised_and_keep_their_eigenvalues() -> None:
    matrix = np.array([[1.0, 2.0], [2.0, -2.0]])

    def queue() -> object:
        return (
            qml.expval(qml.X(0) @ qml.Y(1)),
            qml.var(qml.X(0)),
            qml.counts(qml.Hermitian(matrix, 2), all_outcomes=True),
            qml.sample(wires=3, dtype="int8"),
        )

    (program,) = programs([tape_of(queue, shots=10)])
    product, single, hermitian, sample = program.readout.measurements
    assert (len(product.wires), product.eigvals()) == (2, pytest.approx([1, -1]))
    assert single.eigvals() == pytest.approx([1, -1])
    assert sorted(hermitian.eigvals()) == pytest.approx([-3, 2])
    assert hermitian.all_outcomes
    assert sample.numeric_type == "int8"
    # The state |+>|+i> and the eigenvector (2, 1) / sqrt(5) of eigenvalue 2 read zeros or the bit.
    gates = Operator(program.bound().remove_final_measurements(inplace=False).reverse_bits())
    state = np.kron(
        np.kron(np.kron([1, 1], [1, 1j]) / 2, np.array([2, 1]) / sqrt(5)), np.array([1, 0])
    )
    read = np.abs(gates.data @ state) ** 2
    pattern = int(np.argmax(read))
    assert read[pattern] == pytest.approx(1.0)
    bits = np.array([[int(bit) for bit in f"{pattern:04b}"]], dtype=np.uint8)
    expectation, variance, counts, _ = program.readout.results(np.repeat(bits, 10, axis=0))
    assert expectation == pytest.approx(1.0)
    assert variance == pytest.approx(0.0)
    assert {round(key, 9): int(value) for key, value in counts.items()} == {2: 10, -3: 0}


@pytest.mark.parametrize("realisation", REALISATIONS.names())
def test_equal_neurons_share_parameters_and_become_the_circuit_of_all_their_gates(
    realisation: str,
) -> None:
    kind = REALISATIONS.make(realisation)
    wires = range(4 + kind.ancillas(2))
    neuron, other = (
        NeuronOperation(np.linspace(0.1, end, 7), wires, 2, 2, kind) for end in (0.7, 0.8)
    )
    # The first gates tell the order of the qubits.
    operations = [*map(qml.H, wires), neuron, qml.X(1), other, neuron, neuron.adjoint()]
    measured = [qml.probs(wires=[3, 1])]
    gates = [gate for each in operations for gate in basic_operations(each)]
    whole, expanded = programs(
        [qml.tape.QuantumScript(each, measured, shots=10) for each in (operations, gates)]
    )
    assert whole.bound() == expanded.bound()
    assert whole.readout.postselected == expanded.readout.postselected
    assert whole.structure != expanded.structure
    assert whole.circuit.num_parameters < expanded.circuit.num_parameters


def test_tapes_share_a_circuit_only_if_their_neurons_repeat_in_the_same_places() -> None:
    def structure(*ends: float) -> str:
        neurons = [
            NeuronOperation(np.array([0.1, end]), [0, 1], 1, 1, "multiplexed") for end in ends
        ]
        (program,) = programs([qml.tape.QuantumScript(neurons, [qml.probs(wires=1)], shots=10)])
        return program.structure

    assert structure(0.2, 0.3, 0.2) == structure(0.4, 0.5, 0.4)
    assert structure(0.2, 0.3, 0.2) != structure(0.2, 0.3, 0.3)
    assert structure(0.2, 0.3, 0.2) != structure(0.2, 0.3, 0.4)
