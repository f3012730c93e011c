from collections.abc import Sequence

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Measure, Parameter
from qiskit.circuit.library import CXGate, RZGate, SXGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import Target

from qrnn_circuits.circuits.qiskit.target import (
    UnsupportedTargetError,
    fake_backend,
    is_fake,
    resolve_target,
)


def test_chips_are_found_by_name() -> None:
    assert fake_backend("fake_fez").name == "fake_fez"
    assert fake_backend("fake_manila").name == "fake_manila"
    chip = resolve_target("fake_fez")
    assert chip.name == "fake_fez"
    assert chip.target is not None
    assert chip.target.num_qubits == 156


@pytest.mark.parametrize("name", ["fake_fez", "FakeFez", "fakefez"])
def test_every_spelling_of_a_local_model_is_one_of_a_local_model(name: str) -> None:
    assert fake_backend(name).name == "fake_fez"
    assert is_fake(name)
    assert not is_fake("ibm_fez")


def test_backends_targets_and_gate_names_are_accepted() -> None:
    backend = GenericBackendV2(3, seed=1)
    assert resolve_target(backend).target is backend.target
    assert resolve_target(backend.target).target is backend.target
    chip = resolve_target(["cx", "ry"])
    assert (chip.target, chip.basis) == (None, ("cx", "ry"))


def test_gate_names_mean_all_to_all_connection_with_every_control_flow() -> None:
    circuit = QuantumCircuit(4, 1)
    circuit.cz(0, 3)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.h(2)
    circuit.reset(0)
    found = resolve_target(["cx", "rz", "sx", "x"]).transpile(circuit).count_ops()
    assert {name: found[name] for name in ("cx", "if_else", "measure", "reset")} == {
        "cx": 1,
        "if_else": 1,
        "measure": 1,
        "reset": 1,
    }


def test_missing_instructions_and_qubits_are_named() -> None:
    chip = resolve_target(GenericBackendV2(2, control_flow=False, seed=1))
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.h(1)
    assert chip.missing(circuit) == ["if_else"]
    with pytest.raises(UnsupportedTargetError, match="has no if_else"):
        chip.transpile(circuit)
    with pytest.raises(UnsupportedTargetError, match="has 2 qubits, the circuit needs 3"):
        chip.transpile(QuantumCircuit(3))


def line(gates: Sequence[Gate], measured: Sequence[int] = range(3)) -> Target:
    """A target of three qubits, of which the first two are connected."""
    target = Target(num_qubits=3)
    for gate in gates:
        acting = [(0, 1), (1, 0)] if gate.num_qubits == 2 else [(0,), (1,), (2,)]
        target.add_instruction(gate, dict.fromkeys(acting))
    target.add_instruction(Measure(), dict.fromkeys((qubit,) for qubit in measured))
    return target


ANGLE = Parameter("angle")


@pytest.mark.parametrize(
    "target",
    [
        line([CXGate(), RZGate(ANGLE)]),
        line([RZGate(ANGLE), SXGate()]),
        line([CXGate(), RZGate(ANGLE), SXGate()], measured=[2]),
    ],
)
@pytest.mark.parametrize("level", range(4))
def test_a_target_that_lacks_gates_or_measured_qubits_is_refused_in_one_line(
    level: int, target: Target
) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    with pytest.raises(UnsupportedTargetError) as raised:
        resolve_target(target).transpile(circuit, optimization_level=level)
    assert str(raised.value).startswith("target must have gates that make up any other")
    assert "\n" not in str(raised.value)


def test_what_is_no_target_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"no backend 'ibm_fez' .* close names are fake_fez"):
        fake_backend("ibm_fez")
    with pytest.raises(ValueError, match=r"no backend 'fake_fex' .* close names are fake_fez"):
        resolve_target("fake_fex")
    with pytest.raises(ValueError, match="must list names of Qiskit's gates, got 'cxx'"):
        resolve_target(["cxx"])
    with pytest.raises(TypeError, match=r"target must be the name of a fake backend.* got 3"):
        resolve_target(3)
