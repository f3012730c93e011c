from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from qrnn_circuits.circuits.neuron import NeuronOperation
from tests import dense
from tests.branches import system_branches

Draw = Callable[..., NDArray[np.float64]]

SIZES = [(1, 1, 1), (2, 1, 2), (2, 2, 1), (3, 2, 2), (4, 2, 3)]


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("controls", "degree", "order"), SIZES)
def test_it_is_the_unitary_neuron_with_a_gate_for_each_pattern(
    controls: int, degree: int, order: int, inverse: bool, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    neuron = NeuronOperation(
        coefficients, range(controls + 1), order, degree, "multiplexed", inverse=inverse
    )
    expected = dense.last_neuron(coefficients, degree, controls, order, "unitary", inverse=inverse)
    (block,) = system_branches(neuron, controls + 1)
    np.testing.assert_allclose(block, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(neuron.matrix(), expected, rtol=0, atol=1e-12)
    names = [gate.name for gate in neuron.decomposition()]
    assert names.count("CNOT") == names.count("RY") == 2**controls
    assert len(names) == 2 * 2**controls
