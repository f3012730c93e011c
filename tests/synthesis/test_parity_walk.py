"""Every walk is checked gate by gate: as a dense matrix, or by the parities its wires carry."""

from collections.abc import Sequence
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrnn_circuits.synthesis import (
    Mix,
    Parity,
    ParityWalk,
    Rotate,
    Step,
    Toggle,
    closed_walk,
    multiplexed_walk,
    open_walk,
    parities_up_to,
    two_qubit_gates,
)
from qrnn_circuits.synthesis.annealing import WalkSearch
from qrnn_circuits.synthesis.mixing import choose_mixes
from tests.dense import FLIP, ONE, ZERO, Matrix, controlled, on_wires, rotation

Z = np.diag([1.0, -1.0])

# Two-qubit gates of a greedy walk without mixes.
GREEDY = {(3, 2): 8, (5, 2): 22, (5, 3): 32, (7, 3): 86, (9, 2): 74}
# Fewest two-qubit gates (closed, open), proven by breadth-first search over all circuits.
OPTIMAL = {
    (2, 1): (4, 2),
    (2, 2): (4, 3),
    (3, 1): (6, 4),
    (3, 2): (8, 6),
    (3, 3): (8, 7),
    (4, 1): (8, 6),
    (4, 2): (13, 11),
}


@st.composite
def parity_sets(draw: st.DrawFn, largest: int = 4) -> tuple[int, tuple[Parity, ...]]:
    controls = draw(st.integers(1, largest))
    every = [s for size in range(controls + 1) for s in combinations(range(controls), size)]
    chosen = draw(st.lists(st.sampled_from(every), unique=True, max_size=len(every)))
    return controls, tuple(chosen)


def circuit(
    steps: Sequence[Step], angles: Sequence[float], flip: Matrix, controls: int, target: int
) -> Matrix:
    """The matrix of the steps on wires 0 to ``target``, the first the most significant."""
    wires = target + 1
    matrix = np.eye(2**wires)
    for step in steps:
        match step:
            case Rotate(index):
                gate = on_wires({target: rotation(angles[index])}, wires)
            case Toggle(control):
                gate = controlled(flip, [control], target, wires)
            case Mix(control, onto):
                gate = controlled(FLIP, [control], onto, wires)
        matrix = gate @ matrix
    return matrix


def multiplexed(parities: Sequence[Parity], angles: Sequence[float], controls: int) -> Matrix:
    """The rotation by its definition, one block for each control pattern."""
    matrix = np.zeros((2 ** (controls + 1),) * 2)
    for pattern in range(2**controls):
        bits = [pattern >> (controls - 1 - wire) & 1 for wire in range(controls)]
        angle = sum(
            a * (-1) ** sum(bits[wire] for wire in parity)
            for parity, a in zip(parities, angles, strict=True)
        )
        block = slice(2 * pattern, 2 * pattern + 2)
        matrix[block, block] = rotation(angle)
    return matrix


def check_by_parities(walk: ParityWalk) -> None:
    """Follows what every wire carries: each rotation must meet the sign of its own parity."""
    carried = [frozenset({wire}) for wire in range(walk.controls)]
    sign = frozenset(walk.start)
    rotated = []
    for step in walk.steps:
        match step:
            case Rotate(index):
                assert sign == frozenset(walk.parities[index])
                rotated.append(index)
            case Toggle(control):
                sign ^= carried[control]
            case Mix(control, onto):
                carried[onto] ^= carried[control]
    assert sorted(rotated) == list(range(len(walk.parities)))
    assert sign == frozenset(walk.end)
    if walk.closed:
        assert walk.start == walk.end == ()
        assert carried == [frozenset({wire}) for wire in range(walk.controls)]


def random_angles(count: int) -> Matrix:
    return np.random.default_rng(count).normal(size=count)


@settings(max_examples=25, deadline=None)
@given(parity_sets(), st.booleans())
def test_closed_walk_is_the_multiplexed_rotation_with_either_flip(
    wanted: tuple[int, tuple[Parity, ...]], quick: bool
) -> None:
    controls, parities = wanted
    walk = closed_walk(controls, parities, quick=quick)
    angles = list(random_angles(len(parities)))
    expected = multiplexed(parities, angles, controls)
    for flip in (FLIP, Z):
        matrix = circuit(walk.steps, angles, flip, controls, controls)
        np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)
    check_by_parities(walk)
    assert walk.two_qubit_gates <= 2**controls


@settings(max_examples=25, deadline=None)
@given(parity_sets(), st.sampled_from([2, 4, 8]), st.booleans())
def test_open_walk_and_its_inverse_make_a_neuron(
    wanted: tuple[int, tuple[Parity, ...]], rotations: int, quick: bool
) -> None:
    controls, parities = wanted
    walk = open_walk(controls, parities, rotations=rotations, quick=quick)
    angles = list(random_angles(len(parities)))
    # Wires: controls, ancilla, output. The middle gate has the ancilla as control.
    middle = controlled(rotation(np.pi), [controls], controls + 1, controls + 2)
    forth = np.kron(circuit(walk.steps, angles, Z, controls, controls), np.eye(2))
    negated = [-angle for angle in angles]
    back = np.kron(circuit(walk.steps[::-1], negated, Z, controls, controls), np.eye(2))
    exact = np.kron(multiplexed(parities, angles, controls), np.eye(2))
    keep = on_wires({controls: ZERO}, controls + 2)
    neuron, expected = back @ middle @ forth, exact.T @ middle @ exact
    np.testing.assert_allclose(keep @ neuron @ keep, keep @ expected @ keep, rtol=0, atol=1e-12)
    # Reading 1, the missing flips are a Z on each control in the start.
    failed = on_wires({controls: ONE}, controls + 2)
    signs = on_wires(dict.fromkeys(walk.start, Z), controls + 2)
    np.testing.assert_allclose(
        signs @ failed @ neuron @ keep, failed @ expected @ keep, rtol=0, atol=1e-12
    )
    # Between reflections about 0 the missing flips cancel as well.
    reflection = np.eye(len(keep)) - (1 + 1j) * keep
    np.testing.assert_allclose(
        keep @ neuron.T @ reflection @ neuron @ keep,
        keep @ expected.T @ reflection @ expected @ keep,
        rtol=0,
        atol=1e-12,
    )
    check_by_parities(walk)
    assert walk.total_two_qubit_gates(rotations) <= rotations * (2**controls - 1)


@settings(max_examples=10, deadline=None)
@given(parity_sets(largest=7))
def test_walks_of_any_parities_meet_each_of_them_once(
    wanted: tuple[int, tuple[Parity, ...]],
) -> None:
    controls, parities = wanted
    check_by_parities(closed_walk(controls, parities))
    check_by_parities(open_walk(controls, parities))


@pytest.mark.parametrize(
    ("controls", "degree"),
    [(m, d) for m in range(1, 8) for d in range(1, min(m, 4) + 1)] + [(9, 2)],
)
def test_polynomial_walks_stay_between_the_lower_bound_and_the_multiplexer(
    controls: int, degree: int
) -> None:
    parities = parities_up_to(controls, degree)
    closed, opened = closed_walk(controls, parities), open_walk(controls, parities)
    check_by_parities(closed)
    check_by_parities(opened)
    assert len(parities) <= closed.two_qubit_gates <= 2**controls
    assert len(parities) - 1 <= opened.two_qubit_gates <= 2**controls - 1


@pytest.mark.parametrize(("controls", "degree"), GREEDY)
def test_walks_are_never_longer_than_greedy_ones(controls: int, degree: int) -> None:
    parities = parities_up_to(controls, degree)
    assert closed_walk(controls, parities).two_qubit_gates <= GREEDY[controls, degree]
    assert open_walk(controls, parities).two_qubit_gates < GREEDY[controls, degree]


@pytest.mark.parametrize(("controls", "degree"), OPTIMAL)
def test_small_walks_are_optimal(controls: int, degree: int) -> None:
    parities = parities_up_to(controls, degree)
    gates = (
        closed_walk(controls, parities).two_qubit_gates,
        open_walk(controls, parities).two_qubit_gates,
    )
    assert gates == OPTIMAL[controls, degree]


def test_mixes_save_a_third_of_the_toggles_of_wide_quadratic_rotations() -> None:
    parities = parities_up_to(9, 2)
    assert closed_walk(9, parities).two_qubit_gates <= 58
    assert open_walk(9, parities).two_qubit_gates <= 52
    walk = open_walk(9, parities, rotations=8)
    assert walk.total_two_qubit_gates(8) <= 8 * 48


@pytest.mark.parametrize("closed", [False, True])
def test_a_search_costs_what_its_steps_cost_with_leading_mixes_at_their_weight(
    closed: bool,
) -> None:
    masks = [sum(1 << wire for wire in parity) for parity in parities_up_to(5, 2)[1:]]
    mixes = choose_mixes(masks, 5, disjoint=False)
    for iterations in range(1, 200):
        search = WalkSearch(masks, 5, mixes, closed=closed, leading_cost=0.25)
        search.run(iterations)
        steps = search.steps(range(len(masks)))
        toggled = [place for place, step in enumerate(steps) if not isinstance(step, Mix)]
        assert search.cost == pytest.approx(two_qubit_gates(steps) - 0.75 * toggled[0])


def test_wires_that_no_parity_needs_are_left_alone() -> None:
    parities = [(2,), (5,), (2, 5)]
    walk = closed_walk(9, parities)
    check_by_parities(walk)
    assert walk.two_qubit_gates == 4
    assert open_walk(9, parities).two_qubit_gates == 2


def test_the_order_of_the_parities_is_the_callers() -> None:
    parities = parities_up_to(4, 2)
    backwards = closed_walk(4, parities[::-1])
    check_by_parities(backwards)
    assert backwards.parities == parities[::-1]


@pytest.mark.parametrize("controls", range(1, 7))
@pytest.mark.parametrize("closed", [True, False])
def test_multiplexed_walk_is_a_gray_code(controls: int, closed: bool) -> None:
    walk = multiplexed_walk(controls, closed=closed)
    check_by_parities(walk)
    assert walk.closed is closed
    assert walk.two_qubit_gates == 2**controls - (not closed)
    assert not any(isinstance(step, Mix) for step in walk.steps)


def test_no_parities_need_no_steps() -> None:
    assert closed_walk(3, []).steps == ()
    assert open_walk(3, []).steps == ()


def test_the_empty_parity_is_one_rotation() -> None:
    assert closed_walk(3, [()]).steps == (Rotate(0),)
    assert open_walk(3, [()]).steps == (Rotate(0),)


@pytest.mark.parametrize(
    ("controls", "parities", "named"),
    [
        (0, [()], "controls"),
        (3, [(0, 3)], r"\(0, 3\)"),
        (3, [(1, 0)], r"\(1, 0\)"),
        (3, [(1, 1)], r"\(1, 1\)"),
        (3, [(-1,)], r"\(-1,\)"),
        (3, [(0,), (0,)], "distinct"),
    ],
)
def test_impossible_parities_are_refused(controls: int, parities: list[Parity], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        closed_walk(controls, parities)
    with pytest.raises(ValueError, match=named):
        open_walk(controls, parities)


@pytest.mark.parametrize("rotations", [-2, 0, 1, 3])
def test_an_odd_number_of_open_rotations_is_refused(rotations: int) -> None:
    with pytest.raises(ValueError, match="rotations"):
        open_walk(2, [()], rotations=rotations)
    with pytest.raises(ValueError, match="rotations"):
        multiplexed_walk(2, closed=False).total_two_qubit_gates(rotations)


def fewest_toggles(parities: list[Parity]) -> int:
    """Of all closed walks without mixes, by dynamic programming over the sets of visited ones."""
    masks = [sum(1 << wire for wire in parity) for parity in parities if parity]
    costs = {(1 << place, place): mask.bit_count() for place, mask in enumerate(masks)}
    for _ in masks[1:]:
        longer: dict[tuple[int, int], int] = {}
        for (visited, here), cost in costs.items():
            for place, mask in enumerate(masks):
                if not visited >> place & 1:
                    key = visited | 1 << place, place
                    reached = cost + (masks[here] ^ mask).bit_count()
                    longer[key] = min(longer.get(key, reached), reached)
        costs = longer
    return min(cost + masks[here].bit_count() for (_, here), cost in costs.items())


@pytest.mark.parametrize("seed", range(12))
def test_a_walk_of_few_parities_is_no_longer_than_the_shortest_one_of_toggles_alone(
    seed: int,
) -> None:
    random = Random(seed)
    every = parities_up_to(6, 6)
    for _ in range(5):
        parities = sorted(random.sample(every[1:], random.randint(3, 8)))
        walk = closed_walk(6, parities, quick=True)
        assert walk.two_qubit_gates <= fewest_toggles(parities)
