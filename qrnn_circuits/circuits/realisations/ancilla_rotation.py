"""The rotation of a neuron's first ancilla by its polynomial, and back: what sharpening is of."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import pennylane as qml
from pennylane.typing import TensorLike

from qrnn_circuits.circuits.angles import parity_angles, select_angles
from qrnn_circuits.circuits.gate_lists import Gates, inverse_gates, walk_gates
from qrnn_circuits.synthesis import Mix, Parity, open_walk, parities_up_to


@dataclass(frozen=True)
class AncillaRotation:
    """``RY(phi(x))`` of an ancilla that starts in 0, in turn with its inverse.

    Both come without the sign flips of open walks (see :func:`~qrnn_circuits.synthesis.open_walk`),
    which cancel between one and the other, and without the CNOTs between controls that all of them
    share: those of ``mixing`` stand before the first rotation and their inverses after the last.

    Attributes:
        mixing: CNOTs between controls, to be queued once.
        forward: The rotation.
        backward: Its inverse.
        correction: Gates on mixed controls that supply the missing flips where the ancilla read 1
            after ``backward``.
        realignment: CZs from the ancilla after ``unmixing``, for circuits that do not correct: what
            an ancilla that reads 1 has flipped then is the same whichever parities are kept.
    """

    mixing: Gates
    forward: Gates
    backward: Gates
    correction: Gates
    realignment: Gates = field(default_factory=list)

    @property
    def unmixing(self) -> Gates:
        """The inverse of ``mixing``."""
        return inverse_gates(self.mixing)


def ancilla_rotation(
    coefficients: TensorLike,
    controls: Sequence[Hashable],
    ancilla: Hashable,
    degree: int,
    rotations: int,
    parities: Sequence[Parity] | None = None,
) -> AncillaRotation:
    """Synthesises the rotation.

    Args:
        coefficients: Of ``phi``, shape ``(P,)`` or ``(B, P)``.
        controls: The m control wires.
        ancilla: The rotated wire.
        degree: Degree of ``phi``.
        rotations: How many rotations forward and backward the circuit holds, an even number.
        parities: Those of ``phi`` that are kept; None for all.

    Returns:
        The gates; not queued.
    """
    every = parities_up_to(len(controls), degree)
    angles = parity_angles(coefficients, len(controls), degree)
    walk = whole = open_walk(len(controls), every, rotations=rotations)
    if parities is not None:
        walk = open_walk(len(controls), parities, rotations=rotations, quick=True)
        angles = select_angles(angles, every, parities)
    shared, steps = walk.steps[: walk.leading_mixes], walk.steps[walk.leading_mixes :]
    start = set(walk.start)
    for mix in shared:
        # A sum of wires that holds the changed wire must also hold what was added to it.
        if isinstance(mix, Mix) and mix.onto in start:
            start ^= {mix.control}
    with qml.QueuingManager.stop_recording():
        correction = [qml.Z(controls[position]) for position in sorted(start)]
        realignment = [
            qml.CZ([ancilla, controls[position]])
            for position in sorted({*walk.start} ^ {*whole.start})
        ]
    forward = walk_gates(steps, angles, controls, ancilla, open_ends=True)
    return AncillaRotation(
        walk_gates(shared, angles, controls, ancilla, open_ends=True),
        forward,
        inverse_gates(forward),
        correction,
        realignment,
    )
