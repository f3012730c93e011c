import io
from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit, qpy
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.convert import Converter, Item, to_qiskit, without_sections
from qrnn_circuits.circuits.realisations import REALISATIONS

SHOTS = 20_000


def tape_of(queue: Callable[[], object]) -> qml.tape.QuantumScript:
    return qml.tape.make_qscript(queue)()


def shares(circuit: QuantumCircuit) -> NDArray[np.float64]:
    """How often each pattern of the classical bits was read, the first bit most significant."""
    counts = AerSimulator(seed_simulator=1).run(circuit, shots=SHOTS).result().get_counts()
    table = np.zeros(2**circuit.num_clbits)
    for text, count in counts.items():
        table[int(text.replace(" ", "")[::-1], 2)] += count / SHOTS
    return table


def within_error(measured: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    error = np.sqrt(expected * (1 - expected) / SHOTS)
    return bool((np.abs(measured - expected) <= 4 * error + 1e-12).all())


def unitary_gates() -> None:
    qml.RY(0.3, 0)
    qml.RX(-0.2, 1)
    qml.RZ(1.1, 2)
    qml.H(1)
    qml.X(0)
    qml.Y(1)
    qml.Z(2)
    qml.S(0)
    qml.adjoint(qml.S(1))
    qml.T(2)
    qml.adjoint(qml.T(0))
    qml.SX(1)
    qml.adjoint(qml.SX(2))
    qml.PhaseShift(0.4, 0)
    qml.CNOT([0, 1])
    qml.CY([1, 2])
    qml.CZ([2, 0])
    qml.CH([0, 2])
    qml.CRX(0.5, [0, 1])
    qml.CRY(-0.6, [1, 2])
    qml.CRZ(0.7, [2, 0])
    qml.ControlledPhaseShift(0.8, [0, 1])
    qml.SWAP([0, 2])
    qml.Toffoli([2, 0, 1])
    qml.IsingXX(0.1, [0, 1])
    qml.IsingYY(0.2, [1, 2])
    qml.IsingZZ(0.3, [0, 2])
    qml.GlobalPhase(0.9)
    qml.Identity(0)
    qml.Barrier([0, 1])
    qml.adjoint(qml.RY(0.35, 2))
    qml.ctrl(qml.RY(0.45, 1), control=[0, 2], control_values=[False, True])
    qml.QFT([0, 1, 2])


def test_every_gate_and_decomposition_has_the_matrix_of_the_tape() -> None:
    tape = tape_of(unitary_gates)
    circuit = to_qiskit(tape, {"q": [0, 1, 2]})
    # PennyLane's first wire is the most significant, Qiskit's first qubit the least.
    matrix = Operator(circuit.reverse_bits()).data
    assert np.allclose(matrix, qml.matrix(tape, wire_order=[0, 1, 2]), atol=1e-12)


def dynamic() -> qml.measurements.ProbabilityMP:
    qml.RY(1.0, 0)
    qml.RY(0.7, 1)
    first = qml.measure(0, reset=True)
    qml.cond(first, qml.RY)(0.9, 1)
    qml.cond(~first, qml.CNOT)([1, 0])
    second = qml.measure(1)
    qml.cond(first & second, qml.X)(0)
    qml.cond(first == second, qml.RY)(0.4, 2)
    third, fourth = qml.measure(0), qml.measure(2)
    return qml.probs(op=[first, second, third, fourth])


def test_measurements_resets_and_conditions_give_the_outcomes_of_default_qubit() -> None:
    device = qml.device("default.qubit", wires=3)
    expected = qml.QNode(dynamic, device, mcm_method="tree-traversal")()
    circuit = to_qiskit(tape_of(dynamic))
    assert within_error(shares(circuit), np.asarray(expected).reshape(-1))


def test_operations_of_one_condition_share_one_block_without_measurements() -> None:
    def queue() -> None:
        bit = qml.measure(0)
        qml.cond(bit, qml.RY)(0.1, 1)
        qml.cond(bit, qml.CNOT)([0, 1])
        qml.cond(~bit, qml.X)(1)
        qml.X(0)
        qml.cond(bit, qml.X)(1)

    circuit = to_qiskit(tape_of(queue))
    blocks = [item.operation.blocks[0] for item in circuit.data if item.operation.name == "if_else"]
    assert [dict(block.count_ops()) for block in blocks] == [{"ry": 1, "cx": 1}, {"x": 1}, {"x": 1}]


def test_conditions_that_always_or_never_hold_make_no_block() -> None:
    def queue() -> None:
        bit = qml.measure(0)
        qml.cond(bit | ~bit, qml.X)(1)
        qml.cond(bit & ~bit, qml.Y)(1)
        qml.cond(bit, qml.GlobalPhase)(0.3)

    assert dict(to_qiskit(tape_of(queue)).count_ops()) == {"measure": 1, "x": 1}


def test_a_condition_on_many_values_is_read_back_from_qpy() -> None:
    """IBM's service reads QPY, where an expression has a hundred levels at most."""

    def queue() -> None:
        values = []
        for _ in range(8):
            qml.H(0)
            values.append(qml.measure(0, reset=True))
        qml.cond(sum(values[1:], values[0]) % 2 == 1, qml.X)(1)
        qml.measure(1)

    file = io.BytesIO()
    qpy.dump(to_qiskit(tape_of(queue)), file)
    file.seek(0)
    (circuit,) = qpy.load(file)
    counts = AerSimulator(seed_simulator=1).run(circuit, shots=100).result().get_counts()
    assert len(counts) > 50
    assert all(text.count("1") % 2 == 0 for text in counts)


def test_a_reset_that_nobody_reads_has_no_measurement_and_registers_are_named() -> None:
    def queue() -> None:
        qml.measure("a", reset=True)
        qml.measure("b", postselect=1, reset=True)

    tape = tape_of(queue)
    converter = Converter(
        {"left": ["a"], "right": ["b"]},
        lambda measurement, used: None if measurement.postselect is None else "flag",
    )
    converted = converter.convert(map(Item, tape.operations))
    circuit = converted.circuit
    assert dict(circuit.count_ops()) == {"reset": 1, "measure": 1, "x": 1}
    assert [register.name for register in circuit.qregs + circuit.cregs] == [
        "left",
        "right",
        "flag",
    ]
    assert converted.postselected == ((0, 1),)


def test_equal_keys_are_converted_once_and_repeated_with_bits_of_their_own() -> None:
    calls = []

    def angle(value: float) -> float:
        calls.append(value)
        return value

    def queue() -> None:
        qml.RY(0.2, 0)
        qml.measure(0)

    items = [
        Item(operation, key=place) for place, operation in enumerate(tape_of(queue).operations)
    ]
    converter = Converter({"q": [0]}, lambda measurement, used: "c", angle=angle)
    circuit = converter.convert(items * 3).circuit
    assert len(calls) == 1
    assert dict(circuit.count_ops()) == {"ry": 3, "measure": 3}
    assert circuit.num_clbits == 3


def test_conditions_that_are_repeated_wait_for_the_latest_measurement() -> None:
    def queue() -> None:
        qml.cond(qml.measure(0), qml.X)(1)

    items = [Item(operation, key=place) for place, operation in enumerate(tape_of(queue))]
    circuit = Converter({"q": [0, 1]}, lambda measurement, used: "c").convert(items * 2).circuit
    blocks = [instruction for instruction in circuit.data if instruction.name == "if_else"]
    bits = [circuit.find_bit(bit).index for block in blocks for bit in block.clbits]
    assert bits == [0, 1]


def test_sections_are_separated_by_labelled_barriers() -> None:
    items = [
        Item(qml.X(0), section="one"),
        Item(qml.Y(0), section="one"),
        Item(qml.Z(0), section="two"),
    ]
    converter = Converter({"q": [0]}, lambda measurement, used: "c", barriers=True)
    circuit = converter.convert(items).circuit
    assert [(item.operation.name, item.operation.label) for item in circuit.data] == [
        ("x", None),
        ("y", None),
        ("barrier", "two"),
        ("z", None),
    ]


def test_without_its_sections_a_circuit_is_the_one_that_was_converted_without_barriers() -> None:
    items = [Item(qml.X(0), section="one"), Item(qml.Barrier([0]), section="two")]
    with_barriers, without = (
        Converter({"q": [0, 1]}, lambda measurement, used: "c", barriers=barriers)
        .convert(items)
        .circuit
        for barriers in (True, False)
    )
    assert with_barriers != without
    assert without_sections(with_barriers) == without
    assert dict(without.count_ops()) == {"x": 1, "barrier": 1}


@pytest.mark.parametrize("realisation", REALISATIONS.names())
def test_a_neuron_becomes_the_circuit_of_its_decomposition(realisation: str) -> None:
    kind = REALISATIONS.make(realisation)
    wires = range(4 + kind.ancillas(2))
    neuron = NeuronOperation(np.linspace(0.1, 0.7, 7), wires, 2, 2, kind)
    converter = Converter({"q": wires}, lambda measurement, used: "c")
    whole = converter.convert([Item(neuron)]).circuit
    with qml.queuing.AnnotatedQueue() as copies:
        neuron.decomposition()
    assert whole == converter.convert(map(Item, copies.queue)).circuit


def test_what_cannot_be_converted_is_named() -> None:
    class Opaque(qml.operation.Operation):  # type: ignore[misc]
        num_wires = 1

    with pytest.raises(TypeError, match=r"Opaque.* has neither a Qiskit gate nor a decomposition"):
        to_qiskit(qml.tape.QuantumScript([Opaque(wires=0)]))
    with pytest.raises(ValueError, match=r"wire 1 is in none of the registers \{'q': \[0\]\}"):
        to_qiskit(qml.tape.QuantumScript([qml.X(1)]), {"q": [0]})

    def queue() -> None:
        qml.cond(qml.measure(0), qml.X)(0)

    measurement, conditioned = tape_of(queue).operations
    with pytest.raises(ValueError, match="depends on a measurement that does not come before it"):
        to_qiskit(qml.tape.QuantumScript([conditioned, measurement]))
    nowhere = Converter({"q": [0]}, lambda measurement, used: None)
    with pytest.raises(ValueError, match="needs a classical bit"):
        nowhere.convert(map(Item, [measurement, conditioned]))


def test_a_channel_is_refused_with_the_way_to_have_errors() -> None:
    tape = qml.tape.QuantumScript([qml.DepolarizingChannel(0.1, wires=0)])
    with pytest.raises(
        TypeError, match=r"nor a matrix: errors of gates are the noise of qrnn\.aer"
    ):
        to_qiskit(tape)
