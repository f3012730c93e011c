"""Measurements and resets inside of a circuit, against density matrices of Aer."""

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, Target
from qiskit_aer import AerSimulator

pytest.importorskip("qiskit_ibm_runtime")

from qiskit_ibm_runtime.circuit import MidCircuitMeasure
from qiskit_ibm_runtime.circuit.library.mid_circuit_measure import MidCircuitReset

from qrnn_circuits.circuits.qiskit.mid_circuit import (
    described,
    in_forms_of,
    mid_circuit_instructions,
    without_resets,
)
from qrnn_circuits.circuits.qiskit.resources import estimate, resources
from qrnn_circuits.circuits.qiskit.target import UnsupportedTargetError, resolve_target


def random_circuit(seed: int) -> QuantumCircuit:
    """Two qubits with gates, measurements into three bits, and resets."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(2, 3)
    for _ in range(20):
        match rng.integers(8):
            case 0 | 1 | 2:
                circuit.ry(rng.uniform(0.5, 2.5), int(rng.integers(2)))
            case 3:
                circuit.cx(*map(int, rng.permutation(2)))
            case 4 | 5:
                circuit.measure(int(rng.integers(2)), int(rng.integers(3)))
            case _:
                circuit.reset(int(rng.integers(2)))
    return circuit


@pytest.mark.parametrize("seed", range(16))
def test_a_circuit_with_fewer_resets_does_the_same(seed: int) -> None:
    circuit = random_circuit(seed)
    read = QuantumCircuit(*circuit.qregs, *circuit.cregs, ClassicalRegister(2, "read"))
    read.compose(circuit, read.qubits, read.clbits[:3], inplace=True)
    read.measure([0, 1], read.cregs[-1])
    replaced = without_resets(read, conditions=True)
    counts = [
        AerSimulator(seed_simulator=1).run(each, shots=4_000).result().get_counts()
        for each in (read, replaced)
    ]
    keys = counts[0].keys() | counts[1].keys()
    distance = sum(abs(counts[0].get(key, 0) - counts[1].get(key, 0)) for key in keys) / 8_000
    assert distance < 0.05
    remaining = replaced.count_ops().get("reset", 0)
    assert remaining <= read.count_ops().get("reset", 0)


def test_a_reset_after_a_measurement_is_a_condition_and_one_that_nobody_sees_is_none() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.reset(0)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.cx(0, 1)
    circuit.measure(1, 1)
    circuit.reset([0, 1])
    found = without_resets(circuit, conditions=True)
    assert dict(found.count_ops()) == {"h": 1, "measure": 2, "if_else": 1, "cx": 1}
    without = without_resets(circuit, conditions=False)
    assert dict(without.count_ops()) == {"h": 1, "measure": 2, "reset": 1, "cx": 1}


def test_a_bit_that_tells_the_state_no_longer_is_no_condition() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.measure(1, 0)
    circuit.reset(0)
    circuit.h(0)
    assert without_resets(circuit, conditions=True).count_ops()["reset"] == 1


def test_where_a_target_has_no_reset_only_what_needs_one_is_refused() -> None:
    for name in ("fake_miami", "fake_berlin", "fake_melbourne"):
        chip = resolve_target(name)
        circuit = QuantumCircuit(2, 2)
        circuit.h(0)
        circuit.measure(0, 0)
        circuit.reset(0)
        circuit.h(1)
        circuit.measure(1, 1)
        assert chip.missing(circuit) == []
        assert "reset" not in chip.transpile(circuit, optimization_level=1).count_ops()
        circuit.cx(0, 1)
        circuit.measure(1, 1)
        assert chip.missing(circuit) == ["reset"]
        with pytest.raises(UnsupportedTargetError, match=r"without reset=True.* apply qml\.X"):
            chip.transpile(circuit)


def test_a_target_with_conditions_and_no_reset_uses_them() -> None:
    backend = GenericBackendV2(2, control_flow=True, seed=1)
    target = Target(num_qubits=2)
    for name in ("cx", "rz", "sx", "x", "measure", "if_else"):
        properties = None if name == "if_else" else backend.target[name]
        operation = backend.target.operation_from_name(name)
        target.add_instruction(operation, properties, name=name)
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.cx(0, 1)
    circuit.measure(1, 1)
    found = resolve_target(target).transpile(circuit).count_ops()
    assert (found["if_else"], found["measure"]) == (1, 2)
    assert "reset" not in found


def dynamic() -> QuantumCircuit:
    circuit = QuantumCircuit(
        QuantumRegister(2, "q"), ClassicalRegister(1, "mid"), ClassicalRegister(2, "end")
    )
    circuit.h(0)
    circuit.measure(0, circuit.cregs[0][0])
    with circuit.if_test((circuit.cregs[0][0], 1)):
        circuit.x(1)
    circuit.reset(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], circuit.cregs[1])
    return circuit


@pytest.mark.parametrize(
    ("name", "instructions"),
    [
        ("fake_boston", ["measure_2", "reset_2"]),
        ("fake_kingston", ["measure_2", "reset"]),
        ("fake_fez", ["measure", "reset"]),
    ],
)
def test_the_forms_for_the_middle_of_a_circuit_are_taken_where_the_target_has_them(
    name: str, instructions: list[str]
) -> None:
    chip = resolve_target(name)
    transpiled = chip.transpile(dynamic(), optimization_level=1)
    assert mid_circuit_instructions(transpiled) == instructions
    assert transpiled.count_ops()["measure"] == 2 + (instructions[0] == "measure")
    counts = resources(transpiled)
    assert (counts.measurements, counts.resets, counts.conditions) == (3, 1, 1)
    assert chip.target is not None
    known = estimate(transpiled, chip.target)
    assert known is not None
    assert known.duration > 0


def test_the_calibration_data_are_those_of_the_form() -> None:
    chip = resolve_target("fake_boston")
    transpiled = chip.transpile(dynamic(), optimization_level=1)
    plain = transpiled.copy_empty_like()
    for instruction in transpiled.data:
        if instruction.name == "measure_2":
            plain.measure(instruction.qubits, instruction.clbits)
        elif instruction.name == "reset_2":
            plain.reset(instruction.qubits)
        else:
            plain.append(instruction)
    assert chip.target is not None
    short, long = (estimate(each, chip.target) for each in (transpiled, plain))
    assert short is not None
    assert long is not None
    qubit = transpiled.find_bit(transpiled.get_instructions("measure_2")[0].qubits[0]).index
    saved = sum(
        chip.target[form.removesuffix("_2")][(qubit,)].duration
        - chip.target[form][(qubit,)].duration
        for form in ("measure_2", "reset_2")
    )
    assert long.duration - short.duration == pytest.approx(saved)


def with_forms(measured: list[int], reset: list[int], without: str = "") -> Target:
    """A target of three qubits that has the forms on some."""
    names = ["rz", "sx", "x", "cx", "measure", "reset"]
    target = Target.from_configuration(
        [name for name in names if name != without],
        num_qubits=3,
        coupling_map=CouplingMap.from_line(3),
    )
    for operation, qubits in ((MidCircuitMeasure(), measured), (MidCircuitReset(), reset)):
        if qubits:
            target.add_instruction(operation, {(qubit,): None for qubit in qubits})
    return target


def names_by_qubit(circuit: QuantumCircuit) -> list[tuple[str, int]]:
    return [
        (instruction.name, circuit.find_bit(instruction.qubits[0]).index)
        for instruction in circuit.data
        if instruction.name.startswith(("measure", "reset"))
    ]


def test_what_a_condition_waits_for_is_inside_and_what_a_barrier_follows_is_not() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    circuit.measure(1, 1)
    circuit.barrier()
    circuit.measure(2, 2)
    circuit.reset(2)
    found = in_forms_of(circuit, with_forms([0, 1, 2], [0, 1, 2]))
    assert names_by_qubit(found) == [
        ("measure_2", 0),
        ("measure", 1),
        ("measure_2", 2),
        ("reset", 2),
    ]
    assert mid_circuit_instructions(found) == ["measure_2"]
    assert mid_circuit_instructions(circuit) == ["measure"]


def test_a_bit_that_is_only_written_again_does_not_make_a_measurement_one_of_the_middle() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    circuit.measure(1, 0)
    assert mid_circuit_instructions(circuit) == []


@pytest.mark.filterwarnings("error")
def test_qubits_without_the_forms_keep_the_others() -> None:
    circuit = QuantumCircuit(3, 6)
    for bit in range(6):
        circuit.measure(bit % 3, bit)
        circuit.reset(bit % 3)
    circuit.x(range(3))
    found = in_forms_of(circuit, with_forms([0, 1], [1]))
    assert names_by_qubit(found) == 2 * [
        *(("measure_2", 0), ("reset", 0)),
        *(("measure_2", 1), ("reset_2", 1)),
        *(("measure", 2), ("reset", 2)),
    ]
    assert described(mid_circuit_instructions(found)) == (
        "measure (no measure_2 there), measure_2, reset (no reset_2 there), reset_2"
    )


@pytest.mark.parametrize("level", range(4))
def test_a_target_that_resets_by_the_form_alone_takes_it_everywhere(level: int) -> None:
    chip = resolve_target(with_forms([], [0, 1, 2], without="reset"))
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.reset(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    circuit.reset(1)
    found = chip.transpile(circuit, optimization_level=level).count_ops()
    assert (found["reset_2"], found["measure"]) == (2, 2)
    assert "reset" not in found
