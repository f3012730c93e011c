from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qrnn_circuits import BooleanPolynomial
from qrnn_circuits import QuantumNeuron as TorchNeuron
from qrnn_circuits.circuits.angles import (
    activation_table,
    angle_table,
    coefficient_count,
    multiplexed_matrix,
    parity_angles,
    table_parity_angles,
)
from qrnn_circuits.synthesis import parities_up_to
from tests import dense

Draw = Callable[..., NDArray[np.float64]]


def signs(controls: int, degree: int) -> NDArray[np.float64]:
    """``(-1)**(sum of x_i for i in S)``, shape ``(2**m, P)``, by the definition."""
    rows = []
    for pattern in range(2**controls):
        bits = [pattern >> (controls - 1 - wire) & 1 for wire in range(controls)]
        parities = parities_up_to(controls, degree)
        rows.append([(-1.0) ** sum(bits[wire] for wire in parity) for parity in parities])
    return np.array(rows)


@pytest.mark.parametrize(("controls", "degree"), [(1, 1), (2, 2), (3, 2), (4, 3)])
def test_parity_angles_add_up_to_the_polynomial(
    controls: int, degree: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    polynomial = BooleanPolynomial(controls, degree)
    assert polynomial.size == coefficient_count(controls, degree)
    table = polynomial.table(torch.tensor(coefficients)).numpy()
    np.testing.assert_allclose(angle_table(coefficients, controls, degree), table, atol=1e-12)
    angles = parity_angles(coefficients, controls, degree)
    np.testing.assert_allclose(signs(controls, degree) @ angles, table, rtol=0, atol=1e-12)


@pytest.mark.parametrize("controls", [1, 2, 4])
def test_angles_of_all_parities_add_up_to_any_table(controls: int) -> None:
    table = np.random.default_rng(0).normal(size=(3, 2**controls))
    angles = table_parity_angles(table, controls)
    np.testing.assert_allclose(angles @ signs(controls, controls).T, table, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 6])
def test_the_activation_is_that_of_the_torch_neuron(order: int, draw_coefficients: Draw) -> None:
    neuron = TorchNeuron(3, order=order, degree=2, dtype=torch.float64)
    with torch.no_grad():
        neuron.coefficients.copy_(torch.tensor(draw_coefficients(3, 2)))
        expected = neuron.activation()
        table = activation_table(neuron.coefficients, 3, 2, order)
    assert torch.allclose(table, expected, rtol=0, atol=1e-12)


def test_matrices_of_a_batch_hold_one_rotation_for_each_pattern() -> None:
    tables = np.random.default_rng(0).normal(size=(2, 4))
    for table, matrix in zip(tables, multiplexed_matrix(tables), strict=True):
        for pattern, angle in enumerate(table):
            block = slice(2 * pattern, 2 * pattern + 2)
            np.testing.assert_allclose(matrix[block, block], dense.rotation(angle), atol=1e-15)
            matrix[block, block] = 0
        assert not matrix.any()
