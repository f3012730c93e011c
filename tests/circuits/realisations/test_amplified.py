from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import Amplified
from qrnn_circuits.synthesis import open_walk, parities_up_to
from tests import dense
from tests.branches import system_branches

Draw = Callable[..., NDArray[np.float64]]

# Controls, degree, order.
SIZES = [(1, 1, 1), (2, 2, 1), (3, 2, 1), (4, 2, 1), (2, 2, 2), (3, 1, 2)]


@pytest.mark.parametrize("length", [3, 5, 7])
@pytest.mark.parametrize(("controls", "degree", "order"), SIZES)
def test_it_is_the_unitary_neuron_within_its_error_phases_of_controls_included(
    controls: int, degree: int, order: int, length: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    for inverse in (False, True):
        neuron = NeuronOperation(
            coefficients,
            range(controls + 2 + order),
            order,
            degree,
            Amplified(length),
            inverse=inverse,
        )
        expected = dense.last_neuron(
            coefficients, degree, controls, order, "unitary", inverse=inverse
        )
        blocks = system_branches(neuron, controls + 1)
        success = max(blocks, key=lambda block: float(np.linalg.norm(block)))
        assert np.linalg.norm(success - expected, 2) < Amplified(length).error(order) + 1e-5
        assert np.abs(success.imag).max() < 1e-10
        # Nothing is postselected: the branches are a whole channel.
        whole = sum(block.conj().T @ block for block in blocks)
        np.testing.assert_allclose(whole, np.eye(len(expected)), rtol=0, atol=1e-10)


def test_errors_are_those_of_the_best_polynomials() -> None:
    for length, error in {3: 4.4e-2, 5: 6.4e-3, 7: 9.6e-4}.items():
        realisation = Amplified(length)
        assert realisation.error(1) == pytest.approx(error, rel=0.02)
        assert realisation.error(2) == 2 * realisation.error(1)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_error_of_every_angle_is_within_the_bound(order: int) -> None:
    worst = 0.0
    for angle in np.linspace(-np.pi, np.pi, 25):
        # No monomial but the bias: a neuron that does not depend on its control.
        neuron = NeuronOperation(np.array([angle, 0.0]), range(3 + order), order, 1, Amplified(3))
        expected = dense.neuron([angle, 0.0], 1, [0], 1, order, "unitary")
        blocks = system_branches(neuron, 2)
        success = max(blocks, key=lambda block: float(np.linalg.norm(block)))
        worst = max(worst, float(np.linalg.norm(success - expected, 2)))
    assert worst < Amplified(3).error(order) + 1e-5
    # The bound says something: the error is not far below it.
    assert worst > Amplified(3).error(1) / 2


@pytest.mark.parametrize(("length", "order"), [(3, 1), (7, 1), (3, 2)])
def test_its_gates_are_counted(length: int, order: int, draw_coefficients: Draw) -> None:
    neuron = NeuronOperation(draw_coefficients(3, 2), range(5 + order), order, 2, Amplified(length))
    operations = neuron.decomposition()
    rotations = (2 * length) ** order
    walk = open_walk(3, parities_up_to(3, 2), rotations=rotations)
    # Controlled rotations by pi of every level, and the phases of both signs between circuits.
    turns = sum(length * (2 * length) ** level for level in range(order))
    expected = walk.total_two_qubit_gates(rotations) + turns + 2 * (length - 1)
    assert sum(len(gate.wires) == 2 for gate in operations) == expected
    measured = [gate for gate in operations if isinstance(gate, qml.ops.MidMeasure)]
    assert len(measured) == order + 1
    assert all(gate.reset and gate.postselect is None for gate in measured)
