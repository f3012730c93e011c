import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.simulation.transfer.buckets import (
    OperatorBuckets,
    RowBuckets,
    bucket_sizes,
    distinct_pairs,
    row_buckets,
)
from qrnn_circuits.simulation.transfer.costs import BucketKind
from qrnn_circuits.simulation.transfer.products import OperatorSequences
from tests.simulation.transfer.bucketed import (
    KINDS,
    SYMBOLS,
    BucketedBatch,
    bucketed_batches,
    row_sequences,
)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_every_sequence_stands_where_it_is_read_and_scaled(
    kind: BucketKind, data: st.DataObject
) -> None:
    sequences, buckets, *_ = data.draw(bucketed_batches(kind))
    rows = row_sequences(buckets)
    assert [len(row) for row in rows] == buckets.widths
    asked = sequences.read_row[np.argsort(sequences.read_time, kind="stable")]
    found = [
        row if reads is None else row[reads.numpy()]
        for row, reads in zip(rows, buckets.reads, strict=True)
    ]
    assert [len(part) for part in found] == buckets.read_counts
    assert (np.concatenate(found) == asked).all()
    for time, scaled in buckets.scaled.items():
        lasting = sequences.lengths >= time
        everyone = np.arange(len(lasting))
        where = everyone if scaled is None else scaled.numpy()
        assert (rows[time][where[lasting]] == everyone[lasting]).all()
    # In the end the order is that of the batch, of those sequences that last.
    assert (rows[-1] == np.flatnonzero(sequences.lengths == len(sequences.operators))).all()


@given(batch=bucketed_batches("operator"))
def test_the_rows_of_a_bucket_meet_their_own_operator(batch: BucketedBatch) -> None:
    sequences, buckets, *_ = batch
    assert isinstance(buckets, OperatorBuckets)
    rows = row_sequences(buckets)
    for time, (operators, outcomes) in enumerate(
        zip(sequences.operators, sequences.outcomes, strict=True)
    ):
        sequence = rows[time][: buckets.active[time]]
        operator = np.repeat(buckets.operators[time], buckets.sizes[time])
        assert (operators[sequence] == operator).all()
        assert (outcomes[sequence] == buckets.outcomes[time].numpy()).all()
        assert len(sequence) == (operators >= 0).sum()


@given(batch=bucketed_batches("operator"))
def test_targets_lead_to_where_sources_come_from(batch: BucketedBatch) -> None:
    buckets = batch.buckets
    rows = row_sequences(buckets)
    assert isinstance(buckets, OperatorBuckets)
    for time, targets in enumerate(buckets.targets):
        assert (rows[time + 1][targets.numpy()] == rows[time][: len(targets)]).all()


@given(batch=bucketed_batches("row"))
def test_the_rows_of_all_time_indices_are_sorted_by_their_pairs(batch: BucketedBatch) -> None:
    buckets = batch.buckets
    assert isinstance(buckets, RowBuckets)
    pairs, order = buckets.pairs.numpy(), buckets.order.numpy()
    assert set(order) == set(range(len(pairs)))
    assert (np.diff(pairs[order]) >= 0).all()
    counts = np.bincount(pairs, minlength=buckets.counts.shape[1])
    assert (buckets.counts.sum(0) == counts).all()
    assert (buckets.counts.sum(1) == batch.sequences.operators.shape[1]).all()


def test_pairs_are_sorted_however_many_there_are() -> None:
    count = 2**16 + 1
    pairs = np.random.default_rng(0).permutation(count)[None]
    once, rows = np.ones(count, dtype=np.int64), np.arange(count)
    sequences = OperatorSequences(pairs, pairs, once, [], once, rows, rows)
    buckets = row_buckets(sequences, pairs, torch.device("cpu"), scale_every=8)
    assert (pairs[0, buckets.order.numpy()] == rows).all()


@given(batch=bucketed_batches("row"))
def test_pairs_are_the_distinct_ones_of_operator_and_outcome(batch: BucketedBatch) -> None:
    sequences = batch.sequences
    pairs, numbers = distinct_pairs(sequences, SYMBOLS)
    operators, outcomes = np.divmod(pairs[numbers], SYMBOLS + 1)
    assert (operators == sequences.operators).all()
    assert (outcomes == sequences.outcomes).all()
    assert len(set(pairs.tolist())) == len(pairs) == len(np.unique(numbers))
    sizes = bucket_sizes(numbers, len(pairs))
    assert (sizes == [[(row == pair).sum() for pair in range(len(pairs))] for row in numbers]).all()
