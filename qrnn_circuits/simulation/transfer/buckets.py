"""Which rows of a batch meet which operator, at each time index of the recurrence.

Rows of one bucket meet the same operator. Either every row is a bucket of its own, in the order of
the batch, or the rows of a time index are sorted into one bucket for each operator, so that each
operator takes its rows in one matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.products import ENDED, Integers, OperatorSequences

# Up to so many rows, one padded product is faster than one for each operator, however much of it
# is padding: without it a training step of memorise or XOR takes 2 to 5 % longer.
_FEW_ROWS = 2**13


@dataclass(frozen=True)
class Buckets:
    """The rows of every time index from 0 to J. ``None`` stands for the order of the batch.

    Attributes:
        widths: Number of rows of each time index.
        start: The sequence in each row of time index 0.
        reads: For each time index, the rows that are read.
        read_counts: For each time index, how many are.
        scaled: The time indices whose states are scaled, J among them, with the row of each
            sequence; of any row where the sequence has ended before.
    """

    widths: list[int]
    start: Tensor | None
    reads: Sequence[Tensor | None]
    read_counts: list[int]
    scaled: dict[int, Tensor | None]


@dataclass(frozen=True)
class RowBuckets(Buckets):
    """Every row is a bucket of its own.

    Attributes:
        pairs: Number of the pair of operator and outcome of each row at each time index, shape
            ``(J * B,)``.
        order: The rows of all time indices before J, counted through and sorted by their pairs.
        counts: For each time index, the number of rows of each pair, shape ``(J, n)``.
        members: The rows of each pair, filled up with ``J * B``, shape ``(n, most)``; ``None``
            where that is much.
    """

    pairs: Tensor
    order: Tensor
    counts: Integers
    members: Tensor | None


@dataclass(frozen=True)
class OperatorBuckets(Buckets):
    """One bucket for each operator that is met at a time index. Rows that have ended come last.

    Attributes:
        sources: For each time index j + 1, what its rows go on from: active rows of j.
        targets: For each time index j, the row of j + 1 that each active row goes on to.
        active: Number of rows of each time index that have an operator to meet.
        operators: The operator of each bucket of each time index.
        sizes: The number of its rows.
        outcomes: For each time index, the outcome before the operator of each active row.
    """

    sources: list[Tensor]
    targets: list[Tensor]
    active: list[int]
    operators: list[list[int]]
    sizes: list[list[int]]
    outcomes: list[Tensor]


def distinct_pairs(sequences: OperatorSequences, symbols: int) -> tuple[Integers, Integers]:
    """The distinct pairs of an operator and the outcome before it.

    Returns:
        The pairs as ``operator * (2**I + 1) + outcome``, shape ``(n,)``, and the number of each
        sequence's pair among them at each time index, shape ``(J, B)``.
    """
    pairs = sequences.operators * (symbols + 1) + sequences.outcomes
    found = np.flatnonzero(np.bincount(pairs.ravel()))
    number = np.empty(found[-1] + 1, dtype=np.int64)
    number[found] = np.arange(len(found))
    return found, number[pairs]


def bucket_sizes(numbers: Integers, count: int) -> Integers:
    """How many sequences have each number at each time index, ``(J, B)`` to ``(J, count)``."""
    length = len(numbers)
    keys = numbers + count * np.arange(length)[:, None]
    return np.bincount(keys.ravel(), minlength=length * count).reshape(length, count)


def row_buckets(
    sequences: OperatorSequences, pairs: Integers, device: torch.device, *, scale_every: int
) -> RowBuckets:
    """Leaves the rows in the order of the batch.

    Args:
        sequences: The operators of each sequence, of equal length.
        pairs: The number of each sequence's pair, from :func:`distinct_pairs`.
        device: Where the indices are needed.
        scale_every: Time indices from one that is scaled to the next.
    """
    length, batch = pairs.shape
    flat = pairs.ravel()
    counts = bucket_sizes(pairs, int(flat.max()) + 1)
    sizes = counts.sum(0)
    # Radix sort, several times faster than others, is what numpy has for 16 bits.
    order = flat.astype(np.uint16 if len(sizes) < 2**16 else np.int64).argsort(kind="stable")
    members = np.empty((len(sizes), 0), dtype=np.int64)
    if len(sizes) * sizes.max() <= _FEW_ROWS:
        members = np.full((len(sizes), sizes.max()), len(flat))
        members[np.arange(members.shape[1]) < sizes[:, None]] = order
    flat_pairs, order_, flat_members, rows = on_device(
        [flat, order, members.ravel(), sequences.read_row], device
    )
    read_counts = np.bincount(sequences.read_time, minlength=length + 1).tolist()
    return RowBuckets(
        widths=[batch] * (length + 1),
        start=None,
        reads=[None if len(read) == batch else read for read in rows.split(read_counts)],
        read_counts=read_counts,
        scaled=dict.fromkeys(_scaled_times(length, scale_every)),
        pairs=flat_pairs,
        order=order_,
        counts=counts,
        members=flat_members.view(members.shape) if members.size else None,
    )


def operator_buckets(
    sequences: OperatorSequences, count: int, device: torch.device, *, scale_every: int
) -> OperatorBuckets:
    """Sorts the rows of each time index by their operators, those that have ended last.

    Args:
        sequences: The operators of each sequence, of any length.
        count: Number of operators, products included.
        device: Where the indices are needed.
        scale_every: Time indices from one that is scaled to the next.
    """
    length, batch = sequences.operators.shape
    # The sequences that end at a time index are kept there, to be read; after it they are gone.
    ends, gone = count, count + 1
    keys = np.full((length + 1, batch), gone)
    keys[:-1] = np.where(sequences.operators == ENDED, gone, sequences.operators)
    keys[sequences.lengths, np.arange(batch)] = ends
    order = keys.argsort(1, kind="stable")
    active, widths = (keys < ends).sum(1), (keys <= ends).sum(1)
    position = np.empty_like(order)
    np.put_along_axis(position, order, np.broadcast_to(np.arange(batch), order.shape), 1)
    sizes = bucket_sizes(keys, count + 2)[:-1, :count]
    operators = [np.flatnonzero(row) for row in sizes]
    outcomes = np.take_along_axis(sequences.outcomes, order[:-1], 1)
    read_counts = np.bincount(sequences.read_time, minlength=length + 1).tolist()
    scaled = _scaled_times(length, scale_every)
    first, read, *rest = on_device(
        [
            order[0],
            position[sequences.read_time, sequences.read_row],
            *(position[j, order[j + 1, : widths[j + 1]]] for j in range(length)),
            *(position[j + 1, order[j, : active[j]]] for j in range(length)),
            *(outcomes[j, : active[j]] for j in range(length)),
            *(np.minimum(position[j], widths[j] - 1) for j in scaled),
        ],
        device,
    )
    return OperatorBuckets(
        widths=widths.tolist(),
        start=first,
        reads=read.split(read_counts),
        read_counts=read_counts,
        scaled=dict(zip(scaled, rest[3 * length :], strict=True)),
        sources=rest[:length],
        targets=rest[length : 2 * length],
        active=active[:-1].tolist(),
        operators=[row.tolist() for row in operators],
        sizes=[sizes[j, row].tolist() for j, row in enumerate(operators)],
        outcomes=rest[2 * length : 3 * length],
    )


def _scaled_times(length: int, scale_every: int) -> list[int]:
    return [*range(scale_every, length, scale_every), length]


def on_device(arrays: list[Integers], device: torch.device) -> list[Tensor]:
    """Index arrays as tensors, in one transfer."""
    whole = torch.from_numpy(np.concatenate(arrays)).to(device)
    return list(whole.split([len(array) for array in arrays]))
