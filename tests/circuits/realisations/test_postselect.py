from collections.abc import Callable
from functools import partial

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations.postselect import Postselect, textbook_neuron
from qrnn_circuits.synthesis import open_walk, parities_up_to
from tests import dense
from tests.branches import system_branches

Draw = Callable[..., NDArray[np.float64]]

# Controls, degree, order. With 3 controls, degree 1, order 2 and with 4 controls the walks share
# CNOTs between controls.
SIZES = [(1, 1, 1), (2, 1, 1), (2, 2, 2), (3, 1, 2), (3, 2, 1), (3, 2, 2), (4, 2, 2), (2, 1, 3)]


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("controls", "degree", "order"), SIZES)
def test_the_block_is_that_of_the_dense_neuron(
    controls: int, degree: int, order: int, inverse: bool, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    neuron = NeuronOperation(
        coefficients, range(controls + 1 + order), order, degree, "postselect", inverse=inverse
    )
    (block,) = system_branches(neuron, controls + 1)
    expected = dense.last_neuron(
        coefficients, degree, controls, order, "postselected", inverse=inverse
    )
    np.testing.assert_allclose(block, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("controls", "degree", "order"), SIZES)
def test_it_takes_the_gates_of_the_open_walks_and_one_for_each_measurement(
    controls: int, degree: int, order: int, draw_coefficients: Draw
) -> None:
    neuron = NeuronOperation(
        draw_coefficients(controls, degree),
        range(controls + 1 + order),
        order,
        degree,
        "postselect",
    )
    operations = neuron.decomposition()
    measured = [gate for gate in operations if isinstance(gate, qml.ops.MidMeasure)]
    assert len(measured) == 2**order - 1
    assert {gate.postselect for gate in measured} == {0}
    walk = open_walk(controls, parities_up_to(controls, degree), rotations=2**order)
    two_qubit_gates = sum(len(gate.wires) == 2 for gate in operations)
    assert two_qubit_gates == walk.total_two_qubit_gates(2**order) + 2**order - 1
    if order == 1:
        assert two_qubit_gates == 2 * walk.two_qubit_gates + 1


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("controls", "degree", "order"), [(2, 2, 2), (3, 2, 1)])
def test_the_textbook_circuit_is_the_same_neuron(
    controls: int, degree: int, order: int, inverse: bool, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    ancillas = range(controls + 1, controls + 1 + order)
    state = np.random.default_rng(1).normal(size=2 ** (controls + 1))
    state /= np.linalg.norm(state)

    def circuit(build: Callable[..., None]) -> qml.measurements.ProbabilityMP:
        qml.StatePrep(state, wires=range(controls + 1))
        build(coefficients, range(controls), controls, ancillas, degree=degree, inverse=inverse)
        for wire in range(controls + 1):
            qml.RY(0.3, wires=wire)
        return qml.probs(wires=range(controls + 1))

    qnode = qml.QNode(circuit, qml.device("default.qubit"), mcm_method="tree-traversal")
    expected = qnode(partial(Postselect().queue, order=order))
    np.testing.assert_allclose(qnode(textbook_neuron), expected, rtol=0, atol=1e-12)
    tape = qml.tape.make_qscript(textbook_neuron)(
        coefficients, range(controls), controls, ancillas, degree=degree
    )
    controlled = [gate for gate in tape.operations if len(gate.wires) > 1]
    assert len(controlled) == 2**order * (len(coefficients) - 1) + 2**order - 1
