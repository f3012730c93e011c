from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits.simulation.transfer.costs import BucketKind
from qrnn_circuits.simulation.transfer.propagation import Propagation, propagation
from tests.simulation.transfer.bucketed import (
    KINDS,
    SYMBOLS,
    BucketedBatch,
    bucketed_batches,
    row_sequences,
)

SIZE = 3


def random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_rows(batch: BucketedBatch, seed: int) -> list[Tensor]:
    """Rows of numbers for each time index."""
    return [
        random(len(rows), SIZE, seed=seed + time)
        for time, rows in enumerate(row_sequences(batch.buckets))
    ]


def advanced(run: Propagation, states: list[Tensor]) -> list[Tensor]:
    """What each time index's states become at the next."""
    length = len(states) - 1
    result = []
    run.enter(states[0], 0, length)
    for time in range(length):
        run.by_time[time].copy_(states[time].view_as(run.by_time[time]))
        run.advance(time, time + 1)
        result.append(run.by_time[time + 1].clone().view(-1, SIZE))
    return result


def total(gradients: list[Tensor], states: list[Tensor]) -> Tensor:
    return sum(((a * b).sum() for a, b in zip(gradients, states, strict=True)), torch.zeros(()))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_a_step_back_is_the_transpose_of_a_step_forward(
    kind: BucketKind, data: st.DataObject, seed: int
) -> None:
    batch: BucketedBatch = data.draw(bucketed_batches(kind))
    buckets = batch.buckets
    shape = (len(batch.pairs[0]), SIZE, SIZE)
    operators, readout = random(*shape, seed=seed), random(SYMBOLS, SIZE, seed=seed + 1)
    states, gradients = (random_rows(batch, seed=seed + i) for i in (100, 200))

    def forward(operators: Tensor, readout: Tensor) -> list[Tensor]:
        return advanced(propagation(operators, readout, buckets), states)

    run = propagation(operators, readout, buckets)
    after = advanced(run, states)
    for time, given_states in enumerate(states[:-1]):
        run.by_time[time].copy_(given_states.view_as(run.by_time[time]))
    run.start_backward()
    for time in reversed(range(len(after))):
        nothing = torch.zeros(buckets.read_counts[time + 1], SIZE, dtype=torch.float64)
        run.enter_chunk(time, time + 1, gradients[time + 1].clone(), nothing)
        back = run.retreat(time + 1, time)
        product = (back * states[time]).sum()
        assert torch.allclose(product, (gradients[time + 1] * after[time]).sum())
        run.collect(time, time + 1)

    # Linear in the operators, and in each readout: their gradients give any change exactly.
    changes = random(*shape, seed=seed + 2)
    to_operators, to_readout = run.gradients()
    assert torch.allclose(
        (to_operators * changes).sum(), total(gradients[1:], forward(changes, readout))
    )
    if to_readout is not None:
        change = random(SYMBOLS, SIZE, seed=seed + 3)
        expected = total(gradients[1:], forward(operators, readout + change)) - total(
            gradients[1:], after
        )
        assert torch.allclose((to_readout * change).sum(), expected)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_a_way_back_takes_the_gradients_of_what_is_read_on_it_along(
    kind: BucketKind, data: st.DataObject, seed: int
) -> None:
    batch: BucketedBatch = data.draw(bucketed_batches(kind))
    buckets, length = batch.buckets, len(batch.buckets.widths) - 1
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first + 1, length))
    between = data.draw(st.integers(first, last - 1))
    operators = random(len(batch.pairs[0]), SIZE, SIZE, seed=seed)
    run = propagation(operators, random(SYMBOLS, SIZE, seed=seed + 1), buckets)
    begin = random(buckets.widths[first], SIZE, seed=seed + 2)
    counts = buckets.read_counts[first + 1 : last + 1]
    reads = random(sum(counts), SIZE, seed=seed + 3)
    after = random(buckets.widths[last], SIZE, seed=seed + 4)

    # Each state is linear in the first one, so that what it is multiplied by goes back to that.
    run.enter(begin, first, last)
    run.advance(first, last)
    states = [states.reshape(-1, SIZE).clone() for states in run.by_time]
    read = [
        state if rows is None else state[rows]
        for state, rows in zip(states[1:], buckets.reads[first + 1 : last + 1], strict=True)
    ]
    expected = (after * states[-1]).sum() + (reads * torch.cat(read)).sum()
    run.start_backward()
    run.enter_chunk(first, last, after.clone(), reads)
    back = run.retreat(last, between)
    if between > first:
        back = run.retreat(between, first)
    assert torch.allclose((back * begin).sum(), expected)


def test_buckets_of_another_kind_are_rejected() -> None:
    buckets: Any = "row"
    with pytest.raises(TypeError, match="must be RowBuckets or OperatorBuckets, got 'row'"):
        propagation(torch.zeros(1, 2, 2), torch.zeros(2, 2), buckets)
