"""Which CNOTs between control wires bring the wanted parities within one gate of each other."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.synthesis.steps import Mix

# What a parity costs that has 0, 1, 2 or more wanted parities one gate away: it ends, interrupts or
# fills a walk.
_ISOLATION = np.array([1.0, 0.45, 0.15, 0.05])


def carried_parities(controls: int, mixes: Sequence[Mix]) -> list[int]:
    """The bit mask of the parity that each control wire carries after the given mixes."""
    carried = [1 << wire for wire in range(controls)]
    for mix in mixes:
        carried[mix.onto] ^= carried[mix.control]
    return carried


def choose_mixes(masks: Sequence[int], controls: int, *, disjoint: bool) -> tuple[Mix, ...]:
    """Chooses mixes one after another, each time the one that leaves the fewest isolated parities.

    A mix acts between wires that still carry one variable each: longer sums connect few parities of
    low degree. A walk may take any number of the first mixes.

    Args:
        masks: The wanted parities as distinct bit masks, at least one.
        controls: Number of control wires m.
        disjoint: Whether no two mixes share a wire. What suits a set of parities better is not
            known beforehand.

    Returns:
        As many mixes as there can be between the n controls that occur in the parities: ``n // 2``
        if ``disjoint``, otherwise ``n - 1``.
    """
    points = np.sort(np.array(masks, dtype=np.int64))
    carried = carried_parities(controls, ())
    mixes: list[Mix] = []

    def wanted(parity: int) -> NDArray[np.intp]:
        """Whether the parity that a toggle leads to is wanted, for each wanted parity."""
        moved = points ^ parity
        places = np.minimum(np.searchsorted(points, moved), len(points) - 1)
        return np.asarray(points[places] == moved, dtype=np.intp)

    free = {wire for wire in range(controls) if any(mask >> wire & 1 for mask in masks)}
    while len(free) > 1:
        neighbours = sum((wanted(parity) for parity in carried), np.zeros_like(points, np.intp))
        choices = []
        for control, onto in permutations(sorted(free), 2):
            degrees = neighbours - wanted(carried[onto]) + wanted(carried[onto] ^ carried[control])
            # Rounded, so that of equally good ones the first is taken.
            isolation = round(float(_ISOLATION[np.minimum(degrees, 3)].sum()), 6)
            choices.append((isolation, control, onto))
        _, control, onto = min(choices)
        mixes.append(Mix(control, onto))
        carried[onto] ^= carried[control]
        free -= {onto, control} if disjoint else {onto}
    return tuple(mixes)
