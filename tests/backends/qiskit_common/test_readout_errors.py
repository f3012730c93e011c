import numpy as np
import pytest

pytest.importorskip("qiskit")

from qiskit import QuantumCircuit

from qrnn_backends.qiskit_common.readout_errors import assignment_matrices
from tests.backends.readout_errors import matrix


def test_errors_are_those_of_the_qubit_that_a_bit_is_measured_from() -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.measure([2, 0], [0, 1])
    circuit.reset(2)
    circuit.measure(2, 2)
    of_qubit = [matrix(0.01, 0.1), matrix(0.02, 0.2), matrix(0.03, 0.3)]
    matrices = assignment_matrices(circuit, of_qubit.__getitem__)
    np.testing.assert_array_equal(matrices, np.array(of_qubit)[[2, 0, 2]])


def test_conditions_on_bits_are_refused() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    with pytest.raises(ValueError, match=r"None for circuits with conditions.*'multiplexed' have"):
        assignment_matrices(circuit, lambda qubit: matrix(0.1, 0.1))


def test_a_bit_that_says_nothing_is_refused() -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    of_qubit = [matrix(0.1, 0.1), matrix(0.4, 0.6)]
    with pytest.raises(ValueError, match=r"bit 1 reads 0 with probability 0\.6 from a 0 and 0\.6 "):
        assignment_matrices(circuit, of_qubit.__getitem__)
