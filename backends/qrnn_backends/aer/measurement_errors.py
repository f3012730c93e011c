"""What a noise model of Aer's says of measurements."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qiskit_aer.noise import NoiseModel


class MeasurementErrors:
    """The errors of measurements that a noise model has.

    Attributes:
        of_state: Whether some are quantum errors, which change the state that is measured.
    """

    def __init__(self, noise_model: "NoiseModel | None") -> None:
        """Writes the model out, which takes seconds for a chip of a hundred qubits.

        Args:
            noise_model: The model; None has no errors.

        Raises:
            ValueError: If a readout error is of several qubits.
        """
        self.of_state = False
        self._everywhere: NDArray[np.float64] | None = None
        self._local: dict[int, NDArray[np.float64]] = {}
        for error in noise_model.to_dict()["errors"] if noise_model is not None else []:
            if error["type"] != "roerror":
                self.of_state = self.of_state or "measure" in error["operations"]
                continue
            table = np.asarray(error["probabilities"], dtype=np.float64)
            if len(table) > 2:
                # Aer measures one qubit at a time, and leaves such errors out.
                raise ValueError(
                    "readout errors of noise must be of one qubit each, got one of qubits "
                    f"{error['gate_qubits'][0]}"
                )
            if "gate_qubits" in error:
                self._local |= {qubit: table for (qubit,) in error["gate_qubits"]}
            else:
                self._everywhere = table

    def of_readout(self, qubits: Sequence[int]) -> list[NDArray[np.float64] | None]:
        """For each qubit the probability of each value read, given each value, if it has errors."""
        return [self._local.get(qubit, self._everywhere) for qubit in qubits]


def misread(
    probabilities: NDArray[np.float64], errors: Sequence[NDArray[np.float64] | None]
) -> NDArray[np.float64]:
    """What is read where qubits are misread.

    Args:
        probabilities: Of the qubits' values, with an axis for each, shape ``(2, ..., 2)``.
        errors: Those of each qubit, as :meth:`MeasurementErrors.of_readout` gives them.

    Returns:
        Probabilities of what is read, of the same shape.

    Example:
        >>> misread(np.array([0.0, 1.0]), [np.array([[0.9, 0.1], [0.2, 0.8]])])
        array([0.2, 0.8])
    """
    for axis, error in enumerate(errors):
        if error is not None:
            read = np.tensordot(error, probabilities, axes=(0, axis))
            probabilities = np.moveaxis(read, 0, axis)
    return probabilities
