"""The search for a short walk through given parities, by simulated annealing with a fixed seed."""

from collections.abc import Sequence
from math import exp
from random import Random

from qrnn_circuits.synthesis.mixing import carried_parities
from qrnn_circuits.synthesis.steps import Mix, Rotate, Step, Toggle

_HOT, _COLD = 0.4, 0.12


class WalkSearch:
    """A walk through all wanted parities, improved step by step.

    The walk is a sequence of points: a start, the wanted parities in some order, an end. Mixes
    stand at points, in their given order. Between two mixes the control wires carry a fixed basis
    of parities, and from one point to the next it takes as many toggles as their difference has
    coordinates in that basis. Three moves keep the walk complete: reversing a part of it, moving
    one parity, and moving one mix.

    Attributes:
        cost: Two-qubit gates of the walk, mixes before the first toggle weighted.
    """

    def __init__(
        self,
        masks: Sequence[int],
        controls: int,
        mixes: Sequence[Mix],
        *,
        closed: bool,
        undone: int = 0,
        leading_cost: float = 1.0,
    ) -> None:
        """Builds a first walk, greedily.

        Args:
            masks: The wanted parities as distinct bit masks; not the empty one if ``closed``.
            controls: Number of control wires.
            mixes: All mixes, in order.
            closed: Whether start and end are the empty parity; otherwise they are free.
            undone: How many of the last mixes stand at the end of the first walk, not at its start.
            leading_cost: Cost of a mix before the first toggle; any other gate costs 1.
        """
        self._mixes = tuple(mixes)
        self._closed = closed
        self._leading_cost = leading_cost
        self._count = len(masks)
        # A parity that no other is one toggle away from may stand beside any.
        self._every = range(len(masks))
        self._random = Random(0)
        self._coordinates: list[list[int]] = []
        self._neighbours: list[list[list[int]]] = []
        coordinates = [*masks, 0, 0]  # start and end are the points count and count + 1
        index = {mask: point for point, mask in enumerate(masks)}
        for phase in range(len(mixes) + 1):
            if phase:
                source, onto = mixes[phase - 1].control, mixes[phase - 1].onto
                # sum y_j c_j is kept when c_onto becomes c_onto + c_control.
                coordinates = [y ^ (y >> onto & 1) << source for y in coordinates]
            self._coordinates.append(coordinates)
            basis = carried_parities(controls, mixes[:phase])
            inner = [[index[s ^ c] for c in basis if s ^ c in index] for s in masks]
            ends = [index[c] for c in basis if c in index] if closed else []
            self._neighbours.append([*inner, ends, ends])
        phase = len(mixes) - undone
        self._points = [self._count, *self._greedy(phase), self._count + 1]
        self._marks = [0] * phase + [self._count + 1] * undone
        self._lengths = [
            self._distance(self._phase(place), *self._points[place : place + 2])
            for place in range(self._count + 1)
        ]
        self._refresh()
        self.cost: float = sum(self._lengths) + sum(map(self._mark_cost, self._marks))
        self._best = self.cost, self._points[:], self._marks[:]

    def run(self, iterations: int) -> None:
        """Anneals from hot to cold and leaves the best walk seen; does nothing without points."""
        if not self._count:
            return
        cooling = (_COLD / _HOT) ** (1 / iterations)
        temperature = _HOT
        random = self._random.random
        least = self._count + self._closed - 1 + len(self._mixes) * min(1, self._leading_cost)
        for _ in range(iterations):
            if self._best[0] <= least:
                break
            temperature *= cooling
            draw = random()
            if draw < 0.15 and self._marks:
                self._move_mix(temperature)
            elif draw < 0.7:
                self._reverse_part(temperature)
            else:
                self._move_parity(temperature)
            if self.cost < self._best[0]:
                self._best = self.cost, self._points[:], self._marks[:]
        self.cost, points, marks = self._best
        self._points, self._marks = points[:], marks[:]

    def steps(self, indices: Sequence[int]) -> tuple[Step, ...]:
        """The walk as steps; ``indices`` gives the position of each mask among the parities."""
        steps: list[Step] = []
        for place, point in enumerate(self._points):
            steps += [
                mix for mix, mark in zip(self._mixes, self._marks, strict=True) if mark == place
            ]
            if point < self._count:
                steps.append(Rotate(indices[point]))
            following = self._points[place + 1 : place + 2]
            if following and (self._closed or max(point, following[0]) < self._count):
                coordinates = self._coordinates[self._phase(place)]
                difference = coordinates[point] ^ coordinates[following[0]]
                steps += [
                    Toggle(wire)
                    for wire in range(difference.bit_length())
                    if difference >> wire & 1
                ]
        return tuple(steps)

    def start(self) -> int:
        """The mask's index of the first parity."""
        return self._points[1]

    def end(self) -> int:
        """The mask's index of the last parity."""
        return self._points[-2]

    def _greedy(self, phase: int) -> list[int]:
        """Nearest parity next; of those, the one with the fewest ways left (Warnsdorff's rule)."""
        coordinates, neighbours = self._coordinates[phase], self._neighbours[phase]
        ways = [len(near) for near in neighbours]
        left = set(range(self._count))
        here = self._count if self._closed else min(left, key=lambda p: (ways[p], p), default=-1)
        order = [] if self._closed or here < 0 else [here]
        left -= set(order)
        while left:
            for near in neighbours[here]:
                ways[near] -= 1
            position = coordinates[here]
            here = min(
                left.intersection(neighbours[here]) or left,
                key=lambda p: ((coordinates[p] ^ position).bit_count(), ways[p], p),
            )
            order.append(here)
            left.remove(here)
        return order

    def _distance(self, phase: int, first: int, second: int) -> int:
        if not self._closed and (first >= self._count or second >= self._count):
            return 0
        coordinates = self._coordinates[phase]
        return (coordinates[first] ^ coordinates[second]).bit_count()

    def _phase(self, place: int) -> int:
        """Number of mixes done when the walk leaves a place."""
        return sum(mark <= place for mark in self._marks)

    def _mark_cost(self, mark: int) -> float:
        leading = mark == 0 or (mark == 1 and not self._closed)
        return self._leading_cost if leading else 1.0

    def _accepts(self, change: float, temperature: float) -> bool:
        return change <= 0 or self._random.random() < exp(-change / temperature)

    def _refresh(self) -> None:
        self._flaws = [place for place, length in enumerate(self._lengths) if length != 1]

    def _pick(self, items: Sequence[int]) -> int:
        return items[int(self._random.random() * len(items))]

    def _flaw(self) -> int:
        """A place where the walk takes not exactly one toggle, or any place if there is none."""
        return self._pick(self._flaws or range(len(self._lengths)))

    def _move_mix(self, temperature: float) -> None:
        which = self._pick(range(len(self._marks)))
        mark = self._marks[which]
        later = self._random.random() < 0.5
        moved = mark + 1 if later else mark - 1
        lowest = self._marks[which - 1] if which else 0
        highest = self._marks[which + 1] if which + 1 < len(self._marks) else self._count + 1
        if not lowest <= moved <= highest:
            return
        place = min(mark, moved)
        phase = which if later else which + 1
        length = self._distance(phase, *self._points[place : place + 2])
        change = length - self._lengths[place] + self._mark_cost(moved) - self._mark_cost(mark)
        if self._accepts(change, temperature):
            self._marks[which] = moved
            self._lengths[place] = length
            self.cost += change
            self._refresh()

    def _reverse_part(self, temperature: float) -> None:
        """Mends a flaw with a neighbouring parity, reversing all between (a 2-opt move)."""
        flaw = self._flaw()
        phase = self._phase(flaw)
        side = int(self._random.random() < 0.5)
        near = self._neighbours[phase][self._points[flaw + side]] or self._every
        other = self._points.index(self._pick(near)) - side
        if other == flaw or self._phase(other) != phase:
            return
        low, high = min(flaw, other), max(flaw, other)
        points, lengths = self._points, self._lengths
        first = self._distance(phase, points[low], points[high])
        second = self._distance(phase, points[low + 1], points[high + 1])
        change = first + second - lengths[low] - lengths[high]
        if self._accepts(change, temperature):
            points[low + 1 : high + 1] = points[low + 1 : high + 1][::-1]
            lengths[low + 1 : high] = lengths[low + 1 : high][::-1]
            lengths[low], lengths[high] = first, second
            self.cost += change
            self._refresh()

    def _move_parity(self, temperature: float) -> None:
        """Takes one parity out of its place and puts it into a flaw (an or-opt move)."""
        flaw = self._flaw()
        phase = self._phase(flaw)
        before, after = self._points[flaw : flaw + 2]
        near = self._neighbours[phase][self._pick((before, after))] or self._every
        moved = self._pick(near)
        place = self._points.index(moved)
        if place in (flaw, flaw + 1):
            return
        points, lengths = self._points, self._lengths
        joined = self._distance(self._phase(place), points[place - 1], points[place + 1])
        first = self._distance(phase, before, moved)
        second = self._distance(phase, moved, after)
        marks = [mark - (mark >= place) for mark in self._marks]
        gap = flaw - (flaw > place)
        marks = [mark + (mark > gap) for mark in marks]
        change = joined - lengths[place - 1] - lengths[place] + first + second - lengths[flaw]
        before_cost, after_cost = (sum(map(self._mark_cost, m)) for m in (self._marks, marks))
        if self._accepts(change + after_cost - before_cost, temperature):
            del points[place]
            lengths[place - 1 : place + 1] = [joined]
            points.insert(gap + 1, moved)
            lengths[gap : gap + 1] = [first, second]
            self._marks = marks
            self.cost += change + after_cost - before_cost
            self._refresh()
