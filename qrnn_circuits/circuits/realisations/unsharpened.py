"""The neuron of order 0: the rotation by its polynomial, without anything that sharpens it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pennylane.typing import TensorLike

from qrnn_circuits.circuits.angles import Spectrum, polynomial_spectrum, select_angles
from qrnn_circuits.circuits.gate_lists import queue, walk_gates
from qrnn_circuits.circuits.realisations.base import Realisation
from qrnn_circuits.circuits.rotation import PolynomialRY
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.synthesis import Parity, closed_walk


@dataclass(frozen=True)
class Unsharpened(Realisation):
    """The rotation ``RY(phi(x))`` of the target itself, of order 0 only: exact, without ancillas.

    It has both semantics, which agree there, and stands in for every other realisation: see
    :func:`~qrnn_circuits.circuits.realisations.realisation_at`. It has no registered name.

    Example:
        >>> Unsharpened().ancillas(order=0), Unsharpened().measures
        (0, False)
    """

    semantics: ClassVar[Semantics] = "unitary"
    exact: ClassVar[bool] = True

    def check(self, *, order: int, controls: int) -> None:
        """Raises a ``ValueError`` where the neuron is to be sharpened."""
        super().check(order=order, controls=controls)
        if order > 0:
            raise ValueError(
                f"realisation {self.name!r} is for neurons of order 0, got order {order}: choose "
                "a realisation that sharpens"
            )

    def spectrum(
        self, coefficients: TensorLike, controls: int, *, order: int, degree: int
    ) -> Spectrum:
        """The parities of at most ``degree`` controls."""
        return polynomial_spectrum(coefficients, controls, degree)

    def queue(
        self,
        coefficients: TensorLike,
        controls: Sequence[Hashable],
        target: Hashable,
        ancillas: Sequence[Hashable],
        *,
        order: int,
        degree: int,
        inverse: bool = False,
        parities: Sequence[Parity] | None = None,
    ) -> None:
        """Queues the gates of a :class:`~qrnn_circuits.circuits.PolynomialRY`."""
        turned = -coefficients if inverse else coefficients
        if parities is None:
            PolynomialRY.compute_decomposition(turned, [*controls, target], degree)
            return
        every, angles = self.spectrum(turned, len(controls), order=order, degree=degree)
        walk = closed_walk(len(controls), parities, quick=True)
        queue(walk_gates(walk.steps, select_angles(angles, every, parities), controls, target))
