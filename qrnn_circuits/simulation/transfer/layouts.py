"""How the sequences of a batch are arranged, place by place, so that operators meet many at once.

The state of place j is the one after j operators. The rows of a place are arranged by the operator
that they meet next, so that each operator takes its rows in one matrix product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qrnn_circuits.simulation.transfer.products import ENDED, Integers, OperatorSequences

# Up to so many rows, one padded product is faster than one for each operator, however much of it
# is padding.
_FEW_ROWS = 2**12


@dataclass(frozen=True)
class Layout:
    """Where the sequences are at every place. ``None`` stands for the order of the batch.

    Attributes:
        widths: Number of rows of each place, from 0 to J.
        start: The sequence in each row of place 0; B where there is none.
        reads: For each place, the rows that are read.
        read_counts: For each place, how many are.
        scaled: The places whose states are scaled, the last one among them, with the row of each
            sequence; of any row where the sequence has ended before.
    """

    widths: list[int]
    start: Tensor | None
    reads: Sequence[Tensor | None]
    read_counts: list[int]
    scaled: dict[int, Tensor | None]


@dataclass(frozen=True)
class RowLayout(Layout):
    """Every row of every place has an operator of its own.

    Attributes:
        tokens: Number of the operator of each row of each place, shape ``(J * B,)``.
        order: The rows of all places from 0 to J - 1, counted through and sorted by their
            operators.
        counts: For each place, the number of rows of each operator, shape ``(J, n)``.
        members: The rows that meet each operator, filled up with ``J * B``, shape ``(n, most)``;
            ``None`` where they are many and most of that would be filling.
    """

    tokens: Tensor
    order: Tensor
    counts: Integers
    members: Tensor | None


@dataclass(frozen=True)
class ChunkedLayout(Layout):
    """Rows that meet the same operator, in chunks of one size.

    Chunks are filled up with copies of a row of zeros, the first of every place but the last one,
    and the last of that.

    Attributes:
        sources: For each place j + 1, what its rows go on from: rows of place j.
        targets: For each place j, the row of place j + 1 that each of its rows goes on to.
        size: Number of rows of a chunk.
        operators: For each place, the number of the operator of each chunk.
        order: The rows of all places from 0 to J - 1 that hold a sequence, counted through and
            sorted by their operators.
        counts: For each place, the number of such rows of each operator, shape ``(J, n)``.
    """

    sources: list[Tensor]
    targets: list[Tensor]
    size: int
    operators: list[Tensor]
    order: Tensor
    counts: Integers


@dataclass(frozen=True)
class GroupedLayout(Layout):
    """Rows in one group for each operator that a place needs. Rows that have ended come last.

    Attributes:
        sources: For each place j + 1, what its rows go on from: active rows of place j.
        targets: For each place j, the row of place j + 1 that each active row goes on to.
        active: Number of rows of each place that have an operator to meet.
        operators: The operator of each group of each place.
        sizes: The number of its rows.
        outcomes: For each place, the outcome before the operator of each active row.
    """

    sources: list[Tensor]
    targets: list[Tensor]
    active: list[int]
    operators: list[list[int]]
    sizes: list[list[int]]
    outcomes: list[Tensor]


def tokens_of(sequences: OperatorSequences, symbols: int) -> tuple[Integers, Integers]:
    """The distinct pairs of an operator and the outcome before it.

    Returns:
        The pairs as ``operator * (2**I + 1) + outcome``, shape ``(n,)``, and the number of each
        sequence's pair among them at each place, shape ``(J, B)``.
    """
    pairs = sequences.operators * (symbols + 1) + sequences.outcomes
    found = np.flatnonzero(np.bincount(pairs.ravel()))
    number = np.empty(found[-1] + 1, dtype=np.int64)
    number[found] = np.arange(len(found))
    return found, number[pairs]


def group_sizes(tokens: Integers, groups: int) -> Integers:
    """How many sequences of each place meet each operator, shape ``(J, n)``."""
    places = len(tokens)
    numbers = tokens + groups * np.arange(places)[:, None]
    return np.bincount(numbers.ravel(), minlength=places * groups).reshape(places, groups)


def row_layout(
    sequences: OperatorSequences, tokens: Integers, device: torch.device, *, scale_every: int
) -> RowLayout:
    """Leaves the rows in the order of the batch.

    Args:
        sequences: The plan, of sequences of equal length.
        tokens: Number of the operator of each sequence at each place, shape ``(J, B)``.
        device: Where the indices are needed.
        scale_every: Places from one that is scaled to the next.
    """
    places, batch = tokens.shape
    flat = tokens.ravel()
    group_counts = group_sizes(tokens, int(flat.max()) + 1)
    sizes = group_counts.sum(0)
    order = _by_group(flat)
    members = np.empty((len(sizes), 0), dtype=np.int64)
    if len(sizes) * sizes.max() <= max(4 * len(flat), _FEW_ROWS):
        members = np.full((len(sizes), sizes.max()), len(flat))
        members[np.arange(members.shape[1]) < sizes[:, None]] = order
    flat_tokens, order_, flat_members, rows = on_device(
        [flat, order, members.ravel(), sequences.read_row], device
    )
    counts = np.bincount(sequences.read_place, minlength=places + 1).tolist()
    reads: list[Tensor | None] = []
    end = 0
    for count in counts:
        end += count
        reads.append(None if count == batch else rows[end - count : end])
    return RowLayout(
        widths=[batch] * (places + 1),
        start=None,
        reads=reads,
        read_counts=counts,
        scaled=dict.fromkeys(_scaled_places(places, scale_every)),
        tokens=flat_tokens,
        order=order_,
        counts=group_counts,
        members=flat_members.view(members.shape) if members.size else None,
    )


def chunked_layout(
    sequences: OperatorSequences,
    tokens: Integers,
    groups: int,
    size: int,
    device: torch.device,
    *,
    scale_every: int,
) -> ChunkedLayout:
    """Arranges the rows of each place by their operators.

    Args:
        sequences: The plan, of sequences of equal length.
        tokens: Number of the operator of each sequence at each place, shape ``(J, B)``.
        groups: Number of operators.
        size: Number of rows of a chunk.
        device: Where the indices are needed.
        scale_every: Places from one that is scaled to the next.
    """
    places, batch = tokens.shape
    counts = group_sizes(tokens, groups)
    chunks = -(-counts // size)
    widths = size * chunks.sum(1) + 1
    order = _by_group(tokens)
    ordered = np.take_along_axis(tokens, order, 1)
    # Where each group begins, less the number of sequences before it: what they are moved by.
    moves = 1 + size * (chunks.cumsum(1) - chunks) - (counts.cumsum(1) - counts)
    moved = np.take_along_axis(moves, ordered, 1) + np.arange(batch)
    position = np.empty((places + 1, batch), dtype=np.int64)
    np.put_along_axis(position[:-1], order, moved, 1)
    position[-1] = np.arange(batch)
    through = position[:-1] + (widths.cumsum() - widths)[:, None]
    source = np.zeros(widths.sum() - widths[0] + batch + 1, dtype=np.int64)
    source[through[1:] - widths[0]] = position[:-2]
    source[-batch - 1 : -1] = position[-2]
    target = np.zeros(widths.sum(), dtype=np.int64)
    target[-widths[-1] :] = batch
    target[through] = position[1:]
    start = np.full(widths[0], batch)
    start[position[0]] = np.arange(batch)
    reads = np.bincount(sequences.read_place, minlength=places + 1)
    read = position[sequences.read_place, sequences.read_row]
    which = np.repeat(np.tile(np.arange(groups), places), chunks.ravel())
    scaled = _scaled_places(places, scale_every)
    by_token = through.ravel()[_by_group(tokens.ravel())]
    first, sources, targets, reads_, which_, by_token_, *rest = on_device(
        [start, source, target, read, which, by_token, *position[scaled]], device
    )
    return ChunkedLayout(
        widths=[*widths.tolist(), batch + 1],
        start=first,
        sources=list(sources.split([*widths[1:].tolist(), batch + 1])),
        targets=list(targets.split(widths.tolist())),
        reads=list(reads_.split(reads.tolist())),
        read_counts=reads.tolist(),
        scaled=dict(zip(scaled, rest, strict=True)),
        size=size,
        operators=list(which_.split(chunks.sum(1).tolist())),
        order=by_token_,
        counts=counts,
    )


def grouped_layout(
    sequences: OperatorSequences, count: int, device: torch.device, *, scale_every: int
) -> GroupedLayout:
    """Arranges the rows of each place by their operators, those that have ended last.

    Args:
        sequences: The plan, of sequences of any lengths.
        count: Number of operators, products included.
        device: Where the indices are needed.
        scale_every: Places from one that is scaled to the next.
    """
    places, batch = sequences.operators.shape
    # The sequences that end at a place are kept there, to be read; after it they are gone.
    ends, gone = count, count + 1
    keys = np.full((places + 1, batch), gone)
    keys[:-1] = np.where(sequences.operators == ENDED, gone, sequences.operators)
    keys[sequences.lengths, np.arange(batch)] = ends
    order = keys.argsort(1, kind="stable")
    active, widths = (keys < ends).sum(1), (keys <= ends).sum(1)
    position = np.empty_like(order)
    np.put_along_axis(position, order, np.broadcast_to(np.arange(batch), order.shape), 1)
    sizes = np.bincount(
        (keys + (count + 2) * np.arange(places + 1)[:, None]).ravel(),
        minlength=(places + 1) * (count + 2),
    ).reshape(places + 1, -1)[:-1, :count]
    operators = [np.flatnonzero(row) for row in sizes]
    outcomes = np.take_along_axis(sequences.outcomes, order[:-1], 1)
    reads = np.bincount(sequences.read_place, minlength=places + 1)
    read = _parts(position[sequences.read_place, sequences.read_row], reads)
    scaled = _scaled_places(places, scale_every)
    first, *rest = on_device(
        [
            order[0],
            *(position[j, order[j + 1, : widths[j + 1]]] for j in range(places)),
            *(position[j + 1, order[j, : active[j]]] for j in range(places)),
            *read,
            *(outcomes[j, : active[j]] for j in range(places)),
            *(np.minimum(position[j], widths[j] - 1) for j in scaled),
        ],
        device,
    )
    return GroupedLayout(
        widths=widths.tolist(),
        start=first,
        sources=rest[:places],
        targets=rest[places : 2 * places],
        reads=rest[2 * places : 3 * places + 1],
        read_counts=reads.tolist(),
        scaled=dict(zip(scaled, rest[4 * places + 1 :], strict=True)),
        active=active[:-1].tolist(),
        operators=[row.tolist() for row in operators],
        sizes=[sizes[place, row].tolist() for place, row in enumerate(operators)],
        outcomes=rest[3 * places + 1 : 4 * places + 1],
    )


def _by_group(numbers: Integers) -> Integers:
    """Sorts along the last axis."""
    # Radix sort, several times faster than others, is what numpy has for 16 bits.
    narrow = np.uint16 if numbers.max() < 2**16 else np.int64
    return numbers.astype(narrow).argsort(-1, kind="stable")


def _scaled_places(places: int, scale_every: int) -> list[int]:
    return [*range(scale_every, places, scale_every), places]


def _parts(array: Integers, counts: Integers) -> list[Integers]:
    """Consecutive parts of an array, of some lengths. Faster than numpy's split."""
    ends = counts.cumsum().tolist()
    return [array[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True)]


def on_device(arrays: list[Integers], device: torch.device) -> list[Tensor]:
    """Index arrays as tensors, in one transfer."""
    whole = torch.from_numpy(np.concatenate(arrays)).to(device)
    return list(whole.split([len(array) for array in arrays]))
