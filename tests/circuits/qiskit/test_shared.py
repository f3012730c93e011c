import numpy as np
import pennylane as qml
import pytest
from pennylane.ops import Conditional, MidMeasure

from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.basic import basic_operations
from qrnn_circuits.circuits.qiskit.shared import shared_operations
from qrnn_circuits.circuits.realisations import REALISATIONS, Realisation


def neuron(kind: Realisation, last: float = 0.7) -> NeuronOperation:
    wires = range(4 + kind.ancillas(2))
    return NeuronOperation(np.linspace(0.1, last, 7), wires, 2, 2, kind)


@pytest.mark.parametrize("realisation", REALISATIONS.names())
def test_repeated_neurons_have_the_gates_of_their_decompositions(realisation: str) -> None:
    kind = REALISATIONS.make(realisation)
    operations = [neuron(kind), qml.H(0), neuron(kind, 0.8), neuron(kind)]
    with qml.queuing.AnnotatedQueue() as queue:
        shared = shared_operations(operations)
    assert not queue.queue
    every = [gate for each in operations for gate in basic_operations(each)]
    assert len(shared) == len(every)
    measured: dict[str, str] = {}
    for one, other in zip(shared, every, strict=True):
        if isinstance(one, MidMeasure):
            # Each of a name of its own, which later conditions refer to.
            assert one.meas_uid not in measured
            measured[one.meas_uid] = other.meas_uid
            assert (one.wires, one.reset, one.postselect) == (
                other.wires,
                other.reset,
                other.postselect,
            )
        elif isinstance(one, Conditional):
            (bit,), (expected,) = one.meas_val.measurements, other.meas_val.measurements
            assert measured[bit.meas_uid] == expected.meas_uid
            assert [value for _, value in one.meas_val.items()] == [
                value for _, value in other.meas_val.items()
            ]
            qml.assert_equal(one.base, other.base)
        else:
            qml.assert_equal(one, other)


def test_only_neurons_that_are_equal_in_everything_share_their_gates() -> None:
    kind = REALISATIONS.make("multiplexed")
    one = neuron(kind)
    moved = NeuronOperation(one.data[0], [1, 0, 2, 3], 2, 2, kind)
    for other in (neuron(kind, 0.8), moved, one.adjoint()):
        first, second = np.split(np.array(shared_operations([one, other]), dtype=object), 2)
        assert not {*map(id, first)} & {*map(id, second)}
    first, second = np.split(np.array(shared_operations([one, neuron(kind)]), dtype=object), 2)
    assert [*map(id, first)] == [*map(id, second)]
