"""Which way is expected to be faster: what there is of each part, times the measured time of each.

``python -m benchmarks.fit_costs`` measures the times again.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from qrnn_circuits.simulation.transfer.layouts import group_sizes, tokens_of
from qrnn_circuits.simulation.transfer.products import Integers, Mask, OperatorSequences, Worth

LayoutKind = Literal["rows", "chunked", "grouped"]
LayoutChoice = tuple[LayoutKind, int]
"""A kind of layout and the rows of its chunks, if it has any."""
Counts = dict[str, float]

# On one core in float32, forward and backward together. An entry is one number of a matrix or a
# state, a product one multiplication and addition of a matrix product.
SECONDS: Mapping[str, float] = {
    "row place": 1.3e-5,
    "row entry": 5.5e-10,
    "chunk place": 5.1e-5,
    "chunk": 3e-7,
    "chunk entry": 4.5e-10,
    "chunk state entry": 3.3e-9,
    "token entry": 3.5e-9,
    "group place": 7.9e-5,
    "group": 5.8e-6,
    "group entry": 2.7e-10,
    "group state entry": 6.2e-9,
    "product": 5.3e-11,
    "transfer": 0.002,
    "transfer wire": 0.00018,
    "transfer sequence step": 2e-7,
    "transfer state entry": 6.8e-9,
    "operator entry": 1.4e-9,
    "far operator entry": 1.4e-8,
    "operator product": 3.2e-10,
    "state": 0.0011,
    "state gate": 0.00011,
    "state table entry": 4e-8,
    "state step": 0.00017,
    "state sequence step": 5.7e-7,
    "state step gate": 4.3e-5,
    "state step gate entry": 3.2e-9,
    "state read-out entry": 3e-9,
}
CHUNK_SIZES = (4, 8, 16, 32, 64)
# Building a level of products at all, and planning it for each sequence and place.
_PRODUCTS_SECONDS = 2e-4
_PLAN_SECONDS = 1.1e-7


def seconds(counts: Counts) -> float:
    """The time that parts are expected to take."""
    return sum(SECONDS[part] * count for part, count in counts.items())


class RecurrenceSize(NamedTuple):
    """What a recurrence has to do.

    Attributes:
        batch: Number of sequences B.
        places: Number J of operators of each.
        size: Amplitudes of a state, ``2**W``.
        tokens: Number of different pairs of an operator and the outcome before it.
        groups: Number of different operators that a place needs, on average.
        chunks: Number of chunks that a place needs, on average, for each size of chunks.
    """

    batch: int
    places: int
    size: int
    tokens: float
    groups: float
    chunks: dict[int, float]


def recurrence_size(sequences: OperatorSequences, tokens: Integers, size: int) -> RecurrenceSize:
    """Counts what a plan has to do.

    Args:
        sequences: The plan, of sequences of equal length.
        tokens: Number of each sequence's pair at each place, from
            :func:`~qrnn_circuits.simulation.transfer.layouts.tokens_of`.
        size: Amplitudes of a state, ``2**W``.
    """
    places, batch = tokens.shape
    count = int(tokens.max()) + 1
    chunks: dict[int, float] = {}
    if batch > 1:
        sizes = group_sizes(tokens, count)
        chunks = {chunk: float((-(-sizes // chunk)).sum()) / places for chunk in CHUNK_SIZES}
    operators = int(sequences.operators.max()) + 1
    groups = np.count_nonzero(group_sizes(sequences.operators, operators)) / places
    return RecurrenceSize(batch, places, size, count, groups, chunks)


def expected_distinct(kinds: float, draws: int) -> float:
    """How many of several equally likely kinds occur in some draws, on average."""
    return kinds * (1 - (1 - 1 / kinds) ** draws)


def expected_recurrence_size(
    *, batch: int, places: int, size: int, operators: float, tokens: float
) -> RecurrenceSize:
    """What a recurrence of random symbols has to do, about.

    Args:
        batch: As for :class:`RecurrenceSize`.
        places: Likewise.
        size: Likewise.
        operators: Number of different operators.
        tokens: Number of different pairs of an operator and the outcome before it.
    """
    groups, pairs = expected_distinct(operators, batch), expected_distinct(tokens, batch)
    chunks = {chunk: pairs + (batch - pairs) / chunk for chunk in CHUNK_SIZES if batch > 1}
    return RecurrenceSize(batch, places, size, tokens, groups, chunks)


def layout_counts(choice: LayoutChoice, run: RecurrenceSize) -> Counts:
    """The parts of a recurrence in some layout."""
    kind, chunk = choice
    places, size, square = run.places, run.size, run.size**2
    if kind == "rows":
        return {
            "row place": places,
            "row entry": places * run.batch * square,
            "token entry": run.tokens * square,
        }
    if kind == "chunked":
        chunks = places * run.chunks[chunk]
        return {
            "chunk place": places,
            "chunk": chunks,
            "chunk entry": chunks * square,
            "chunk state entry": chunks * chunk * size,
            "product": chunks * chunk * square,
            "token entry": run.tokens * square,
        }
    return {
        "group place": places,
        "group": places * run.groups,
        "group entry": places * run.groups * square,
        "group state entry": places * run.batch * size,
        "product": places * run.batch * square,
    }


def cheapest_layout(run: RecurrenceSize) -> tuple[LayoutChoice, float]:
    """The layout that is expected to be fastest, and its time in seconds."""
    choices: list[LayoutChoice] = [("grouped", 0), ("rows", 1)]
    choices += [("chunked", chunk) for chunk in run.chunks]
    times = {choice: seconds(layout_counts(choice, run)) for choice in choices}
    best = min(times, key=lambda choice: times[choice])
    return best, times[best]


@lru_cache(maxsize=1024)
def _expected_seconds(
    batch: int, places: int, size: int, operators: float, outcomes: float
) -> float:
    """The time of a recurrence of random symbols in its fastest layout."""
    run = expected_recurrence_size(
        batch=batch, places=places, size=size, operators=operators, tokens=operators * outcomes
    )
    return cheapest_layout(run)[1]


def worthwhile_products(batch: int, size: int) -> Worth:
    """Which products of operators are worth building, by their counts and number of places.

    Args:
        batch: Number of sequences B.
        size: Amplitudes of a state, ``2**W``.
    """

    def worth(counts: Integers, places: int) -> Mask | None:
        if size >= 128:
            # As many columns as one product has.
            return counts > size
        products = len(counts)
        # Of a left and a right operator and the outcome in between: about as many of each.
        outcomes = products ** (1 / 3)
        build = _PRODUCTS_SECONDS + batch * places * _PLAN_SECONDS
        build += products * size**3 * SECONDS["product"]
        now = _expected_seconds(batch, 2 * places, size, outcomes, outcomes)
        then = _expected_seconds(batch, places, size, products, outcomes)
        return np.ones(products, dtype=bool) if build + then < now else None

    return worth


def worthwhile_layout(
    sequences: OperatorSequences, symbols: int, size: int
) -> tuple[LayoutKind, int, tuple[Integers, Integers]]:
    """How to arrange a batch.

    Args:
        sequences: The plan.
        symbols: Number of symbols, ``2**I``.
        size: Amplitudes of a state, ``2**W``.

    Returns:
        The kind of layout, the size of chunks, and what
        :func:`~qrnn_circuits.simulation.transfer.layouts.tokens_of` returns.
    """
    if not sequences.regular:
        return "grouped", 0, (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    found, tokens = tokens_of(sequences, symbols)
    (kind, chunk), _ = cheapest_layout(recurrence_size(sequences, tokens, size))
    return kind, chunk, (found, tokens)
