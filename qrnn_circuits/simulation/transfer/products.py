"""Sequences of a batch as operators to apply one after another, known before anything runs.

A step multiplies the state by ``readout[previous outcome]`` and then by the transfer operator of
its input. Where several steps have to be taken before any state is looked at, their product can
serve all sequences that take the same steps: half-products of neighbouring steps, then of
neighbouring products, and so on, of those that occur often enough to be worth it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

ENDED = -1
"""In place of an operator where a sequence has none left."""


@dataclass(frozen=True)
class Products:
    """Operators ``right @ diag(readout[outcome]) @ left``.

    Attributes:
        left: Index of the operator that acts first, shape ``(n,)``.
        outcome: The outcome between the two, shape ``(n,)``.
        right: Index of the operator that acts then, shape ``(n,)``.
    """

    left: Integers
    outcome: Integers
    right: Integers


@dataclass(frozen=True)
class OperatorSequences:
    """What each sequence is multiplied by, in order, and where its states are read.

    Operators are numbered: those of the input symbols first, then each of ``products``.

    Attributes:
        operators: Shape ``(J, B)``, filled up with :data:`ENDED`.
        outcomes: The outcome before each operator, the number ``2**I`` of symbols where there is
            none, shape ``(J, B)``.
        lengths: Number of operators of each sequence, shape ``(B,)``.
        products: Those of symbols, then those of products, ...
        read_time: The time index of each state that is read, ascending, shape ``(R,)``.
        read_row: Its sequence, ascending within a time index, shape ``(R,)``.
        read_step: Its step, shape ``(R,)``.
    """

    operators: Integers
    outcomes: Integers
    lengths: Integers
    products: list[Products]
    read_time: Integers
    read_row: Integers
    read_step: Integers

    @property
    def regular(self) -> bool:
        """Whether all sequences have equally many operators."""
        return bool((self.lengths == len(self.operators)).all())


Worth = Callable[[Integers, int], Mask | None]
"""Which products to build, of their counts and the number of time indices that they stand at."""


def operator_sequences(
    inputs: Integers, outcomes: Integers, read: Mask, symbols: int, worth: Worth
) -> OperatorSequences:
    """Finds the operators of a batch.

    Args:
        inputs: Input symbols, shape ``(B, T)``.
        outcomes: The outcome that each step is conditioned on, of the shape of ``inputs``.
        read: The steps whose state before the readout is needed, of that shape; the last one is
            among them in every row.
        symbols: Number of input symbols, ``2**I``.
        worth: Takes how often each of several products would be applied, and at how many time
            indices of a sequence products would stand, and returns which of them to build.
    """
    batch, steps = inputs.shape
    before = np.empty_like(outcomes)
    before[:, 0] = symbols
    before[:, 1:] = outcomes[:, :-1]
    columns: Mask = np.any(read, axis=0)
    operators = inputs
    products: list[Products] = []
    if not columns.all():
        operators, products = _shared_products(inputs, before, columns, symbols, worth)
    if not products:
        lengths = np.full(batch, steps)
        step, row = np.nonzero(read.T)
        return OperatorSequences(inputs.T, before.T, lengths, products, step + 1, row, step)
    kept = operators != ENDED
    time = kept.cumsum(1)
    lengths = time[:, -1]
    rows, _ = np.nonzero(kept)
    packed = np.full((2, int(lengths.max()), batch), ENDED)
    packed[:, time[kept] - 1, rows] = operators[kept], before[kept]
    row, step = np.nonzero(read)
    read_time = time[row, step]
    order = np.argsort(read_time * batch + row, kind="stable")
    return OperatorSequences(
        packed[0], packed[1], lengths, products, read_time[order], row[order], step[order]
    )


def _shared_products(
    inputs: Integers, before: Integers, columns: Mask, symbols: int, worth: Worth
) -> tuple[Integers, list[Products]]:
    """Replaces steps by products wherever no state is read in between.

    Returns:
        The operators, each in the column of its first step, ``ENDED`` in the others, shape
        ``(B, T)``; and the products.
    """
    operators = inputs.copy()
    products: list[Products] = []
    count = symbols
    # Nodes: runs of neighbouring steps, with the operator of each that is a single one.
    single, start = inputs, np.arange(len(columns))
    # Steps of one interval have no state that is read between them.
    interval: Integers = np.cumsum(columns) - columns
    while True:
        first = np.searchsorted(interval, interval)
        left = np.flatnonzero(
            (interval[:-1] == interval[1:]) & ((np.arange(len(interval)) - first)[:-1] % 2 == 0)
        )
        if not len(left):
            break
        right = left + 1
        outcome = before[:, start[right]]
        both = (single[:, left] != ENDED) & (single[:, right] != ENDED)
        keys = (single[:, left] * (symbols + 1) + outcome) * count + single[:, right]
        found, number, counts = _count(keys[both], count * count * (symbols + 1))
        built = worth(counts, len(left)) if len(found) else None
        if built is None or not built.any():
            break
        rest, after = np.divmod(found[built], count)
        products.append(Products(rest // (symbols + 1), rest % (symbols + 1), after))
        numbers = np.where(built, count + np.cumsum(built) - 1, ENDED)
        count += int(built.sum())
        joined = np.full(both.shape, ENDED)
        joined[both] = numbers[number]
        merged = joined != ENDED
        operators[:, start[left]] = np.where(merged, joined, operators[:, start[left]])
        operators[:, start[right]] = np.where(merged, ENDED, operators[:, start[right]])
        single = single.copy()
        single[:, left] = joined
        kept = np.ones(len(start), dtype=bool)
        kept[right] = False
        single, start, interval = single[:, kept], start[kept], interval[kept]
    return operators, products


def _count(keys: Integers, bound: int) -> tuple[Integers, Integers, Integers]:
    """The distinct keys, the number of each key among them, and their counts."""
    if bound > 4 * keys.size + 2**16:
        return np.unique(keys, return_inverse=True, return_counts=True)
    counts = np.bincount(keys, minlength=bound)
    found = np.flatnonzero(counts)
    number = np.empty(bound, dtype=np.int64)
    number[found] = np.arange(len(found))
    return found, number[keys], counts[found]
