"""The neuron that tries again where its ancilla read 1: a dynamic circuit in flat form."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import pi
from typing import ClassVar

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.typing import TensorLike

from qrnn_circuits.checks import as_integer
from qrnn_circuits.circuits.angles import Spectrum, polynomial_spectrum
from qrnn_circuits.circuits.gate_lists import Gates, queue, queue_conditioned
from qrnn_circuits.circuits.realisations.ancilla_rotation import AncillaRotation, ancilla_rotation
from qrnn_circuits.circuits.realisations.base import Realisation
from qrnn_circuits.circuits.realisations.controlled_pi import controlled_pi
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.synthesis import Parity


@dataclass(frozen=True)
class RepeatUntilSuccess(Realisation):
    """Every ancilla is tried until it reads 0: unitary where the controls are in a basis state.

    An ancilla that reads 1 has applied ``RY(-pi/2)`` to its target whatever the controls are (Cao,
    Guerreschi and Aspuru-Guzik, arXiv:1711.11240): ``RY(pi/2)`` undoes it and the attempt is made
    again. Only an ancilla that reads 1 at the last attempt is a failure, postselected away.

    Flat form: every gate of a further attempt is conditioned on the one bit that the attempt before
    it read. No measurement is: the ancilla stays 0 where the attempt was skipped, and reads 0. The
    ancilla of order k counts as one attempt a whole neuron of order k - 1, there and back, that
    itself repeats until success.

    On control wires in a basis state this is the rotation ``RY(f(x))`` exactly, given success. It
    is not so for superposed controls: how often an attempt fails depends on the control pattern,
    so that the record of failures has learnt about the pattern and weighs the amplitudes by it.

    Attributes:
        attempts: Largest number of attempts of each ancilla, at least 1.

    Example:
        >>> neuron = RepeatUntilSuccess(attempts=2)
        >>> neuron.coherence([0.0, np.pi / 2], order=1).diagonal().round(3).tolist()
        [1.0, 0.75]
    """

    name: ClassVar[str] = "repeat_until_success"
    semantics: ClassVar[Semantics] = "unitary"
    postselects: ClassVar[bool] = True
    measures: ClassVar[bool] = True
    ancilla_label: ClassVar[str] = "repeat"

    attempts: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "attempts", as_integer("attempts", self.attempts, 1))

    def ancillas(self, order: int) -> int:
        """One for each order."""
        return order

    def rotations(self, order: int) -> int:
        """Forward and backward in each attempt, at each order."""
        return int((2 * self.attempts) ** order)

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
        """Queues the attempts, all but the first one conditioned."""
        if parities is not None and not parities:
            return  # Ancillas that nothing rotates stay 0 and turn nothing.
        rotation = ancilla_rotation(
            coefficients, controls, ancillas[0], degree, self.rotations(order), parities
        )
        queue(rotation.mixing)
        _queue_order(rotation, target, ancillas, self.attempts, inverse, None)
        queue(rotation.unmixing)

    def coherence(self, angles: NDArray[np.float64], order: int) -> NDArray[np.float64]:
        """What the neuron does to superposed control patterns.

        It takes ``rho[x, y]``, the block of the density matrix between control patterns x and y, to
        ``coherence[x, y] * RY(f(x)) @ rho[x, y] @ RY(f(y)).T``. A rotation ``RY(f(x))`` would have
        all of them 1. The diagonal is the probability of success on each pattern.

        The record of one ancilla's failures fixes the block of the target up to a factor for each
        pattern: ``-sqrt(2) sin(phi/2) cos(phi/2)`` for each failure. Summed over all records, the
        products of two patterns' factors are a geometric series.

        Args:
            angles: The polynomial ``phi`` for each control pattern, shape ``(2**m,)``.
            order: Order of the neuron.

        Returns:
            Shape ``(2**m, 2**m)``.
        """
        half = np.asarray(angles, dtype=np.float64) / 2
        factors = np.ones((half.size, half.size))
        for _ in range(order):
            cos, sin = np.cos(half), np.sin(half)
            # The ancilla is rotated forward and backward: the records of both count.
            rotated = factors * factors
            failure = rotated * 2 * np.outer(sin * cos, sin * cos)
            amplitude = np.hypot(cos * cos, sin * sin)
            series = (failure**attempt for attempt in range(self.attempts))
            factors = rotated * np.outer(amplitude, amplitude) * sum(series, np.zeros_like(factors))
            half = np.arctan2(sin * sin, cos * cos)
        return factors

    def superposition_infidelity(self, angles: NDArray[np.float64], order: int) -> float:
        """How far the neuron is from unitary on superposed controls.

        Args:
            angles: The polynomial ``phi`` for each control pattern, shape ``(2**m,)``.
            order: Order of the neuron.

        Returns:
            One minus the fidelity, given success, with what the rotation ``RY(f(x))`` makes of the
            same state, its control patterns in the uniform superposition. It does not depend on the
            state of the target.
        """
        factors = self.coherence(angles, order)
        return float(1 - factors.mean() / factors.diagonal().mean())


def _queue_order(
    rotation: AncillaRotation,
    target: Hashable,
    ancillas: Sequence[Hashable],
    attempts: int,
    inverse: bool,
    condition: qml.ops.MeasurementValue | None,
) -> None:
    """Queues a neuron, all of it skipped where the condition reads 0."""
    *inner, ancilla = ancillas

    def rotate_ancilla(backward: bool) -> None:
        if inner:
            _queue_order(rotation, ancilla, inner, attempts, backward, condition)
        else:
            queue_conditioned(condition, rotation.backward if backward else rotation.forward)

    for attempt in range(attempts):
        rotate_ancilla(backward=False)
        queue_conditioned(condition, controlled_pi(ancilla, target, inverse=inverse))
        rotate_ancilla(backward=True)
        if attempt == attempts - 1:
            qml.measure(ancilla, postselect=0)
        else:
            condition = qml.measure(ancilla)
            queue_conditioned(condition, _recovery(rotation, target, ancillas, inverse))


def _recovery(
    rotation: AncillaRotation, target: Hashable, ancillas: Sequence[Hashable], inverse: bool
) -> Gates:
    """What undoes an attempt after which the ancilla reads 1."""
    with qml.QueuingManager.stop_recording():
        gates = [qml.X(ancillas[-1]), qml.RY(-pi / 2 if inverse else pi / 2, wires=target)]
    return gates + (rotation.correction if len(ancillas) == 1 else [])
