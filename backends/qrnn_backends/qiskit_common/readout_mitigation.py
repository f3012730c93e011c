"""Readout-error mitigation by M3: from the bits that were read to the bits before the errors."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.optional_packages import require_mthree

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class MitigationError(RuntimeError):
    """M3 gave up on a correction."""


def check_mitigation(mitigation: str | None, *, noisy: bool) -> None:
    """Checks what a user gives as a device's mitigation.

    Args:
        mitigation: What the user gave.
        noisy: Whether the device has readout errors.

    Raises:
        ImportError: If it needs mthree, and that is not installed.
        ValueError: If it is neither None nor ``"m3"``, or there is nothing to mitigate.
    """
    if mitigation is None:
        return
    if mitigation != "m3":
        raise ValueError(f"mitigation must be None or 'm3', got {mitigation!r}")
    if not noisy:
        raise ValueError(
            f"mitigation must be None without noise, got {mitigation!r}: there are no readout "
            "errors"
        )
    require_mthree()


def measured_qubits(circuit: "QuantumCircuit") -> list[int]:
    """The qubit that each classical bit is measured from; each bit is measured once."""
    qubits = {
        circuit.find_bit(instruction.clbits[0]).index: circuit.find_bit(instruction.qubits[0]).index
        for instruction in circuit.data
        if instruction.operation.name == "measure"
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


def quasi_probabilities(
    bits: NDArray[np.uint8], matrices: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Corrects the distribution of whole shots for readout errors.

    The method is M3 (Nation et al., PRX Quantum 2, 040326 (2021)), which inverts the errors among
    the patterns that were read; where all patterns were, that is the inverse of the whole matrix.

    Args:
        bits: The value of each classical bit in each shot, shape ``(shots, bits)``.
        matrices: The errors of each bit, as :func:`assignment_matrices` gives them.

    Returns:
        The patterns that were read, shape ``(patterns, bits)``, and the quasi-probability of each,
        shape ``(patterns,)``: some may be negative, and their sum is 1 to M3's precision.

    Raises:
        ImportError: If mthree is not installed.
        MitigationError: If M3 does not converge.
    """
    require_mthree()
    from mthree import M3Mitigation
    from mthree.exceptions import M3Error

    patterns, counts = np.unique(bits, axis=0, return_counts=True)
    # As in Qiskit, bit 0 comes last.
    texts = ["".join(map(str, pattern)) for pattern in patterns[:, ::-1]]
    mitigation = M3Mitigation()
    mitigation.cals_from_matrices(list(matrices))
    try:
        corrected = mitigation.apply_correction(
            dict(zip(texts, counts.tolist(), strict=True)),
            qubits=list(range(bits.shape[1])),
            # By default M3 takes more than three errors in a shot for impossible.
            distance=bits.shape[1],
            # Of the residual; by default of the size of the probabilities of 10,000 patterns.
            tol=1e-6,
        )
    except M3Error as error:
        raise MitigationError(
            f"M3 finds no correction for {len(patterns)} patterns of {bits.shape[1]} bits: "
            f"{error.message}"
        ) from error
    return patterns, np.array([corrected[text] for text in texts], dtype=np.float64)


def nearest_distribution(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distribution nearest to quasi-probabilities of sum 1, by Euclidean distance.

    It is unique, and the most probable one given normal errors (Smolin, Gambetta and Smith, Phys.
    Rev. Lett. 108, 070502 (2012)): all weights less one number, but at least 0.
    """
    descending = np.sort(weights)[::-1]
    surplus = (np.cumsum(descending) - 1) / np.arange(1, len(weights) + 1)
    threshold = surplus[descending > surplus][-1]
    nearest: NDArray[np.float64] = np.maximum(weights - threshold, 0.0)
    return nearest
