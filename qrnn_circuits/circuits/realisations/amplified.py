"""The neuron of unitary semantics, to within an error, by singular value transformation."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import pennylane as qml
from pennylane.typing import TensorLike

from qrnn_circuits.checks import plain
from qrnn_circuits.circuits.angles import Spectrum, polynomial_spectrum
from qrnn_circuits.circuits.gate_lists import Gates, inverse_gates, queue
from qrnn_circuits.circuits.realisations.amplification import (
    REAL_PART_PHASES,
    fixed_point_phases,
    flat_polynomial,
)
from qrnn_circuits.circuits.realisations.ancilla_rotation import ancilla_rotation
from qrnn_circuits.circuits.realisations.base import Realisation
from qrnn_circuits.circuits.realisations.controlled_pi import controlled_pi
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.synthesis import Parity

# Longer ones need more gates than is of use, and their phases take long to find.
LENGTHS = (3, 5, 7)


@dataclass(frozen=True)
class Amplified(Realisation):
    """``RY(f(x))`` to within an error, on superposed controls too; nothing is postselected.

    The order 1 circuit, without its measurement, has the block ``a RY(f(x))`` where its ancilla is
    0 before and after, with an amplitude a of at least ``1/sqrt(2)`` that depends on the controls.
    Alternating it with its inverse, and phases of the ancilla in between, turns a into a polynomial
    of a (oblivious amplitude amplification as a quantum singular value transformation; Gilyén, Su,
    Low and Wiebe, arXiv:1806.01838), here one that is nearly 1 on all of ``[1/sqrt(2), 1]``. A last
    ancilla, in 0 and 1 at once, takes all phases with both signs, so that the polynomial is real:
    a complex one would give each control pattern its own phase.

    For a neuron of order k the amplified rotation of order k - 1 onto the next ancilla takes the
    place of ``RY(phi(x))``. It is undone later on, phases of control patterns with it, so that
    phases without the last ancilla do, and get nearer. In the end the ancillas are reset.

    Attributes:
        length: Degree of the amplifying polynomial, one of ``LENGTHS``.

    Example:
        >>> print(Amplified(length=5), f"{Amplified(length=5).error(order=1):.1e}")
        amplified,length=5 6.4e-03
    """

    name: ClassVar[str] = "amplified"
    semantics: ClassVar[Semantics] = "unitary"
    measures: ClassVar[bool] = True
    ancilla_label: ClassVar[str] = "amplify"

    length: int = 7

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", plain(self.length))
        if type(self.length) is not int or self.length not in LENGTHS:
            raise ValueError(
                f"length must be odd, one of {LENGTHS} (amplification is by an odd polynomial), "
                f"got {self.length!r}"
            )

    def ancillas(self, order: int) -> int:
        """One for each order, and one more for the real part of the polynomial; none of order 0."""
        return order + 1 if order else 0

    def rotations(self, order: int) -> int:
        """As many circuits and inverses as the length, at each order, each there and back."""
        return int((2 * self.length) ** order)

    def error(self, order: int) -> float:
        """How far the neuron may be from ``RY(f(x))``, in operator norm, given success.

        Args:
            order: Order of the neuron; each order adds the error of its polynomial.

        Returns:
            ``order`` times 4.4e-2, 6.4e-3 or 9.6e-4.
        """
        return order * flat_polynomial(self.length)[1]

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
        """Queues the circuits and inverses in turn, phases between them, and the resets."""
        *levels, sign = ancillas
        rotation = ancilla_rotation(
            coefficients, controls, levels[0], degree, self.rotations(order), parities
        )
        forward = rotation.forward
        for ancilla, onto in pairwise(levels):
            forward = _amplified_rotation(forward, ancilla, onto, self.length)
        turn = controlled_pi(levels[-1], target, inverse=inverse)
        circuit = [*forward, *turn, *inverse_gates(forward)]
        undoing = inverse_gates(circuit)
        first, *middle, last = REAL_PART_PHASES[self.length]
        queue(rotation.mixing)
        qml.H(sign)
        # Beside an ancilla in 0 a phase with both signs concerns the last ancilla alone.
        qml.RZ(-2 * first, wires=sign)
        for index, phase in enumerate([*middle, None]):
            queue(undoing if index % 2 else circuit)
            if phase is not None:
                qml.CNOT([levels[-1], sign])
                qml.RZ(-2 * phase, wires=sign)
                qml.CNOT([levels[-1], sign])
        qml.RZ(-2 * last, wires=sign)
        qml.H(sign)
        queue(rotation.unmixing)
        queue(rotation.realignment)
        for ancilla in ancillas:
            qml.measure(ancilla, reset=True)


def _amplified_rotation(forward: Gates, ancilla: Hashable, target: Hashable, length: int) -> Gates:
    """The rotation of an ancilla by the amplified circuit of the ancilla before it.

    Up to a phase for each control pattern, and about X: as good as about Y for what is a control.
    """
    turn = controlled_pi(ancilla, target, axis="X")
    circuit = [*forward, *turn, *inverse_gates(forward)]
    inverse = inverse_gates(circuit)
    gates = [*circuit]
    for index, phase in enumerate(fixed_point_phases(length)):
        with qml.QueuingManager.stop_recording():
            gates.append(qml.RZ(-2 * phase, wires=ancilla))
        gates += circuit if index % 2 else inverse
    return gates
