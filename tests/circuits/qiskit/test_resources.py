from math import exp

import pytest
from qiskit import QuantumCircuit
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import average_gate_fidelity
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from qrnn_circuits import QRNN, compile_circuit
from qrnn_circuits.circuits.qiskit.resources import (
    estimate,
    idle_fidelity,
    resources,
    section_resources,
)


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


def test_a_condition_inside_of_another_is_no_gate() -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)), circuit.if_test((circuit.clbits[0], 1)):
        circuit.cz(0, 1)
    found = resources(circuit)
    assert (found.two_qubit_gates, found.conditioned_two_qubit_gates) == (1, 1)
    assert found.conditions == 2


def test_depth_without_control_flow_is_qiskits() -> None:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.barrier()
    circuit.cx(0, 1)
    circuit.x(2)
    circuit.delay(100, 0)
    found = resources(circuit)
    assert found.depth == circuit.depth()
    assert found.larger_gates == 1
    # A delay is no gate.
    assert (found.one_qubit_gates, found.two_qubit_gates) == (2, 1)


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


def target_of(
    relaxation: list[QubitProperties] | None = None,
    **gates: tuple[dict[tuple[int, ...], tuple[float, float | None]], int],
) -> Target:
    from qiskit.circuit import Measure, Parameter, Reset
    from qiskit.circuit.library import CXGate, RYGate, XGate

    kinds = {
        "ry": RYGate(Parameter("a")),
        "x": XGate(),
        "cx": CXGate(),
        "measure": Measure(),
        "reset": Reset(),
    }
    target = Target(num_qubits=3, qubit_properties=relaxation)
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
    assert found.idle_fidelity == 1


def test_gates_side_by_side_take_the_time_of_the_longer_one() -> None:
    target = target_of(ry=({(0,): (1.0, 0.1), (1,): (5.0, 0.2)}, 1), x=({(0,): (2.0, 0.0)}, 1))
    circuit = QuantumCircuit(2)
    circuit.ry(0.1, 0)
    circuit.ry(0.1, 1)
    circuit.x(0)
    found = estimate(circuit, target)
    assert found is not None
    assert found.duration == 5


@pytest.mark.parametrize(("t1", "t2"), [(100.0, 70.0), (100.0, 200.0), (30.0, 5.0)])
@pytest.mark.parametrize("duration", [0.0, 1.0, 50.0])
def test_the_idle_fidelity_is_the_average_fidelity_of_thermal_relaxation(
    t1: float, t2: float, duration: float
) -> None:
    noise = pytest.importorskip("qiskit_aer.noise")
    error = noise.thermal_relaxation_error(t1, t2, duration)
    expected = average_gate_fidelity(error.to_quantumchannel())
    assert idle_fidelity(duration, t1, t2) == pytest.approx(expected, abs=1e-12)


def test_without_a_dephasing_time_a_qubit_only_relaxes() -> None:
    assert idle_fidelity(3.0, 2.0, None) == idle_fidelity(3.0, 2.0, 4.0)
    assert idle_fidelity(3.0, None, None) == 1


def test_qubits_lose_fidelity_where_they_wait_in_a_state_that_counts() -> None:
    times = [QubitProperties(t1=10.0, t2=8.0), QubitProperties(t1=20.0, t2=15.0)]
    target = target_of(
        [*times, QubitProperties()],
        x=({(0,): (1.0, 0.0), (1,): (2.0, 0.0)}, 1),
        cx=({(0, 1): (3.0, 0.0)}, 2),
        measure=({(0,): (5.0, 0.0), (1,): (7.0, 0.0)}, 1),
        reset=({(0,): (4.0, None)}, 1),
    )
    circuit = QuantumCircuit(3, 2)
    circuit.x(0)  # 0 to 1; then waits until 2 for the other
    circuit.x(1)  # 0 to 2
    circuit.cx(0, 1)  # 2 to 5
    circuit.measure(0, 0)  # 5 to 10
    circuit.reset(0)  # 10 to 14
    circuit.cx(0, 1)  # 14 to 17; the second has waited from 5
    circuit.measure(1, 1)  # 17 to 24
    found = estimate(circuit, target)
    assert found is not None
    assert found.duration == 24
    first = 1 / 2 + exp(-1 / 10) / 6 + exp(-1 / 8) / 3
    second = 1 / 2 + exp(-9 / 20) / 6 + exp(-9 / 15) / 3
    assert found.idle_fidelity == pytest.approx(first * second)
    assert found.fidelity == pytest.approx(first * second)


def test_a_qubit_waits_for_the_condition_that_another_is_in() -> None:
    times = [QubitProperties(t1=10.0, t2=8.0), QubitProperties(), QubitProperties()]
    target = target_of(
        times,
        x=({(0,): (1.0, 0.0), (1,): (2.0, 0.0)}, 1),
        measure=({(1,): (5.0, 0.0)}, 1),
    )
    circuit = QuantumCircuit(2, 1)
    circuit.x(0)
    circuit.measure(1, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
        circuit.x(1)
        circuit.x(1)
    found = estimate(circuit, target)
    assert found is not None
    assert found.duration == 9
    # From 1 to 5 until the condition, and from 6 to 9 in it.
    assert found.idle_fidelity == pytest.approx(1 / 2 + exp(-7 / 10) / 6 + exp(-7 / 8) / 3)


def test_a_qubit_in_0_after_a_reset_loses_nothing_while_it_waits() -> None:
    times = [QubitProperties(t1=10.0, t2=8.0), QubitProperties(), QubitProperties()]
    target = target_of(
        times,
        x=({(0,): (1.0, 0.0), (1,): (9.0, 0.0)}, 1),
        cx=({(0, 1): (3.0, 0.0)}, 2),
        reset=({(0,): (4.0, None)}, 1),
    )
    circuit = QuantumCircuit(2)
    circuit.x(0)
    circuit.reset(0)  # 1 to 5; then waits until 9 for the other
    circuit.x(1)
    circuit.cx(0, 1)
    found = estimate(circuit, target)
    assert found is not None
    assert (found.duration, found.idle_fidelity) == (12, 1)


def test_a_condition_begins_when_its_bit_is_read_also_of_a_qubit_that_it_leaves_alone() -> None:
    times = [QubitProperties(t1=10.0, t2=8.0), QubitProperties(), QubitProperties()]
    target = target_of(
        times, x=({(0,): (1.0, 0.0)}, 1), measure=({(1,): (5.0, 0.0)}, 1), ry=({(0,): (2, 0)}, 1)
    )
    circuit = QuantumCircuit(2, 1)
    circuit.measure(1, 0)  # 0 to 5
    circuit.ry(0.1, 0)  # 0 to 2; then waits until 5
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    found = estimate(circuit, target)
    assert found is not None
    assert found.duration == 6
    assert found.idle_fidelity == pytest.approx(1 / 2 + exp(-3 / 10) / 6 + exp(-3 / 8) / 3)


@pytest.mark.parametrize("repeats", [(3, 1), (1, 3)])
def test_the_two_blocks_of_a_condition_take_the_time_of_the_longer_one(
    repeats: tuple[int, int],
) -> None:
    target = target_of(x=({(0,): (1.0, 0.1)}, 1), measure=({(0,): (5.0, 0.0)}, 1))
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        for _ in range(repeats[0]):
            circuit.x(0)
    with otherwise:
        for _ in range(repeats[1]):
            circuit.x(0)
    found = estimate(circuit, target)
    assert found is not None
    assert found.duration == 8
    assert resources(circuit).depth == 4


def test_without_calibration_data_there_is_no_estimate(dynamic: QuantumCircuit) -> None:
    ideal = GenericBackendV2(3, basis_gates=["cx", "ry", "x"], noise_info=False).target
    assert estimate(dynamic, ideal) is None


def test_loops_are_refused() -> None:
    circuit = QuantumCircuit(1)
    with circuit.for_loop(range(2)):
        circuit.x(0)
    with pytest.raises(ValueError, match="control flow must be if_else, got for_loop"):
        resources(circuit)


def test_what_is_no_circuit_of_qiskit_is_named() -> None:
    compiled = compile_circuit(QRNN(lane=1, workspace=2, semantics="unitary"), [0])
    with pytest.raises(TypeError, match=r"got a CompiledCircuit: .*to_qiskit\(\)"):
        resources(compiled)
