import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks.digit_labels import label_length, label_name, spell_labels


@given(classes=st.integers(1, 10), lane=st.integers(1, 4))
def test_every_class_is_read_back_from_its_symbols(classes: int, lane: int) -> None:
    length = label_length(classes, lane)
    labels = spell_labels(torch.arange(classes), length, lane)
    assert labels.shape == (classes, length)
    assert labels.max() < 2**lane
    names = [str(number) for number in range(classes)]
    assert [label_name(label, names, lane) for label in labels.tolist()] == names


@given(classes=st.integers(2, 10), lane=st.integers(1, 4))
def test_no_fewer_symbols_would_spell_every_class(classes: int, lane: int) -> None:
    length = label_length(classes, lane)
    assert 2 ** (lane * length) >= classes
    assert length == 1 or 2 ** (lane * (length - 1)) < classes
