import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits.simulation.transfer import buckets, recurrence, row_products
from qrnn_circuits.simulation.transfer.costs import BucketKind
from qrnn_circuits.simulation.transfer.products import (
    ENDED,
    OperatorSequences,
    operator_sequences,
)
from qrnn_circuits.simulation.transfer.recurrence import Readings, recur
from tests.simulation.transfer.bucketed import (
    KINDS,
    SYMBOLS,
    BucketedBatch,
    bucketed,
    bucketed_batches,
    operators_of_buckets,
    states_one_by_one,
)

SIZE = 4


def variables(batch: BucketedBatch, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Operators, amplitudes of the readout and states to start from."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(batch.sequences.lengths)
    operators, readout, state = (
        torch.randn(*shape, SIZE, generator=generator, dtype=torch.float64)
        for shape in ((batch.operators, SIZE), (SYMBOLS,), (rows,))
    )
    return operators.requires_grad_(), readout.requires_grad_(), state.requires_grad_()


def run(batch: BucketedBatch, operators: Tensor, readout: Tensor, state: Tensor) -> Readings:
    taken = operators_of_buckets(batch, operators, readout)
    return recur(taken, readout, state, batch.buckets)


def fixed(kind: BucketKind, rows: int = 3, steps: int = 7) -> BucketedBatch:
    """A batch that is read at the third step, after which nothing is scaled, and at the last."""
    inputs, outcomes = np.random.default_rng(0).integers(0, SYMBOLS, (2, rows, steps))
    read = np.zeros((rows, steps), dtype=bool)
    read[:, [2, -1]] = True
    sequences = operator_sequences(inputs, outcomes, read, SYMBOLS, lambda *_: None)
    return bucketed(kind, sequences)


@pytest.mark.parametrize("kind", KINDS)
@given(
    data=st.data(),
    seed=st.integers(0, 2**31),
    memory=st.sampled_from([1, 2**28]),
    chunk=st.sampled_from([1, 2**22]),
)
def test_either_kind_of_buckets_reads_the_dense_products(
    kind: BucketKind, data: st.DataObject, seed: int, memory: int, chunk: int
) -> None:
    batch: BucketedBatch = data.draw(bucketed_batches(kind))
    sequences = batch.sequences
    operators, readout, state = variables(batch, seed)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(recurrence, "MOST_STATE_BYTES", memory)
        patch.setattr(recurrence, "CHUNK_BYTES", chunk)
        readings = run(batch, operators, readout, state)
    dense = states_one_by_one(
        sequences, *(tensor.detach().numpy() for tensor in (operators, readout, state))
    )
    read = np.array(
        [
            dense[row][time]
            for time, row in zip(sequences.read_time, sequences.read_row, strict=True)
        ]
    )
    expected = read**2 @ readout.detach().numpy().T ** 2
    found = readings.weights.numpy()
    assert np.allclose(found / found.sum(1, keepdims=True), expected / expected.sum(1)[:, None])
    lasting = [states for states in dense if len(states) == len(batch.buckets.widths)]
    final = np.array([states[-1] for states in lasting])
    assert np.allclose(np.abs(readings.final.numpy()).max(1), 1)
    if sequences.regular:
        scales = readings.scales.prod(0).numpy()
        assert np.allclose(scales[:, None] * readings.final.numpy(), final)


def test_the_least_amplitude_is_also_that_of_a_sequence_that_ends_before_it_is_scaled() -> None:
    operators = np.array([[0, 1], [ENDED, 1], [ENDED, 1]])
    outcomes = np.where(operators == ENDED, ENDED, SYMBOLS)
    ends = np.array([1, 3])
    rows = np.arange(2)
    sequences = OperatorSequences(operators, outcomes, ends, [], ends, rows, ends - 1)
    batch = bucketed("operator", sequences)
    sizes = torch.tensor([1e-30, 1.0, 1.0], dtype=torch.float64)
    same = sizes[:, None, None] * torch.eye(SIZE, dtype=torch.float64)
    start = torch.ones(2, SIZE, dtype=torch.float64)
    readings = run(batch, same, torch.ones(SYMBOLS, SIZE, dtype=torch.float64), start)
    assert readings.least.item() == pytest.approx(1e-30)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_equal_finite_differences(kind: BucketKind) -> None:
    # Of so many rows, the order in which they stand in operator buckets is not its own inverse.
    batch = fixed(kind, rows=6)

    def outputs(operators: Tensor, readout: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        readings = run(batch, operators, readout, state)
        distribution = readings.weights / readings.weights.sum(1, keepdim=True)
        # Scales count as constants: only the direction of the final states is differentiable.
        return distribution, torch.nn.functional.normalize(readings.final)

    assert torch.autograd.gradcheck(outputs, variables(batch, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_neither_segments_nor_chunks_change_the_gradients(
    kind: BucketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where they are computed again in segments of isqrt(12) = 3 time indices, some of which are not
    # read at all, and none ends where states are scaled.
    batch = fixed(kind, rows=5, steps=12)
    operators, readout, state = variables(batch, 2)
    results = []
    widest = max(batch.buckets.widths) * SIZE * 8
    for memory, chunk, looked_up, few_rows, least_summed in [
        (2**28, 2**22, 2**20, 2**12, 2**10),
        (2**28, 5 * widest, 1, 2**12, 2**10),
        (1, 2**22, 5 * 5 * SIZE**2, 2**12, 2**10),
        (1, 2 * widest, 2**20, 2**12, 2**10),
        (2**28, 2**22, 2**20, 0, 2**10),
        (2**28, 2**22, 2**20, 2**12, 0),
        (1, 2 * widest, 5 * 5 * SIZE, 0, 0),
    ]:
        monkeypatch.setattr(recurrence, "MOST_STATE_BYTES", memory)
        monkeypatch.setattr(recurrence, "CHUNK_BYTES", chunk)
        monkeypatch.setattr(row_products, "MOST_LOOKED_UP", looked_up)
        monkeypatch.setattr(buckets, "_FEW_ROWS", few_rows)
        monkeypatch.setattr(row_products, "LEAST_SUMMED", least_summed)
        batch = fixed(kind, rows=5, steps=12)
        readings = run(batch, operators, readout, state)
        generator = torch.Generator().manual_seed(0)
        differentiable = (readings.weights, readings.final)
        weights = [
            torch.randn(part.shape, generator=generator, dtype=torch.float64)
            for part in differentiable
        ]
        for retain in (True, False):
            gradients = torch.autograd.grad(
                differentiable, (operators, readout, state), weights, retain_graph=retain
            )
            results.append((*readings, *gradients))
    for others in results[1:]:
        for expected, found in zip(results[0], others, strict=True):
            assert torch.allclose(expected, found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_many_states_are_kept_for_one_segment_at_a_time(
    kind: BucketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = fixed(kind, rows=4, steps=100)
    operators, readout, state = variables(batch, 3)
    widest = max(batch.buckets.widths) * SIZE * 8
    monkeypatch.setattr(recurrence, "MOST_STATE_BYTES", 20 * widest)
    taken = operators_of_buckets(batch, operators, readout).detach()
    passes = recurrence._Run(taken, readout.detach(), state.detach(), batch.buckets)
    passes.forward()
    assert passes.segments == [(first, min(first + 20, 100)) for first in range(0, 100, 20)]
    assert passes.propagation.states.numel() == 0
    passes._fill(0)
    assert 8 * passes.propagation.states.numel() <= 21 * widest
    # What is kept of the other segments holds on to nothing else.
    assert all(kept.untyped_storage().nbytes() == kept.nbytes for kept in passes.segment_states)


@pytest.mark.parametrize("kind", KINDS)
def test_an_impossible_outcome_leaves_zeros_and_is_seen_in_the_least_amplitude(
    kind: BucketKind,
) -> None:
    batch = fixed(kind)
    operators, readout, state = variables(batch, 4)
    with torch.no_grad():
        readout[int(batch.sequences.outcomes[1, 1])] = 0
        readings = run(batch, operators, readout, state)
    assert readings.least == torch.finfo(torch.float64).tiny
    assert all(torch.isfinite(part).all() for part in readings)
    assert (readings.final[1] == 0).all()
    third, last = readings.weights.view(2, 3, SYMBOLS)[:, 1]
    assert (third == 0).all()
    assert (last == 0).all()
