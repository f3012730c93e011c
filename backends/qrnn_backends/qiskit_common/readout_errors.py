"""The readout errors of a circuit's classical bits, from those of the qubits."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.circuits.qiskit.mid_circuit import plain_name

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def measured_qubits(circuit: "QuantumCircuit") -> list[int]:
    """The qubit that each classical bit is measured from; each bit is measured once."""
    qubits = {
        circuit.find_bit(instruction.clbits[0]).index: circuit.find_bit(instruction.qubits[0]).index
        for instruction in circuit.data
        if plain_name(instruction.operation.name) == "measure"
    }
    return [qubits[bit] for bit in range(circuit.num_clbits)]


def assignment_matrices(
    circuit: "QuantumCircuit", of_qubit: Callable[[int], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The readout errors of each classical bit of a circuit.

    A matrix belongs to a bit and not to a qubit, so that a qubit may be measured several times.

    Args:
        circuit: The circuit as it runs.
        of_qubit: The probability of each value read (row) given each value (column) of a qubit.

    Returns:
        These matrices for each bit, shape ``(bits, 2, 2)``.

    Raises:
        ValueError: If a gate depends on a bit, or a bit says nothing of its qubit.
    """
    if "if_else" in circuit.count_ops():
        raise ValueError(
            "mitigation must be None for circuits with conditions: a gate has acted on a bit as it "
            "was read, which no correction of the bits undoes. The realisations 'postselect', "
            "'amplified' and 'multiplexed' have no conditions"
        )
    matrices = np.array([of_qubit(qubit) for qubit in measured_qubits(circuit)])
    matrices = matrices.reshape(-1, 2, 2)
    for bit, matrix in enumerate(matrices):
        # The determinant: how much more often a value is read if it is there.
        if matrix[0, 0] - matrix[0, 1] <= 0:
            raise ValueError(
                f"mitigation must be None where a bit says nothing of its qubit: bit {bit} reads 0 "
                f"with probability {matrix[0, 0]:.3g} from a 0 and {matrix[0, 1]:.3g} from a 1"
            )
    return matrices
