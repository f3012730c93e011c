"""Readout-error mitigation: from the bits that were read to the bits before the errors."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.registry import Registry

QuasiProbabilities: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.float64]]
"""Patterns of bits, shape ``(patterns, bits)``, and their quasi-probabilities, ``(patterns,)``."""

Correction: TypeAlias = Callable[[NDArray[np.uint8]], QuasiProbabilities]
"""Takes the value of each classical bit in each shot, shape ``(shots, bits)``."""


class MitigationError(RuntimeError):
    """A method gave up on a correction."""


class Mitigation(ABC):
    """A method that corrects the distribution of whole shots for readout errors.

    Example:
        A method for few bits, which inverts the matrix of all patterns. Devices take the object, or
        ``"inversion"`` after ``register_mitigation("inversion", Inversion)``:

        >>> from functools import reduce
        >>> class Inversion(Mitigation):
        ...     def corrected(self, bits, matrices):
        ...         size = bits.shape[1]
        ...         numbers = bits @ (1 << np.arange(size)[::-1])
        ...         shares = np.bincount(numbers, minlength=2**size) / len(bits)
        ...         patterns = np.indices((2,) * size).reshape(size, -1).T
        ...         return patterns, np.linalg.solve(reduce(np.kron, matrices), shares)
        >>> errors = np.array([[[0.9, 0.2], [0.1, 0.8]]])
        >>> bits = np.array([[0]] * 76 + [[1]] * 24)
        >>> Inversion().corrected(bits, errors)[1].round(6)
        array([0.8, 0.2])
    """

    @property
    def name(self) -> str:
        """By which the results of a recorded job find the method again, in any process.

        By default where its class is imported from; a method with options has to override it.
        """
        return f"{type(self).__module__}:{type(self).__qualname__}"

    @abstractmethod
    def corrected(
        self, bits: NDArray[np.uint8], matrices: NDArray[np.float64]
    ) -> QuasiProbabilities:
        """Corrects the distribution of whole shots.

        Args:
            bits: The value of each classical bit in each shot, shape ``(shots, bits)``.
            matrices: The probability of each value read (row) given each value (column) of a bit,
                shape ``(bits, 2, 2)``.

        Returns:
            Patterns of bits, each once, and the quasi-probability of each: some may be negative,
            and their sum is 1.

        Raises:
            MitigationError: If the method gives up.
        """


_mitigations = Registry[Mitigation]("mitigation", "qrnn_backends.mitigations", Mitigation)
register_mitigation = _mitigations.register
_mitigations.register("m3", "qrnn_backends.m3:M3")


def resolve_mitigation(given: Mitigation | str) -> Mitigation:
    """The method that a user names, or gives as it is.

    Args:
        given: ``"m3"``; a name that was registered by ``register_mitigation``, or by an installed
            package as an entry point of the group ``qrnn_backends.mitigations``;
            ``"module:attribute"``; or the object.

    Raises:
        ImportError: If the method needs a package that is not installed.
        TypeError: If it is neither a name nor an object.
        ValueError: If there is no such method.
    """
    return _mitigations.resolve(given)


def check_mitigation(given: Mitigation | str | None, *, noisy: bool) -> Mitigation | None:
    """Checks what a user gives as a device's mitigation.

    Args:
        given: What the user gave.
        noisy: Whether the device has readout errors.

    Returns:
        The method, or None if there is to be none.

    Raises:
        ImportError: If it needs a package that is not installed.
        TypeError: If it is neither None nor a name nor a method.
        ValueError: If there is no such method, or there is nothing to mitigate.
    """
    if given is None:
        return None
    mitigation = resolve_mitigation(given)
    if not noisy:
        raise ValueError(
            f"mitigation must be None without noise, got {given!r}: there are no readout errors"
        )
    return mitigation


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
