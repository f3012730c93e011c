"""Random batches of operator sequences, in either kind of buckets, and what they lead to."""

from typing import NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from qrnn_circuits.simulation.transfer.buckets import (
    Buckets,
    OperatorBuckets,
    distinct_pairs,
    operator_buckets,
    row_buckets,
)
from qrnn_circuits.simulation.transfer.costs import BucketKind
from qrnn_circuits.simulation.transfer.products import OperatorSequences, operator_sequences

SYMBOLS = 3
KINDS: list[BucketKind] = ["row", "operator"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class BucketedBatch(NamedTuple):
    """A batch in buckets.

    Attributes:
        sequences: The operators of each sequence.
        buckets: Which rows meet which of them.
        operators: Number of different operators.
        pairs: The operator and the outcome before it of each operator that the buckets count; of
            the operators themselves, without any outcome, where each has a bucket.
    """

    sequences: OperatorSequences
    buckets: Buckets
    operators: int
    pairs: tuple[Integers, Integers]


@st.composite
def bucketed_batches(draw: st.DrawFn, kind: BucketKind) -> BucketedBatch:
    batch, steps = draw(st.integers(1, 7)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    inputs, outcomes = rng.integers(0, SYMBOLS, (2, batch, steps))
    read = rng.random((batch, steps)) < draw(st.sampled_from([0, 0.3, 1]))
    read[:, -1] = True
    # Where only some products are built, sequences are of different lengths.
    least = draw(st.sampled_from([1, 2, 100] if kind == "operator" else [1, 100]))
    sequences = operator_sequences(
        inputs, outcomes, read, SYMBOLS, lambda counts, length: counts >= least
    )
    return bucketed(kind, sequences, scale_every=draw(st.integers(1, 4)))


def bucketed(
    kind: BucketKind, sequences: OperatorSequences, *, scale_every: int = 2
) -> BucketedBatch:
    operators = SYMBOLS + sum(len(products.left) for products in sequences.products)
    device = torch.device("cpu")
    if kind == "operator":
        buckets: Buckets = operator_buckets(sequences, operators, device, scale_every=scale_every)
        pairs = np.arange(operators), np.full(operators, SYMBOLS)
        return BucketedBatch(sequences, buckets, operators, pairs)
    found, numbers = distinct_pairs(sequences, SYMBOLS)
    buckets = row_buckets(sequences, numbers, device, scale_every=scale_every)
    return BucketedBatch(sequences, buckets, operators, np.divmod(found, SYMBOLS + 1))


def operators_of_buckets(batch: BucketedBatch, operators: Tensor, readout: Tensor) -> Tensor:
    """The operators as the buckets take them: with the readouts before them, if any."""
    which, before = (torch.from_numpy(array) for array in batch.pairs)
    readout = torch.cat((readout, torch.ones_like(readout[:1])))
    return operators[which] * readout[before].unsqueeze(1)


def row_sequences(buckets: Buckets) -> list[Integers]:
    """The sequence in each row of each time index."""
    if not isinstance(buckets, OperatorBuckets):
        return [np.arange(width) for width in buckets.widths]
    assert buckets.start is not None
    rows = [buckets.start.numpy()]
    for sources in buckets.sources:
        rows.append(rows[-1][sources.numpy()])
    return rows


def states_one_by_one(
    sequences: OperatorSequences, operators: Floats, readout: Floats, start: Floats
) -> list[list[Floats]]:
    """The states of each sequence, from time index 0 on."""
    before = np.concatenate((readout, np.ones_like(readout[:1])))
    result = []
    for row, length in enumerate(sequences.lengths):
        states = [start[row]]
        for time in range(length):
            outcome, operator = sequences.outcomes[time, row], sequences.operators[time, row]
            states.append(operators[operator] @ (before[outcome] * states[-1]))
        result.append(states)
    return result
