r"""Rotations of a target wire by a sum of parities of its controls, with few two-qubit gates.

``RY(sum over S of a_S * (-1)**(S.x))`` is a product of one ``RY(a_S)`` for each parity S, each
between sign flips of the target (X or Z, which both turn ``RY(a)`` into ``RY(-a)``) conditioned on
the parity. A walk visits all parities, so that the flips after one rotation and before the next
combine into few CNOTs (or CZs) onto the target. CNOTs between controls make some of these shorter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from qrnn_circuits.synthesis.annealing import WalkSearch
from qrnn_circuits.synthesis.mixing import choose_mixes
from qrnn_circuits.synthesis.parity_basis import Parity, parities_up_to
from qrnn_circuits.synthesis.steps import Mix, Rotate, Step, Toggle, two_qubit_gates

# Iterations of the first search over all choices of mixes, those of the second over the best ones,
# and how many these are.
_THOROUGH = 2000, 20000, 6
_QUICK = 200, 2000, 2


@dataclass(frozen=True)
class ParityWalk:
    """A walk through parities: a circuit up to sign flips at its two ends.

    Attributes:
        controls: Number of control wires m.
        parities: What ``Rotate.index`` refers to.
        steps: The circuit, first step first. Each parity is rotated by once.
        start: Parity that the target's sign must depend on before the first step.
        end: Parity that it depends on after the last.
        closed: Whether the steps alone are the rotation: ``start`` and ``end`` are empty, and every
            control wire carries its own variable again. An open walk may leave controls mixed.

    Example:
        >>> walk = closed_walk(2, [(), (0, 1)])
        >>> for step in walk.steps:
        ...     print(step)
        Rotate(index=0)
        Toggle(control=0)
        Toggle(control=1)
        Rotate(index=1)
        Toggle(control=0)
        Toggle(control=1)
        >>> walk.two_qubit_gates
        4
    """

    controls: int
    parities: tuple[Parity, ...]
    steps: tuple[Step, ...]
    start: Parity
    end: Parity
    closed: bool

    @property
    def two_qubit_gates(self) -> int:
        """Number of two-qubit gates of the steps."""
        return two_qubit_gates(self.steps)

    @property
    def leading_mixes(self) -> int:
        """Number of mixes before the first other step; next to the inverse walk they cancel."""
        return next(
            (place for place, step in enumerate(self.steps) if not isinstance(step, Mix)),
            len(self.steps),
        )

    def total_two_qubit_gates(self, rotations: int) -> int:
        """Two-qubit gates of this walk and its inverse in turn, leading mixes cancelled in between.

        Args:
            rotations: How many rotations in all; even, so that the controls end unmixed.

        Raises:
            ValueError: If ``rotations`` is not a positive even number.
        """
        if rotations < 2 or rotations % 2:
            raise ValueError(f"rotations must be a positive even number, got {rotations}")
        inner = self.two_qubit_gates - self.leading_mixes
        return rotations * inner + 2 * self.leading_mixes


def closed_walk(
    controls: int, parities: Iterable[Sequence[int]], *, quick: bool = False
) -> ParityWalk:
    """The rotation of any target state; toggles are CNOTs (or CZs throughout).

    Args:
        controls: Number of control wires m, at least 1.
        parities: Distinct sets of controls, each as sorted positions; the empty one is the part of
            the angle that depends on no control.
        quick: Whether to search a tenth as long, for parities that each neuron has of its own.

    Returns:
        A walk whose steps are the rotation. It has at most ``2**m`` two-qubit gates.

    Raises:
        ValueError: If ``controls`` or a parity is not as described.

    Example:
        >>> closed_walk(3, parities_up_to(3, 2)).two_qubit_gates  # degree 2: 7 of 8 parities
        8
    """
    return _closed(controls, _checked(controls, parities), quick)


def open_walk(
    controls: int, parities: Iterable[Sequence[int]], *, rotations: int = 2, quick: bool = False
) -> ParityWalk:
    """The rotation of a target in 0, or followed by its inverse; toggles are CZs.

    The sign flips missing before ``start`` act trivially on a target in 0. Those missing after
    ``end`` commute with gates that the target controls and are the ones missing before the inverse
    walk: the steps in reverse order with all angles negated. Where a reflection about 0 and the
    walk again follow, the last flips cancel too. Where a measurement of the target follows, they
    do nothing if it reads 0; if it reads 1, they are a Z on each control in ``start``.

    Args:
        controls: Number of control wires m, at least 1.
        parities: Distinct sets of controls, each as sorted positions; the empty one is the part of
            the angle that depends on no control.
        rotations: How many times the walk or its inverse is applied before a gate changes a
            control, a positive even number: an ancilla of a quantum neuron of order k takes
            ``2**k``. Mixes before all toggles are paid once for all of them.
        quick: Whether to search a tenth as long, for parities that each neuron has of its own.

    Returns:
        A walk with at most ``2**m - 1`` two-qubit gates for each rotation.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> walk = open_walk(2, [(0,), (0, 1)])
        >>> walk.start, walk.steps, walk.end
        ((0,), (Rotate(index=0), Toggle(control=1), Rotate(index=1)), (0, 1))
    """
    if rotations < 2 or rotations % 2:
        raise ValueError(f"rotations must be a positive even number, got {rotations}")
    return _open(controls, _checked(controls, parities), rotations, quick)


def multiplexed_walk(controls: int, *, closed: bool = True) -> ParityWalk:
    """All ``2**m`` parities in the order of a Gray code: a rotation by any table of angles.

    After Möttönen, Vartiainen, Bergholm and Salomaa, arXiv:quant-ph/0404089. A closed walk has
    ``2**m`` toggles, an open one ``2**m - 1``; no walk through all parities has fewer.

    Args:
        controls: Number of control wires m, at least 1.
        closed: Whether the walk returns to the empty parity.

    Raises:
        ValueError: If ``controls`` is below 1.

    Example:
        >>> multiplexed_walk(3).two_qubit_gates, multiplexed_walk(3, closed=False).two_qubit_gates
        (8, 7)
    """
    return _gray_walk(controls, parities_up_to(controls, controls), closed)


@lru_cache(maxsize=1024)
def _closed(controls: int, parities: tuple[Parity, ...], quick: bool) -> ParityWalk:
    return _shortest(controls, parities, True, 1, quick)


@lru_cache(maxsize=1024)
def _open(controls: int, parities: tuple[Parity, ...], rotations: int, quick: bool) -> ParityWalk:
    return _shortest(controls, parities, False, rotations, quick)


def _checked(controls: int, parities: Iterable[Sequence[int]]) -> tuple[Parity, ...]:
    if controls < 1:
        raise ValueError(f"controls must be at least 1, got {controls}")
    checked = tuple(map(tuple, parities))
    for parity in checked:
        if sorted({*parity}) != list(parity) or not set(parity) <= set(range(controls)):
            raise ValueError(
                f"every parity must hold increasing positions from 0 to {controls - 1}, got "
                f"{parity}"
            )
    if len(set(checked)) != len(checked):
        raise ValueError(f"parities must be distinct, got {checked}")
    return checked


def _shortest(
    controls: int, parities: tuple[Parity, ...], closed: bool, rotations: int, quick: bool
) -> ParityWalk:
    masks = [sum(1 << wire for wire in parity) for parity in parities]
    indices = list(range(len(masks)))
    at_start = [Rotate(index) for index in indices if closed and not masks[index]]
    indices = [index for index in indices if masks[index] or not closed]
    masks = [masks[index] for index in indices]
    used = len(set().union(*parities))
    if len(parities) == 2**used or not masks:
        return _gray_walk(controls, parities, closed)
    leading_cost = 1.0 if closed else 2 / rotations
    survey, final, finalists = _QUICK if quick else _THOROUGH

    def search(mixes: tuple[Mix, ...], iterations: int) -> WalkSearch:
        undone = mixes[::-1] if closed else ()
        walk = WalkSearch(
            masks,
            controls,
            mixes + undone,
            closed=closed,
            undone=len(undone),
            leading_cost=leading_cost,
        )
        walk.run(iterations)
        return walk

    choices: list[tuple[WalkSearch, tuple[Mix, ...]]] = []
    for disjoint in (True, False):
        mixes = choose_mixes(masks, controls, disjoint=disjoint)
        for count in range(0 if disjoint else 2, len(mixes) + 1):
            choices.append((search(mixes[:count], survey), mixes[:count]))
    choices.sort(key=lambda choice: choice[0].cost)
    finals = [search(mixes, final) for _, mixes in choices[:finalists]]
    walk = min([choices[0][0], *finals], key=lambda walk: walk.cost)
    if walk.cost > 2**used - (not closed):
        return _gray_walk(controls, parities, closed)
    return ParityWalk(
        controls,
        parities,
        (*at_start, *walk.steps(indices)),
        start=() if closed else parities[indices[walk.start()]],
        end=() if closed else parities[indices[walk.end()]],
        closed=closed,
    )


def _gray_walk(controls: int, parities: tuple[Parity, ...], closed: bool) -> ParityWalk:
    """A Gray code over the controls that occur in the parities."""
    wires = sorted(set().union(*parities))
    index = {frozenset(parity): place for place, parity in enumerate(parities)}
    steps: list[Step] = []
    visited: list[int] = []
    parity: frozenset[int] = frozenset()
    for place in range(1, 2 ** len(wires) + 1):
        if parity in index:
            steps.append(Rotate(index[parity]))
            visited.append(index[parity])
        if wires:
            # The lowest set bit of the count; at the very end, the wire that is still set.
            wire = wires[min((place & -place).bit_length(), len(wires)) - 1]
            steps.append(Toggle(wire))
            parity ^= {wire}
    if not closed:
        rotated = [place for place, step in enumerate(steps) if isinstance(step, Rotate)]
        steps = steps[rotated[0] : rotated[-1] + 1] if rotated else []
    start, end = (
        ((), ()) if closed or not visited else (parities[visited[0]], parities[visited[-1]])
    )
    return ParityWalk(controls, parities, tuple(steps), start, end, closed)
