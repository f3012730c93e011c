from collections.abc import Callable

import numpy as np
import pennylane as qml
import pytest

from qrnn_backends.torch.acceptance import acceptance, predicted_share
from qrnn_circuits import QRNN
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import RepeatUntilSuccess
from qrnn_circuits.circuits.sequence import compile_circuit
from tests.dense import DenseCell


@pytest.mark.parametrize("decomposed", [False, True])
def test_acceptance_is_that_of_the_dense_cell(
    decomposed: bool,
    make_model: Callable[..., QRNN],
    dense_cell: Callable[[QRNN], DenseCell],
) -> None:
    model = make_model(lane=1, workspace=1, stages=1, order=2, degree=1)
    tape = compile_circuit(model, [1, 0, 1], [0, 1, 1]).tape
    if decomposed:
        (tape,), _ = qml.transforms.decompose(
            tape, stopping_condition=lambda operator: not isinstance(operator, NeuronOperation)
        )
    _, expected, _ = dense_cell(model).run([1, 0, 1], [0, 1, 1])
    assert acceptance(tape) == pytest.approx(expected)


def test_acceptance_of_repeating_until_success_is_its_closed_form() -> None:
    coefficients = np.array([1.3, 0.5, -0.9])
    neuron = NeuronOperation(
        coefficients, range(5), order=2, degree=1, realisation=RepeatUntilSuccess(3)
    )
    gates = [qml.Hadamard(0), qml.Hadamard(1), neuron]
    angles = coefficients @ [[1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1]]
    expected = RepeatUntilSuccess(3).coherence(angles, order=2).diagonal().mean()
    assert acceptance(qml.tape.QuantumScript(gates)) == pytest.approx(expected)


def test_a_share_is_predicted_where_that_takes_no_time() -> None:
    def halves(wires: int) -> qml.tape.QuantumScript:
        gates = [qml.Hadamard(wire) for wire in range(wires)]
        return qml.tape.QuantumScript([*gates, qml.ops.MidMeasure(0, postselect=0)])

    assert predicted_share(halves(12)) == pytest.approx(0.5)
    assert predicted_share(halves(13)) is None
