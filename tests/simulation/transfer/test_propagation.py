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
        run.advance(time)
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
    run.enter_chunk(0, len(after))
    for time in reversed(range(len(after))):
        back = run.retreat(time, gradients[time + 1])
        product = (back * states[time]).sum()
        assert torch.allclose(product, (gradients[time + 1] * after[time]).sum())
    run.collect(0, len(after))

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


def test_buckets_of_another_kind_are_rejected() -> None:
    buckets: Any = "row"
    with pytest.raises(TypeError, match="must be RowBuckets or OperatorBuckets, got 'row'"):
        propagation(torch.zeros(1, 2, 2), torch.zeros(2, 2), buckets)
