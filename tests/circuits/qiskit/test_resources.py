import pytest
from qiskit import QuantumCircuit
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties, Target

from qrnn_circuits.circuits.qiskit.resources import estimate, resources, section_resources


@pytest.fixture
def dynamic() -> QuantumCircuit:
    """Three qubits, of which two are used; one block on both waits for a measurement."""
    circuit = QuantumCircuit(3, 1)
    circuit.ry(0.1, 0)
    circuit.measure(0, 0)
    body = QuantumCircuit([circuit.qubits[1], circuit.qubits[0]], [circuit.clbits[0]])
    body.cx(0, 1)
    body.x(0)
    circuit.if_test((circuit.clbits[0], 1), body, [1, 0], [0])
    circuit.reset(1)
    return circuit


def test_every_kind_of_operation_is_counted_also_inside_of_conditions(
    dynamic: QuantumCircuit,
) -> None:
    found = resources(dynamic)
    assert found.qubits == 2
    assert (found.one_qubit_gates, found.two_qubit_gates, found.larger_gates) == (2, 1, 0)
    assert (found.conditioned_two_qubit_gates, found.conditions) == (1, 1)
    assert (found.measurements, found.resets) == (1, 1)
    # RY, measurement, CX and X inside of the condition, reset.
    assert found.depth == 5


def test_depth_without_control_flow_is_qiskits() -> None:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.x(2)
    found = resources(circuit)
    assert found.depth == circuit.depth()
    assert found.larger_gates == 1


def test_sections_begin_at_their_barriers_and_add_up() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.barrier(label="second")
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.x(1)
    circuit.barrier(label="first")
    circuit.x(0)
    whole, sections = section_resources(circuit, "first")
    assert whole == resources(circuit)
    assert list(sections) == ["first", "second"]
    assert sections["first"].one_qubit_gates == 2
    assert (sections["second"].two_qubit_gates, sections["second"].depth) == (1, 2)


def target_of(**gates: tuple[dict[tuple[int, ...], tuple[float, float | None]], int]) -> Target:
    from qiskit.circuit import Measure, Parameter, Reset
    from qiskit.circuit.library import CXGate, RYGate, XGate

    kinds = {
        "ry": RYGate(Parameter("a")),
        "x": XGate(),
        "cx": CXGate(),
        "measure": Measure(),
        "reset": Reset(),
    }
    target = Target(num_qubits=3)
    for name, (properties, _) in gates.items():
        target.add_instruction(
            kinds[name],
            {
                qubits: InstructionProperties(duration=duration, error=error)
                for qubits, (duration, error) in properties.items()
            },
        )
    return target


def test_the_estimate_follows_the_longest_path_and_multiplies_all_successes(
    dynamic: QuantumCircuit,
) -> None:
    target = target_of(
        ry=({(0,): (1.0, 0.1)}, 1),
        x=({(1,): (2.0, 0.2)}, 1),
        cx=({(1, 0): (4.0, 0.3)}, 2),
        measure=({(0,): (8.0, 0.4)}, 1),
        reset=({(1,): (16.0, None)}, 1),
    )
    found = estimate(dynamic, target)
    assert found is not None
    assert found.duration == 1 + 8 + 4 + 2 + 16
    assert found.fidelity == pytest.approx(0.9 * 0.8 * 0.7 * 0.6)


def test_gates_side_by_side_take_the_time_of_the_longer_one() -> None:
    target = target_of(ry=({(0,): (1.0, 0.1), (1,): (5.0, 0.2)}, 1), x=({(0,): (2.0, 0.0)}, 1))
    circuit = QuantumCircuit(2)
    circuit.ry(0.1, 0)
    circuit.ry(0.1, 1)
    circuit.x(0)
    found = estimate(circuit, target)
    assert found is not None
    assert found.duration == 5


def test_without_calibration_data_there_is_no_estimate(dynamic: QuantumCircuit) -> None:
    ideal = GenericBackendV2(3, basis_gates=["cx", "ry", "x"], noise_info=False).target
    assert estimate(dynamic, ideal) is None


def test_loops_are_refused() -> None:
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(2)):
        circuit.x(0)
    with pytest.raises(ValueError, match="control flow must be if_else, got for_loop"):
        resources(circuit)
