from collections.abc import Callable
from itertools import pairwise
from math import pi

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray

from qrnn_circuits.circuits.angles import angle_table
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import RepeatUntilSuccess
from tests import dense
from tests.branches import Operator, system_branches

Draw = Callable[..., NDArray[np.float64]]

# Controls, degree, order, attempts.
SIZES = [
    (1, 1, 1, 1),
    (2, 1, 1, 3),
    (2, 2, 2, 1),
    (2, 2, 2, 2),
    (3, 1, 2, 2),
    (3, 2, 1, 5),
    (4, 2, 1, 3),
    (1, 1, 2, 3),
]


def factors(block: Operator, unitary: dense.Matrix) -> Operator:
    """The factor of each control pattern by which a block differs from the unitary neuron."""
    quotient = block @ unitary.T
    diagonal = np.diag(quotient)
    np.testing.assert_allclose(quotient, np.diag(diagonal), rtol=0, atol=1e-12)
    np.testing.assert_allclose(diagonal[::2], diagonal[1::2], rtol=0, atol=1e-12)
    return diagonal[::2]


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("controls", "degree", "order", "attempts"), SIZES)
def test_it_is_exact_on_basis_states_and_decoheres_superpositions_as_predicted(
    controls: int, degree: int, order: int, attempts: int, inverse: bool, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    neuron = NeuronOperation(
        coefficients,
        range(controls + 1 + order),
        order,
        degree,
        RepeatUntilSuccess(attempts),
        inverse=inverse,
    )
    unitary = dense.last_neuron(coefficients, degree, controls, order, "unitary", inverse=inverse)
    histories = [factors(block, unitary) for block in system_branches(neuron, controls + 1)]
    measured = sum(np.outer(history, history.conj()) for history in histories)
    angles = angle_table(coefficients, controls, degree)
    expected = RepeatUntilSuccess(attempts).coherence(angles, order)
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_its_infidelity_is_that_of_the_simulated_states(
    order: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(2, 2)
    neuron = NeuronOperation(coefficients, range(3 + order), order, 2, RepeatUntilSuccess(3))
    start = np.kron(np.full(4, 0.5), [np.cos(0.4), np.sin(0.4)])
    ideal = dense.last_neuron(coefficients, 2, 2, order, "unitary") @ start
    states = [block @ start for block in system_branches(neuron, 3)]
    fidelity = sum(float(abs(ideal @ state)) ** 2 for state in states)
    success = sum(float(np.linalg.norm(state)) ** 2 for state in states)
    angles = angle_table(coefficients, 2, 2)
    infidelity = RepeatUntilSuccess(3).superposition_infidelity(angles, order)
    assert abs(infidelity - (1 - fidelity / success)) < 1e-12
    assert infidelity > 1e-3


def test_equal_angles_do_not_decohere_and_more_attempts_succeed_more_often() -> None:
    assert abs(RepeatUntilSuccess(3).superposition_infidelity(np.full(8, 1.1), 2)) < 1e-12
    angles = np.array([0.3, 1.4, pi / 2])
    successes = [
        RepeatUntilSuccess(attempts).coherence(angles, 2).diagonal() for attempts in (1, 2, 3, 40)
    ]
    for fewer, more in pairwise(successes):
        assert (fewer < more).all()
    np.testing.assert_allclose(successes[-1], 1, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("order", "attempts"), [(1, 3), (2, 2)])
def test_the_circuit_is_flat(order: int, attempts: int, draw_coefficients: Draw) -> None:
    neuron = NeuronOperation(
        draw_coefficients(2, 2),
        range(3 + order),
        order,
        2,
        RepeatUntilSuccess(attempts),
    )
    measured: list[str] = []
    for operation in neuron.decomposition():
        if isinstance(operation, qml.ops.MidMeasure):
            measured.append(operation.meas_uid)
        elif isinstance(operation, qml.ops.Conditional):
            assert not isinstance(operation.base, qml.ops.MidMeasure | qml.ops.Conditional)
            (condition,) = operation.meas_val.measurements
            assert condition.meas_uid in measured
            assert condition.postselect is None
    if order == 1:
        assert len(measured) == attempts
    else:
        assert len(measured) == attempts * (2 * attempts + 1)


def test_only_last_attempts_are_postselected(draw_coefficients: Draw) -> None:
    neuron = NeuronOperation(draw_coefficients(2, 2), range(4), 1, 2, RepeatUntilSuccess(3))
    measured = [gate for gate in neuron.decomposition() if isinstance(gate, qml.ops.MidMeasure)]
    assert [gate.postselect for gate in measured] == [None, None, 0]
    assert not any(gate.reset for gate in measured)
