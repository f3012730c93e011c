import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.simulation.transfer.layouts import (
    ChunkedLayout,
    GroupedLayout,
    group_sizes,
    tokens_of,
)
from tests.arrangements import LAYOUTS, SYMBOLS, Arrangement, arrangements, row_sequences


@pytest.mark.parametrize("kind", LAYOUTS)
@given(data=st.data())
def test_every_sequence_stands_where_it_is_read_and_scaled(kind: str, data: st.DataObject) -> None:
    sequences, layout, *_ = data.draw(arrangements(kind))
    rows = row_sequences(layout)
    assert [len(row) for row in rows] == layout.widths
    asked = sequences.read_row[np.argsort(sequences.read_place, kind="stable")]
    found = [
        row if reads is None else row[reads.numpy()]
        for row, reads in zip(rows, layout.reads, strict=True)
    ]
    assert [len(part) for part in found] == layout.read_counts
    assert (np.concatenate(found) == asked).all()
    for place, scaled in layout.scaled.items():
        lasting = sequences.lengths >= place
        everyone = np.arange(len(lasting))
        where = everyone if scaled is None else scaled.numpy()
        assert (rows[place][where[lasting]] == everyone[lasting]).all()
    # In the end the order is that of the batch, of those sequences that last.
    last = rows[-1][rows[-1] >= 0]
    assert (last == np.flatnonzero(sequences.lengths == len(sequences.operators))).all()


@pytest.mark.parametrize("kind", ["chunked", "grouped"])
@given(data=st.data())
def test_the_rows_of_a_product_meet_their_own_operator(kind: str, data: st.DataObject) -> None:
    arrangement: Arrangement = data.draw(arrangements(kind))
    sequences, layout, _, (which, before) = arrangement
    rows = row_sequences(layout)
    for place, (operators, outcomes) in enumerate(
        zip(sequences.operators, sequences.outcomes, strict=True)
    ):
        if isinstance(layout, ChunkedLayout):
            sequence = rows[place][1:]
            number = np.repeat(layout.operators[place].numpy(), layout.size)
            operator, outcome = which[number], before[number]
        elif isinstance(layout, GroupedLayout):
            sequence = rows[place][: layout.active[place]]
            operator = np.repeat(layout.operators[place], layout.sizes[place])
            outcome = layout.outcomes[place].numpy()
        held = sequence >= 0
        assert (operators[sequence[held]] == operator[held]).all()
        assert (outcomes[sequence[held]] == outcome[held]).all()
        assert held.sum() == (operators >= 0).sum()


@pytest.mark.parametrize("kind", ["chunked", "grouped"])
@given(data=st.data())
def test_targets_lead_to_where_sources_come_from(kind: str, data: st.DataObject) -> None:
    layout = data.draw(arrangements(kind)).layout
    rows = row_sequences(layout)
    assert isinstance(layout, ChunkedLayout | GroupedLayout)
    for place, targets in enumerate(layout.targets):
        assert (rows[place + 1][targets.numpy()] == rows[place][: len(targets)]).all()


@given(arrangement=arrangements("chunked"))
def test_the_rows_of_all_places_are_sorted_by_their_operators(arrangement: Arrangement) -> None:
    sequences, layout, *_ = arrangement
    assert isinstance(layout, ChunkedLayout)
    operators = np.concatenate(
        [
            np.concatenate(([-1], np.repeat(which.numpy(), layout.size)))
            for which in layout.operators
        ]
    )
    held = np.concatenate(row_sequences(layout)[:-1]) >= 0
    order = layout.order.numpy()
    assert set(order) == set(np.flatnonzero(held))
    assert (np.diff(operators[order]) >= 0).all()
    counts = np.bincount(operators[order], minlength=layout.counts.shape[1])
    assert (layout.counts.sum(0) == counts).all()
    assert (layout.counts.sum(1) == sequences.operators.shape[1]).all()


@given(arrangement=arrangements("rows"))
def test_tokens_are_the_distinct_pairs_of_operator_and_outcome(arrangement: Arrangement) -> None:
    sequences = arrangement.sequences
    pairs, tokens = tokens_of(sequences, SYMBOLS)
    operators, outcomes = np.divmod(pairs[tokens], SYMBOLS + 1)
    assert (operators == sequences.operators).all()
    assert (outcomes == sequences.outcomes).all()
    assert len(set(pairs.tolist())) == len(pairs) == len(np.unique(tokens))
    sizes = group_sizes(tokens, len(pairs))
    assert (
        sizes == [[(row == token).sum() for token in range(len(pairs))] for row in tokens]
    ).all()
