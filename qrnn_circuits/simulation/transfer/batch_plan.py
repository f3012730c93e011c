"""What the symbols of a batch alone decide, before any parameter is looked at."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.simulation.transfer.buckets import (
    Buckets,
    distinct_pairs,
    on_device,
    operator_buckets,
    row_buckets,
)
from qrnn_circuits.simulation.transfer.build import OperatorIndices, operator_indices
from qrnn_circuits.simulation.transfer.costs import worthwhile_buckets, worthwhile_products
from qrnn_circuits.simulation.transfer.products import Integers, Mask, operator_sequences
from qrnn_circuits.simulation.transfer.reading import Owners

# A plan that is remembered saves a tenth of a training step of memorise. The plans of larger
# batches take little of their steps' time, and much memory.
MOST_REMEMBERED_SYMBOLS = 2**12


@dataclass(frozen=True)
class BatchPlan:
    """How a batch is run.

    Attributes:
        operators: The operators to build.
        buckets: Which rows meet which of them.
        positions: The place in the flattened batch of each step that is read, shape ``(R,)``.
        owners: The cell of each state that is read, where there are several cells.
    """

    operators: OperatorIndices
    buckets: Buckets
    positions: Tensor
    owners: Owners | None


def batch_plan(
    inputs: Tensor,
    outcomes: Tensor,
    read: Tensor | None,
    *,
    symbols: int,
    size: int,
    scale_every: int,
    cells: int = 1,
) -> BatchPlan:
    """Plans a batch, unless it is a small one that has just been planned.

    A training set that fits into one batch comes again at every step, and the evaluations of a line
    search share a batch.

    Args:
        inputs: Input symbols, int64, shape ``(B, T)``.
        outcomes: The outcome that each step is conditioned on, or ``UNREAD``, int64, shape
            ``(B, T)``.
        read: The steps whose states are read, bool, of that shape, or ``None`` for all. The last
            step of each sequence is always among them.
        symbols: Number of symbols, ``2**I``, of all cells; the last one may be of no cell.
        size: Amplitudes of a state, ``2**W``.
        scale_every: Time indices from one that is scaled to the next.
        cells: Number E of cells with symbols of their own, each of which has as many sequences.
    """
    arrays = (inputs.cpu().numpy(), outcomes.cpu().numpy())
    mask = np.ones(arrays[0].shape, dtype=bool) if read is None else read.cpu().numpy()
    numbers = (symbols, size, scale_every, cells)
    # Inference tensors would be of no use to later training.
    with torch.inference_mode(mode=False):
        if mask.size > MOST_REMEMBERED_SYMBOLS:
            return _planned(*arrays, mask, inputs.device, *numbers)
        contents = [array.tobytes() for array in (*arrays, mask)]
        return _remembered(*contents, len(mask), inputs.device, *numbers)


@lru_cache(maxsize=2)
def _remembered(
    inputs: bytes, outcomes: bytes, mask: bytes, batch: int, device: torch.device, *numbers: int
) -> BatchPlan:
    """The plan of a batch of these contents. One more is kept for the validation in between."""
    return _planned(
        np.frombuffer(inputs, np.int64).reshape(batch, -1),
        np.frombuffer(outcomes, np.int64).reshape(batch, -1),
        np.frombuffer(mask, np.bool_).reshape(batch, -1),
        device,
        *numbers,
    )


def _planned(
    inputs: Integers,
    outcomes: Integers,
    mask: Mask,
    device: torch.device,
    symbols: int,
    size: int,
    scale_every: int,
    cells: int,
) -> BatchPlan:
    mask = mask.copy()
    mask[:, -1] = True
    # No outcome, which leaves the state as it is, has the number after the last symbol's.
    outcomes = np.where(outcomes == UNREAD, symbols, outcomes)
    sequences = operator_sequences(
        inputs, outcomes, mask, symbols, worthwhile_products(len(inputs), size, cells)
    )
    pairs: Integers | None = None
    buckets: Buckets
    if sequences.regular:
        pairs, pair_numbers = distinct_pairs(sequences, symbols)
        if worthwhile_buckets(sequences, len(pairs), size) == "operator":
            pairs = None
    if pairs is None:
        count = symbols + sum(len(level.left) for level in sequences.products)
        buckets = operator_buckets(sequences, count, device, scale_every=scale_every)
    else:
        buckets = row_buckets(sequences, pair_numbers, device, scale_every=scale_every)
    used = np.flatnonzero(np.bincount(inputs.ravel()))
    owners = None
    if cells > 1:
        used = _used_by_any(used, symbols // cells, cells)
        owners = Owners(cells, sequences.read_row // (len(inputs) // cells))
    operators = operator_indices(used, sequences.products, pairs, symbols, device)
    places = sequences.read_row * inputs.shape[1] + sequences.read_step
    (positions,) = on_device([places], device)
    return BatchPlan(operators, buckets, positions, owners)


def _used_by_any(used: Integers, symbols: int, cells: int) -> Integers:
    """The symbols of all cells that some cell uses, and what follows them as it is.

    Args:
        used: Ascending, shape ``(n,)``.
        symbols: Number of symbols of a cell.
        cells: Number of cells.
    """
    own = used < cells * symbols
    kinds = np.unique(used[own] % symbols)
    every = (np.arange(cells)[:, None] * symbols + kinds).ravel()
    return np.concatenate([every, used[~own]])
