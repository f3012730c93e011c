import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks import Letters

LETTERS = {0: "a", 1: "i", 2: "u", 4: "b", 5: "d", 6: "g"}


@given(length=st.integers(1, 40), seed=st.integers(0, 99))
def test_streams_are_consonants_each_with_its_vowels(length: int, seed: int) -> None:
    batch = Letters(length).batch(6, torch.Generator().manual_seed(seed))
    for inputs in batch.inputs.tolist():
        stream = "".join(LETTERS[s] for s in inputs)
        assert len(stream) == length
        assert re.fullmatch("(ba|dii|guuu)*(b|di?|gu{0,2})?", stream)


@given(length=st.integers(1, 40), seed=st.integers(0, 99))
def test_outcomes_are_the_next_vowel_or_any_consonant(length: int, seed: int) -> None:
    batch = Letters(length).batch(6, torch.Generator().manual_seed(seed))
    assert batch.scored.all()
    for inputs, outcomes in zip(batch.inputs.tolist(), batch.outcomes.tolist(), strict=True):
        stream = "".join(LETTERS[s] for s in inputs)
        for t, outcome in enumerate(outcomes):
            group_ended = re.fullmatch("(ba|dii|guuu)+", stream[: t + 1])
            assert outcome == (
                7
                if group_ended
                else "aiu".index({"b": "a", "d": "i", "g": "u"}.get(stream[t], stream[t]))
            )


def test_each_consonant_is_as_likely() -> None:
    first = Letters().test().inputs[:, 0]
    assert set(first.tolist()) == {4, 5, 6}
    assert (first.bincount() / len(first))[4:].sub(1 / 3).abs().max() < 0.05


def test_streams_are_described_as_letters_with_dots_for_any_consonant() -> None:
    assert Letters().describe(torch.tensor([[4, 0, 5, 1, 1], [2, 2, 2, 7, 6]])) == [
        "badii",
        "uuu.g",
    ]


def test_a_length_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="length must be from 1 to 1048576, got 0"):
        Letters(length=0)
