"""Readout-error mitigation by M3."""

import numpy as np
from numpy.typing import NDArray

from qrnn_backends.mitigation import Mitigation, MitigationError, QuasiProbabilities
from qrnn_circuits.optional_packages import require_modules


class M3(Mitigation):
    """M3 (Nation et al., PRX Quantum 2, 040326 (2021)), by IBM's package mthree.

    It inverts the errors among the patterns that were read; where all patterns were, that is the
    inverse of the whole matrix.

    Example:
        >>> errors = np.array([[[0.9, 0.2], [0.1, 0.8]]])
        >>> bits = np.array([[0]] * 76 + [[1]] * 24, dtype=np.uint8)
        >>> M3().corrected(bits, errors)[1].round(3)
        array([0.8, 0.2])
    """

    name = "m3"

    def __init__(self) -> None:
        """Checks that mthree is installed.

        Raises:
            ImportError: If it is not, with the command that installs it.
        """
        require_modules("mthree")

    def corrected(
        self, bits: NDArray[np.uint8], matrices: NDArray[np.float64]
    ) -> QuasiProbabilities:
        """Corrects the distribution of whole shots.

        Args:
            bits: The value of each classical bit in each shot, shape ``(shots, bits)``.
            matrices: The errors of each bit, shape ``(bits, 2, 2)``.

        Returns:
            The patterns that were read, shape ``(patterns, bits)``, and the quasi-probability of
            each, shape ``(patterns,)``: their sum is 1 to M3's precision.

        Raises:
            MitigationError: If M3 does not converge.
        """
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
