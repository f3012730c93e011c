from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Operator

from qrnn_circuits.circuits.qiskit.gates import (
    PolynomialRYGate,
    QuantumNeuronGate,
    amplified_circuit,
    quantum_neuron_circuit,
)
from qrnn_circuits.circuits.realisations import REALISATIONS, Amplified
from qrnn_circuits.synthesis import parities_up_to
from tests.dense import neuron, polynomial_rotation

SIZES = [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 2)]


def random_coefficients(controls: int, degree: int) -> list[float]:
    size = len(parities_up_to(controls, degree))
    return list(np.random.default_rng(controls + degree).normal(size=size))


def matrix_of(circuit: QuantumCircuit) -> NDArray[np.complex128]:
    """Its matrix with the first qubit the most significant, as dense matrices have it."""
    return np.asarray(Operator(circuit.reverse_bits()).data)


def neuron_matrix(
    coefficients: Sequence[float], degree: int, controls: int, order: int
) -> NDArray[np.float64]:
    return neuron(coefficients, degree, range(controls), controls, order, "unitary")


@pytest.mark.parametrize(("controls", "degree"), SIZES)
@pytest.mark.parametrize("method", ["parity", "textbook"])
def test_both_syntheses_of_a_polynomial_rotation_are_exact(
    controls: int, degree: int, method: str
) -> None:
    coefficients = random_coefficients(controls, degree)
    gate = PolynomialRYGate(coefficients, controls, degree)
    expected = polynomial_rotation(coefficients, degree, range(controls), controls, controls + 1)
    assert np.allclose(matrix_of(gate.synthesised(method)), expected, atol=1e-10)


@pytest.mark.parametrize(("controls", "degree"), SIZES)
def test_the_matrices_of_the_gates_are_those_of_their_definitions(
    controls: int, degree: int
) -> None:
    coefficients = random_coefficients(controls, degree)
    for gate in (
        PolynomialRYGate(coefficients, controls, degree),
        QuantumNeuronGate(coefficients, controls, order=0, degree=degree),
        QuantumNeuronGate(coefficients, controls, order=2, degree=degree),
    ):
        assert np.allclose(np.asarray(gate), Operator(gate.definition).data, atol=1e-10)


@pytest.mark.parametrize(("controls", "degree"), [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_neuron_gate_is_the_unitary_neuron(controls: int, degree: int, order: int) -> None:
    coefficients = random_coefficients(controls, degree)
    gate = QuantumNeuronGate(coefficients, controls, order=order, degree=degree)
    expected = neuron_matrix(coefficients, degree, controls, order)
    assert np.allclose(matrix_of(gate.definition), expected, atol=1e-10)


def test_a_gate_times_its_inverse_is_the_identity() -> None:
    coefficients = random_coefficients(3, 2)
    for gate in (
        PolynomialRYGate(coefficients, 3, 2),
        QuantumNeuronGate(coefficients, 3, order=1, degree=2),
    ):
        circuit = QuantumCircuit(4)
        circuit.append(gate, range(4))
        circuit.append(gate.inverse(), range(4))
        assert np.allclose(Operator(circuit).data, np.eye(16), atol=1e-10)


def test_parameters_may_be_bound_after_synthesis() -> None:
    names = ParameterVector("w", 7)
    values = random_coefficients(3, 2)
    circuit = QuantumCircuit(4)
    circuit.append(PolynomialRYGate(list(names), 3, 2), range(4))
    bound = circuit.decompose().assign_parameters(dict(zip(names, values, strict=True)))
    expected = polynomial_rotation(values, 2, range(3), 3, 4)
    assert np.allclose(matrix_of(bound), expected, atol=1e-10)


def test_gates_of_other_degree_or_order_are_not_equal() -> None:
    # One control: both degrees that two controls allow have other numbers of coefficients.
    coefficients = random_coefficients(2, 2)
    gate = QuantumNeuronGate(coefficients, 2, order=1, degree=2)
    assert gate == QuantumNeuronGate(coefficients, 2, order=1, degree=2)
    assert gate != QuantumNeuronGate(coefficients, 2, order=2, degree=2)
    assert PolynomialRYGate(coefficients, 2, 2) != PolynomialRYGate(coefficients[::-1], 2, 2)


@pytest.mark.parametrize(("length", "error"), [(3, 4.4e-2), (5, 6.4e-3), (7, 9.7e-4)])
def test_an_amplified_circuit_is_the_neuron_to_within_its_error(length: int, error: float) -> None:
    coefficients = random_coefficients(2, 2)
    gate = QuantumNeuronGate(coefficients, 2, order=1, degree=2)
    circuit = amplified_circuit(gate, Amplified(length))
    block = matrix_of(circuit)[::4, ::4]
    difference = block - neuron_matrix(coefficients, 2, 2, 1)
    # The polynomial is scaled to stay below 1: it is off by up to twice its error.
    assert 0 < np.linalg.norm(difference, 2) <= 2 * error


def test_an_amplification_may_be_named() -> None:
    gate = QuantumNeuronGate(random_coefficients(2, 2), 2, order=1, degree=2)
    assert amplified_circuit(gate, "amplified,length=3") == amplified_circuit(gate, Amplified(3))


def test_an_expression_whose_parameters_are_bound_is_a_number() -> None:
    angle = Parameter("a")
    gate = QuantumNeuronGate([(angle + 1).bind({angle: 0.5}), 0.2], 1, order=1, degree=1)
    assert gate == QuantumNeuronGate([1.5, 0.2], 1, order=1, degree=1)


@pytest.mark.parametrize(
    ("realisation", "registers", "operations"),
    [
        ("postselect", ["control", "target", "ancilla", "flag"], {"measure"}),
        (
            "repeat_until_success",
            ["control", "target", "ancilla", "attempt", "flag"],
            {"measure", "if_else"},
        ),
        ("amplified", ["control", "target", "ancilla"], {"reset"}),
        ("multiplexed", ["control", "target"], set()),
    ],
)
def test_circuits_of_a_neuron_have_named_registers(
    realisation: str, registers: list[str], operations: set[str]
) -> None:
    assert realisation in REALISATIONS.names()
    circuit = quantum_neuron_circuit(
        random_coefficients(2, 2),
        2,
        realisation,
        order=1,
    )
    assert [register.name for register in circuit.qregs + circuit.cregs] == registers
    assert set(circuit.count_ops()) & {"measure", "if_else", "reset"} == operations
    host = QuantumCircuit(8, 3)
    host.compose(circuit, range(circuit.num_qubits), range(circuit.num_clbits), inplace=True)
    assert host.count_ops() == circuit.count_ops()


@pytest.mark.parametrize("realisation", REALISATIONS.names())
def test_of_order_0_the_circuit_of_every_realisation_is_the_rotation(realisation: str) -> None:
    coefficients = random_coefficients(3, 2)
    expected = polynomial_rotation(coefficients, 2, range(3), 3, 4)
    circuit = quantum_neuron_circuit(coefficients, 3, realisation, order=0)
    assert [register.name for register in circuit.qregs + circuit.cregs] == ["control", "target"]
    assert np.allclose(matrix_of(circuit), expected, atol=1e-10)
    gate = QuantumNeuronGate(coefficients, 3, order=0)
    assert circuit.count_ops()["cx"] == gate.definition.count_ops()["cx"]


def test_bad_arguments_are_rejected() -> None:
    with pytest.raises(ValueError, match="num_controls must be at least 1, got 0"):
        PolynomialRYGate([0.1], 0, 1)
    with pytest.raises(ValueError, match=r"degree must be between 1 and .* controls \(2\), got 3"):
        PolynomialRYGate([0.1] * 4, 2, 3)
    with pytest.raises(ValueError, match=r"coefficients must be 3 for 2 controls .* got 4"):
        QuantumNeuronGate([0.1] * 4, 2, degree=1)
    with pytest.raises(TypeError, match=r"num_controls must be an integer, got 1\.0"):
        PolynomialRYGate([0.1, 0.2], 1.0, 1)  # type: ignore[arg-type]
    for gate in (PolynomialRYGate, QuantumNeuronGate):
        with pytest.raises(ValueError, match="coefficients must be finite, got nan"):
            gate([0.1, float("nan")], 1, degree=1)
        with pytest.raises(TypeError, match="must be numbers or Qiskit parameters, got 'a'"):
            gate([0.1, "a"], 1, degree=1)  # type: ignore[list-item]
        with pytest.raises(TypeError, match=r"must be a list, .* got 0\.1"):
            gate(0.1, 1, degree=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be numbers, got a Qiskit parameter"):
        QuantumNeuronGate([Parameter("a"), 0.1], 1, degree=1)
    with pytest.raises(TypeError, match="must be numbers, got a Qiskit parameter"):
        quantum_neuron_circuit([Parameter("a"), 0.1], 1, "postselect", degree=1)
    with pytest.raises(ValueError, match="method must be 'parity' or 'textbook', got 'fast'"):
        PolynomialRYGate([0.1, 0.2], 1, 1).synthesised("fast")
    with pytest.raises(ValueError, match=r"length must be odd, .* got 4"):
        amplified_circuit(QuantumNeuronGate([0.1, 0.2], 1, order=1, degree=1), Amplified(4))
    with pytest.raises(TypeError, match="gate must be a QuantumNeuronGate, got a PolynomialRYGate"):
        amplified_circuit(PolynomialRYGate([0.1, 0.2], 1, 1))
    with pytest.raises(TypeError, match="realisation must be a Amplified, got a Multiplexed"):
        amplified_circuit(QuantumNeuronGate([0.1, 0.2], 1, degree=1), "multiplexed")
    assert QuantumNeuronGate([0.1] * 12, 11, order=0, degree=1).definition.num_qubits == 12
    wide = QuantumNeuronGate([0.1] * 12, 11, order=1, degree=1)
    with pytest.raises(ValueError, match="takes at most 10 controls"):
        wide.definition  # noqa: B018
