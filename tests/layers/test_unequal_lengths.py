import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from qrnn_circuits.layers.unequal_lengths import at_ends, packed_like, turned

Lengths = list[int]
lengths_of_sequences = st.lists(st.integers(1, 6), min_size=1, max_size=5)


def sequences(lengths: Lengths) -> list[torch.Tensor]:
    return [10.0 * row + torch.arange(1, length + 1.0) for row, length in enumerate(lengths)]


@given(lengths_of_sequences)
def test_what_is_turned_is_each_sequence_from_back_to_front(lengths: Lengths) -> None:
    padded, found = pad_packed_sequence(pack_sequence(sequences(lengths), enforce_sorted=False))
    back = turned(padded[..., None], found)
    for column, sequence in zip(back[..., 0].T, sequences(lengths), strict=True):
        torch.testing.assert_close(column[: len(sequence)], sequence.flip(0))
    torch.testing.assert_close(turned(back, found)[..., 0], padded)


@given(lengths_of_sequences)
def test_what_is_at_the_ends_is_the_last_of_each_sequence(lengths: Lengths) -> None:
    padded, found = pad_packed_sequence(pack_sequence(sequences(lengths), enforce_sorted=False))
    ends = torch.stack([sequence[-1] for sequence in sequences(lengths)])
    torch.testing.assert_close(at_ends(padded, found), ends)


@given(lengths_of_sequences)
def test_sequences_that_were_padded_are_packed_as_before(lengths: Lengths) -> None:
    packed = pack_sequence(sequences(lengths), enforce_sorted=False)
    padded, found = pad_packed_sequence(packed)
    again = packed_like(packed, padded, found)
    torch.testing.assert_close(again.data, packed.data)
    assert torch.equal(again.batch_sizes, packed.batch_sizes)
