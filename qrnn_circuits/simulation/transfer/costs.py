"""What a recurrence is expected to cost in either kind of buckets, and which products pay off."""

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from qrnn_circuits.simulation.costs import SECONDS, Counts, expected_distinct, seconds
from qrnn_circuits.simulation.transfer.buckets import bucket_sizes
from qrnn_circuits.simulation.transfer.products import Integers, Mask, OperatorSequences, Worth
from qrnn_circuits.simulation.transfer.row_products import LEAST_SUMMED

BucketKind = Literal["row", "operator"]
"""A bucket for each row, or one for each operator."""

# The operators of larger states are read from memory, for each row once.
MOST_ROW_AMPLITUDES = 2**7

# Building a level of products at all, and planning it for each sequence and time index.
_PRODUCTS_SECONDS = 2e-4
_PLAN_SECONDS = 1.1e-7


class RecurrenceSize(NamedTuple):
    """What a recurrence has to do.

    Attributes:
        batch: Number of sequences B.
        length: Number J of operators of each.
        size: Amplitudes of a state, ``2**W``.
        pairs: Number of different pairs of an operator and the outcome before it.
        buckets: Number of different operators that are needed at a time index, on average.
    """

    batch: int
    length: int
    size: int
    pairs: float
    buckets: float


def recurrence_size(sequences: OperatorSequences, pairs: int, size: int) -> RecurrenceSize:
    """Counts what a recurrence has to do.

    Args:
        sequences: The operators of a batch of sequences of equal length.
        pairs: Number of different pairs of an operator and the outcome before it.
        size: Amplitudes of a state, ``2**W``.
    """
    length, batch = sequences.operators.shape
    operators = int(sequences.operators.max()) + 1
    buckets = np.count_nonzero(bucket_sizes(sequences.operators, operators)) / length
    return RecurrenceSize(batch, length, size, pairs, buckets)


def expected_recurrence_size(
    *, batch: int, length: int, size: int, operators: float, pairs: float
) -> RecurrenceSize:
    """What a recurrence of random symbols has to do, about.

    Args:
        batch: Number of sequences B.
        length: Number J of operators of each.
        size: Amplitudes of a state, ``2**W``.
        operators: Number of different operators.
        pairs: Number of different pairs of an operator and the outcome before it.
    """
    return RecurrenceSize(batch, length, size, pairs, expected_distinct(operators, batch))


def bucket_counts(kind: BucketKind, run: RecurrenceSize) -> Counts:
    """The parts of a recurrence in buckets of some kind."""
    length, size, square = run.length, run.size, run.size**2
    if kind == "row":
        pairs = {"pair entry": run.pairs * square}
        entries = length * run.batch * square
        if run.batch * size < LEAST_SUMMED:
            return pairs | {"copied row time index": length, "copied row entry": entries}
        return pairs | {"row time index": length, "row entry": entries}
    return {
        "bucket time index": length,
        "bucket": length * run.buckets,
        "bucket entry": length * run.buckets * square,
        "bucket state entry": length * run.batch * size,
        "product": length * run.batch * square,
    }


def cheapest_buckets(run: RecurrenceSize) -> tuple[BucketKind, float]:
    """The kind of buckets that is expected to be faster, and its time in seconds."""
    kinds: list[BucketKind] = ["operator"]
    if run.size <= MOST_ROW_AMPLITUDES:
        kinds.append("row")
    times = {kind: seconds(bucket_counts(kind, run)) for kind in kinds}
    best = min(kinds, key=lambda kind: times[kind])
    return best, times[best]


@lru_cache(maxsize=1024)
def _expected_seconds(
    batch: int, length: int, size: int, operators: float, outcomes: float
) -> float:
    """The time of a recurrence of random symbols in its fastest kind of buckets."""
    run = expected_recurrence_size(
        batch=batch, length=length, size=size, operators=operators, pairs=operators * outcomes
    )
    return cheapest_buckets(run)[1]


def worthwhile_products(batch: int, size: int, cells: int = 1) -> Worth:
    """Which products of operators are worth building, by their counts and number of time indices.

    Args:
        batch: Number of sequences B.
        size: Amplitudes of a state, ``2**W``.
        cells: Number E of cells with operators of their own.
    """

    def worth(counts: Integers, length: int) -> Mask | None:
        if size >= 128:
            # As many columns as one product has.
            return counts > size
        products = len(counts)
        # Of a left and a right operator and the outcome in between: about as many of each.
        outcomes = (products / cells) ** (1 / 3)
        build = _PRODUCTS_SECONDS + batch * length * _PLAN_SECONDS
        build += products * size**3 * SECONDS["product"]
        now = _expected_seconds(batch, 2 * length, size, cells * outcomes, outcomes)
        then = _expected_seconds(batch, length, size, products, outcomes)
        return np.ones(products, dtype=bool) if build + then < now else None

    return worth


def worthwhile_buckets(sequences: OperatorSequences, pairs: int, size: int) -> BucketKind:
    """The kind of buckets for a batch.

    Args:
        sequences: The operators of each sequence, of equal length.
        pairs: Number of different pairs of an operator and the outcome before it.
        size: Amplitudes of a state, ``2**W``.
    """
    return cheapest_buckets(recurrence_size(sequences, pairs, size))[0]
