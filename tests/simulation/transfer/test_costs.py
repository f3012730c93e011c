import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.simulation.costs import SECONDS
from qrnn_circuits.simulation.transfer.buckets import distinct_pairs
from qrnn_circuits.simulation.transfer.costs import (
    BucketKind,
    bucket_counts,
    cheapest_buckets,
    expected_recurrence_size,
    recurrence_size,
    worthwhile_buckets,
    worthwhile_products,
)
from qrnn_circuits.simulation.transfer.products import OperatorSequences, operator_sequences


def random_sequences(batch: int, steps: int, symbols: int, *, seed: int = 0) -> OperatorSequences:
    """Sequences of which the last step is read, without products of operators."""
    rng = np.random.default_rng(seed)
    inputs, outcomes = rng.integers(0, symbols, (2, batch, steps))
    read = np.zeros((batch, steps), dtype=bool)
    read[:, -1] = True
    return operator_sequences(inputs, outcomes, read, symbols, lambda *_: None)


def test_times_are_measured_for_every_part_and_never_negative() -> None:
    assert all(0 <= time < 1 for time in SECONDS.values())
    run = expected_recurrence_size(batch=10, length=20, size=16, operators=4, pairs=16)
    kinds: tuple[BucketKind, ...] = ("row", "operator")
    for kind in kinds:
        counts = bucket_counts(kind, run)
        assert min(counts.values()) > 0


@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(2, 20),
    steps=st.integers(1, 6),
    symbols=st.integers(1, 4),
)
def test_a_recurrence_is_counted_for_each_time_index(
    seed: int, batch: int, steps: int, symbols: int
) -> None:
    sequences = random_sequences(batch, steps, symbols, seed=seed)
    pairs, _ = distinct_pairs(sequences, symbols)
    run = recurrence_size(sequences, len(pairs), 8)
    assert run[:3] == (batch, steps, 8)
    met = [
        list(zip(*rows, strict=True))
        for rows in zip(sequences.operators.tolist(), sequences.outcomes.tolist(), strict=True)
    ]
    assert run.pairs == len({pair for rows in met for pair in rows})
    operators = [len({operator for operator, _ in rows}) for rows in met]
    assert run.buckets == pytest.approx(np.mean(operators))


@pytest.mark.parametrize("batch", [1, 5, 40, 1000])
@pytest.mark.parametrize("symbols", [2, 4])
def test_random_symbols_need_about_as_much_as_expected(batch: int, symbols: int) -> None:
    sequences = random_sequences(batch, 200, symbols)
    actual = recurrence_size(sequences, symbols**2, 8)
    expected = expected_recurrence_size(
        batch=batch, length=200, size=8, operators=symbols, pairs=symbols**2
    )
    assert actual.buckets == pytest.approx(expected.buckets, rel=0.1)


@pytest.mark.parametrize(
    ("batch", "workspace", "kind"),
    [(1, 4, "row"), (500, 4, "row"), (2000, 7, "operator"), (100, 10, "operator")],
)
def test_either_kind_of_buckets_is_taken_where_it_wins(
    batch: int, workspace: int, kind: BucketKind
) -> None:
    run = expected_recurrence_size(
        batch=batch, length=100, size=2**workspace, operators=4, pairs=16
    )
    assert cheapest_buckets(run)[0] == kind
    assert worthwhile_buckets(random_sequences(batch, 100, 4), 16, 2**workspace) == kind


def test_products_pay_for_long_runs_of_few_kinds_and_not_for_single_uses() -> None:
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
