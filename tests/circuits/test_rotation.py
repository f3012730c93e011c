from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray

from qrnn_circuits import BooleanPolynomial
from qrnn_circuits.circuits.rotation import (
    PolynomialRY,
    parity_network_decomposition,
    textbook_decomposition,
)
from qrnn_circuits.synthesis import closed_walk, parities_up_to
from tests import dense
from tests.branches import branches

Draw = Callable[..., NDArray[np.float64]]

# Controls and degree.
SIZES = [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (4, 2), (5, 2)]


def reference(coefficients: NDArray[np.float64], controls: int, degree: int) -> dense.Matrix:
    return dense.polynomial_rotation(
        list(coefficients), degree, range(controls), controls, controls + 1
    )


@pytest.mark.parametrize(("controls", "degree"), SIZES)
def test_its_matrix_and_its_parity_network_are_the_rotation(
    controls: int, degree: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    operation = PolynomialRY(coefficients, range(controls + 1), degree)
    expected = reference(coefficients, controls, degree)
    np.testing.assert_allclose(operation.matrix(), expected, rtol=0, atol=1e-12)
    (branch,) = branches(operation.decomposition(), operation.wires, np.eye(2 ** (controls + 1)))
    network = branch.operator.reshape(expected.shape)
    np.testing.assert_allclose(network, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("controls", "degree"), SIZES)
def test_its_parity_network_is_one_short_walk(
    controls: int, degree: int, draw_coefficients: Draw
) -> None:
    operation = PolynomialRY(draw_coefficients(controls, degree), range(controls + 1), degree)
    names = [gate.name for gate in operation.decomposition()]
    parities = parities_up_to(controls, degree)
    assert names.count("RY") == len(parities)
    assert names.count("CNOT") == closed_walk(controls, parities).two_qubit_gates
    assert set(names) == {"RY", "CNOT"}


@pytest.mark.parametrize(("controls", "degree"), SIZES)
def test_the_textbook_circuit_is_one_controlled_rotation_for_each_monomial(
    controls: int, degree: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    gates = PolynomialRY.textbook_decomposition(coefficients, range(controls + 1), degree)
    assert len(gates) == len(coefficients)
    matrix = qml.matrix(qml.tape.QuantumScript(gates), wire_order=range(controls + 1))
    expected = reference(coefficients, controls, degree)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


def test_a_batch_is_its_samples_one_by_one(draw_coefficients: Draw) -> None:
    coefficients = draw_coefficients(3, 2, batch=4)
    operation = PolynomialRY(coefficients, range(4), 2)
    assert operation.batch_size == 4
    network = qml.matrix(qml.tape.QuantumScript(operation.decomposition()), wire_order=range(4))
    for sample, matrix, circuit in zip(coefficients, operation.matrix(), network, strict=True):
        expected = reference(sample, 3, 2)
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(circuit, expected, rtol=0, atol=1e-12)


def test_adjoints_and_powers_scale_the_angle(draw_coefficients: Draw) -> None:
    coefficients = draw_coefficients(3, 2)
    operation = PolynomialRY(coefficients, ["a", "b", "c", "d"], 2)
    matrix = reference(coefficients, 3, 2)
    np.testing.assert_allclose(qml.matrix(qml.adjoint(operation)), matrix.T, rtol=0, atol=1e-12)
    (cubed,) = operation.pow(3)
    np.testing.assert_allclose(cubed.matrix(), matrix @ matrix @ matrix, rtol=0, atol=1e-12)
    assert isinstance(operation.adjoint(), PolynomialRY)


def test_it_is_a_valid_pennylane_operation(draw_coefficients: Draw) -> None:
    for controls, degree in [(1, 1), (3, 2)]:
        operation = PolynomialRY(draw_coefficients(controls, degree), range(controls + 1), degree)
        qml.ops.functions.assert_valid(operation)


def test_its_monomials_are_those_of_the_torch_polynomial() -> None:
    polynomial = BooleanPolynomial(3, 2)
    coefficients = torch.randn(
        polynomial.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    matrix = PolynomialRY(coefficients, range(4), 2).matrix()
    half = polynomial.table(coefficients) / 2
    # Column 2x: the target in 0, control pattern x.
    assert torch.allclose(matrix[::2, ::2].diagonal(), half.cos(), rtol=0, atol=1e-12)
    assert torch.allclose(matrix[1::2, ::2].diagonal(), half.sin(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("circuit", ["matrix", "network"])
def test_gradients_of_torch_coefficients_are_right(circuit: str, draw_coefficients: Draw) -> None:
    start = torch.tensor(draw_coefficients(2, 2), requires_grad=True)

    def first_column(coefficients: torch.Tensor) -> torch.Tensor:
        operation = PolynomialRY(coefficients, range(3), 2)
        script = qml.tape.QuantumScript(operation.decomposition())
        matrix: torch.Tensor = (
            operation.matrix()
            if circuit == "matrix"
            else qml.matrix(script, wire_order=range(3)).real
        )
        return matrix

    assert torch.autograd.gradcheck(first_column, (start,))


def test_single_precision_coefficients_keep_their_type() -> None:
    operation = PolynomialRY(torch.ones(4, dtype=torch.float32), range(3), 2)
    angles = [gate.data[0] for gate in operation.decomposition() if gate.name == "RY"]
    assert {angle.dtype for angle in angles} == {torch.float32}


@pytest.mark.usefixtures("graph_decomposition")
def test_the_decomposition_system_prefers_the_network_and_can_be_told_otherwise(
    draw_coefficients: Draw,
) -> None:
    operation = PolynomialRY(draw_coefficients(3, 2), range(4), 2)
    tape = qml.tape.QuantumScript([operation])
    rules = [parity_network_decomposition, textbook_decomposition]
    assert list(qml.list_decomps(PolynomialRY)) == rules
    [network], _ = qml.transforms.decompose(tape, gate_set={"RY", "CNOT"})
    assert [gate.name for gate in network.operations] == [
        gate.name for gate in operation.decomposition()
    ]
    [textbook], _ = qml.transforms.decompose(
        tape,
        gate_set={"RY", "CRY", "C(RY)"},
        fixed_decomps={PolynomialRY: textbook_decomposition},
    )
    assert len(textbook.operations) == 7


@pytest.mark.parametrize(
    ("shape", "wires", "degree", "message"),
    [
        ((3,), 4, 2, r"coefficients must have shape \(7,\) or \(B, 7\).*got \(3,\)"),
        ((2, 2, 7), 4, 2, r"got \(2, 2, 7\)"),
        ((7,), 4, 0, r"degree must be between 1 and the number of controls \(3\), got 0"),
        ((7,), 4, 4, r"degree must be between 1 and the number of controls \(3\), got 4"),
        ((1,), 1, 1, r"the number of controls \(0\)"),
    ],
)
def test_coefficients_that_do_not_fit_are_refused(
    shape: tuple[int, ...], wires: int, degree: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PolynomialRY(np.zeros(shape), range(wires), degree)
