"""Sequences of unequal lengths, one beside the other."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence


def turned(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Sequences from back to front; each one's end stays behind its last step.

    Args:
        values: Shape ``(T, B, F)``.
        lengths: Of each sequence, int64, shape ``(B,)``; None where all have T steps.

    Example:
        >>> values = torch.tensor([[[1], [4]], [[2], [5]], [[3], [0]]])
        >>> turned(values, torch.tensor([3, 2]))[..., 0].T
        tensor([[3, 2, 1],
                [5, 4, 0]])
    """
    if lengths is None:
        return values.flip(0)
    places = torch.arange(len(values), device=values.device)[:, None]
    ends = lengths.to(values.device)
    places = torch.where(places < ends, ends - 1 - places, places)
    return values.gather(0, places[..., None].expand_as(values))


def at_ends(values: Tensor, lengths: Tensor) -> Tensor:
    """Of each sequence what belongs to its last step.

    Args:
        values: Shape ``(T, B, ...)``.
        lengths: Of each sequence, int64, shape ``(B,)``.

    Returns:
        Shape ``(B, ...)``.

    Example:
        >>> at_ends(torch.tensor([[1, 4], [2, 5], [3, 0]]), torch.tensor([3, 2]))
        tensor([3, 5])
    """
    batch = torch.arange(values.shape[1], device=values.device)
    last: Tensor = values[lengths.to(values.device) - 1, batch]
    return last


def packed_like(packed: PackedSequence, values: Tensor, lengths: Tensor) -> PackedSequence:
    """Packs what belongs to the steps of packed sequences, in their order.

    Args:
        packed: The sequences.
        values: Of each step, shape ``(T, B, ...)``, as ``pad_packed_sequence`` lays them out.
        lengths: Of each sequence, int64, shape ``(B,)``.

    Example:
        >>> packed = torch.nn.utils.rnn.pack_sequence([torch.ones(3), torch.ones(2)])
        >>> values = torch.tensor([[1, 4], [2, 5], [3, 0]])
        >>> packed_like(packed, values, torch.tensor([3, 2])).data
        tensor([1, 4, 2, 5, 3])
    """
    order = packed.sorted_indices
    if order is not None:
        values = values.index_select(1, order)
        lengths = lengths[order.to(lengths.device)]
    data = pack_padded_sequence(values, lengths).data
    return PackedSequence(data, packed.batch_sizes, order, packed.unsorted_indices)
