import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.simulation.costs import (
    SECONDS,
    cheapest_layout,
    expected_recurrence_size,
    layout_counts,
    recurrence_size,
    seconds,
    worthwhile_layout,
    worthwhile_products,
)
from qrnn_circuits.simulation.transfer.layouts import tokens_of
from qrnn_circuits.simulation.transfer.products import OperatorSequences, operator_sequences


def random_sequences(
    batch: int, steps: int, symbols: int, *, seed: int = 0, least: int = 10**6
) -> OperatorSequences:
    """Sequences of which the last step is read, with products of what occurs often enough."""
    rng = np.random.default_rng(seed)
    inputs, outcomes = rng.integers(0, symbols, (2, batch, steps))
    read = np.zeros((batch, steps), dtype=bool)
    read[:, -1] = True
    return operator_sequences(inputs, outcomes, read, symbols, lambda counts, _: counts >= least)


def test_times_are_measured_for_every_part_and_never_negative() -> None:
    assert all(0 <= time < 1 for time in SECONDS.values())
    run = expected_recurrence_size(batch=10, places=20, size=16, operators=4, tokens=16)
    for choice in (("rows", 1), ("grouped", 0), *(("chunked", chunk) for chunk in run.chunks)):
        counts = layout_counts(choice, run)  # type: ignore[arg-type]
        assert min(counts.values()) > 0
        assert seconds(counts) == sum(SECONDS[part] * count for part, count in counts.items())


@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(2, 20),
    steps=st.integers(1, 6),
    symbols=st.integers(1, 4),
)
def test_a_plan_is_counted_place_by_place(seed: int, batch: int, steps: int, symbols: int) -> None:
    sequences = random_sequences(batch, steps, symbols, seed=seed)
    _, tokens = tokens_of(sequences, symbols)
    run = recurrence_size(sequences, tokens, 8)
    assert run[:3] == (batch, steps, 8)
    pairs = [
        list(zip(*place, strict=True))
        for place in zip(sequences.operators.tolist(), sequences.outcomes.tolist(), strict=True)
    ]
    assert run.tokens == len({pair for place in pairs for pair in place})
    operators = [len({operator for operator, _ in place}) for place in pairs]
    assert run.groups == pytest.approx(np.mean(operators))
    for chunk, chunks in run.chunks.items():
        needed = [sum(-(-place.count(pair) // chunk) for pair in set(place)) for place in pairs]
        assert chunks == pytest.approx(np.mean(needed))


@pytest.mark.parametrize("batch", [1, 5, 40, 1000])
@pytest.mark.parametrize("symbols", [2, 4])
def test_random_symbols_need_about_as_much_as_expected(batch: int, symbols: int) -> None:
    sequences = random_sequences(batch, 200, symbols)
    actual = recurrence_size(sequences, tokens_of(sequences, symbols)[1], 8)
    expected = expected_recurrence_size(
        batch=batch, places=200, size=8, operators=symbols, tokens=symbols**2
    )
    assert actual.groups == pytest.approx(expected.groups, rel=0.1)
    assert actual.chunks.keys() == expected.chunks.keys()
    for chunk, chunks in actual.chunks.items():
        assert 0.95 * chunks < expected.chunks[chunk] < 2 * chunks


def test_layouts_are_taken_where_they_win() -> None:
    def taken(batch: int, workspace: int) -> str:
        run = expected_recurrence_size(
            batch=batch, places=100, size=2**workspace, operators=4, tokens=16
        )
        return cheapest_layout(run)[0][0]

    assert taken(1, 4) == "rows"
    assert taken(2000, 4) == "chunked"
    assert taken(100, 10) == "grouped"


def test_products_pay_for_long_stretches_of_few_kinds_and_not_for_single_uses() -> None:
    for size in (4, 32):
        worth = worthwhile_products(64, size)
        built = worth(np.full(2, 64 * 250), 500)
        assert built is not None
        assert built.all()
        assert worth(np.ones(64, dtype=np.int64), 1) is None
    worth = worthwhile_products(100, 256)
    built = worth(np.array([256, 257]), 50)
    assert built is not None
    assert built.tolist() == [False, True]


def test_sequences_of_different_lengths_are_grouped() -> None:
    sequences = random_sequences(40, 20, 2, least=60)
    assert not sequences.regular
    assert worthwhile_layout(sequences, 2, 4)[0] == "grouped"


def test_the_layout_comes_with_the_tokens_that_it_needs() -> None:
    sequences = random_sequences(300, 20, 2)
    kind, chunk, (pairs, tokens) = worthwhile_layout(sequences, 2, 4)
    run = recurrence_size(sequences, tokens, 4)
    assert (kind, chunk) == cheapest_layout(run)[0]
    expected_pairs, expected_tokens = tokens_of(sequences, 2)
    assert (pairs == expected_pairs).all()
    assert (tokens == expected_tokens).all()
