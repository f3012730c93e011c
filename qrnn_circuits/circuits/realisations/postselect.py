"""The neuron of postselected semantics, exact: kept where its measured ancillas read 0."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import pi
from typing import ClassVar, Literal

import pennylane as qml
from pennylane.typing import TensorLike

from qrnn_circuits.circuits.angles import Spectrum, polynomial_spectrum
from qrnn_circuits.circuits.gate_lists import Gates, inverse_gates, queue
from qrnn_circuits.circuits.realisations.ancilla_rotation import AncillaRotation, ancilla_rotation
from qrnn_circuits.circuits.realisations.base import Realisation
from qrnn_circuits.circuits.realisations.controlled_pi import controlled_pi
from qrnn_circuits.circuits.rotation import PolynomialRY
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.synthesis import Parity


@dataclass(frozen=True)
class Postselect(Realisation):
    """Every ancilla is measured and postselected on 0: the postselected block, exactly.

    Order k is the order k - 1 circuit onto the next ancilla, a controlled ``RY(pi)`` from there
    onto the target, and the inverse of the order k - 1 circuit: 2**k - 1 measurements in all
    (Bausch, arXiv:2006.14619, figure 1). On the target it applies the block of
    :func:`qrnn_circuits.neuron.block_amplitudes`, not normalised.

    Example:
        >>> Postselect().ancillas(order=2), Postselect().rotations(order=2)
        (2, 4)
    """

    name: ClassVar[str] = "postselect"
    semantics: ClassVar[Semantics] = "postselected"
    exact: ClassVar[bool] = True
    postselects: ClassVar[bool] = True
    measures: ClassVar[bool] = True
    ancilla_label: ClassVar[str] = "post-\nselect"

    def ancillas(self, order: int) -> int:
        """One for each order."""
        return order

    def rotations(self, order: int) -> int:
        """Forward and backward at each order."""
        return int(2**order)

    def spectrum(
        self, coefficients: TensorLike, controls: int, *, order: int, degree: int
    ) -> Spectrum:
        """The parities of the polynomial."""
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
        """Queues the rotations, the turns between them and the measurements."""
        if parities is not None and not parities:
            return  # Ancillas that nothing rotates stay 0 and turn nothing.
        rotation = ancilla_rotation(
            coefficients, controls, ancillas[0], degree, self.rotations(order), parities
        )

        def turn(control: Hashable, onto: Hashable, backward: bool) -> Gates:
            axis: Literal["X", "Y"] = "Y" if onto == target else "X"
            return controlled_pi(control, onto, inverse=backward, axis=axis)

        queue(rotation.mixing)
        _queue_order(rotation, turn, target, ancillas, inverse)
        queue(rotation.unmixing)


def textbook_neuron(
    coefficients: TensorLike,
    controls: Sequence[Hashable],
    target: Hashable,
    ancillas: Sequence[Hashable],
    *,
    degree: int,
    inverse: bool = False,
) -> None:
    """Queues the same neuron as the paper draws it: one multi-controlled RY for each monomial.

    It serves to compare gate counts.

    Args:
        coefficients: Of the polynomial, in radians, shape ``(P,)`` or ``(B, P)``.
        controls: The control wires, in the order of the polynomial's variables.
        target: The wire that the neuron rotates.
        ancillas: The ancilla wires, one for each order; they start and end in 0.
        degree: Degree of the polynomial.
        inverse: Whether to rotate the other way.
    """
    wires = [*controls, ancillas[0]]
    with qml.QueuingManager.stop_recording():
        forward = PolynomialRY.textbook_decomposition(coefficients, wires, degree)
    rotation = AncillaRotation([], forward, inverse_gates(forward), [])

    def turn(control: Hashable, onto: Hashable, backward: bool) -> Gates:
        with qml.QueuingManager.stop_recording():
            return [qml.CRY(-pi if backward else pi, wires=[control, onto])]

    _queue_order(rotation, turn, target, ancillas, inverse)


def _queue_order(
    rotation: AncillaRotation,
    turn: Callable[[Hashable, Hashable, bool], Gates],
    target: Hashable,
    ancillas: Sequence[Hashable],
    inverse: bool,
) -> None:
    *inner, ancilla = ancillas

    def rotate_ancilla(backward: bool) -> None:
        if inner:
            _queue_order(rotation, turn, ancilla, inner, backward)
        else:
            queue(rotation.backward if backward else rotation.forward)

    rotate_ancilla(backward=False)
    queue(turn(ancilla, target, inverse))
    rotate_ancilla(backward=True)
    qml.measure(ancilla, postselect=0)
