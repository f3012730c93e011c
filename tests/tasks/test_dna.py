import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks import Dna
from qrnn_circuits.tasks.dna import MARK


@given(length=st.integers(2, 40), seed=st.integers(0, 99))
def test_the_outcome_is_the_marked_base_from_the_mark_on_and_zero_before(
    length: int, seed: int
) -> None:
    batch = Dna(length).batch(6, torch.Generator().manual_seed(seed))
    for inputs, outcomes, scored in zip(
        batch.inputs.tolist(), batch.outcomes.tolist(), batch.scored.tolist(), strict=True
    ):
        (marked,) = (t for t, symbol in enumerate(inputs) if symbol >= MARK)
        assert marked < length / 2
        base = inputs[marked] - MARK
        assert outcomes == [0] * marked + [base] * (length - marked)
        assert scored == [False] * (length - 1) + [True]


def test_every_position_of_the_first_half_and_every_base_is_marked_at_times() -> None:
    inputs = Dna(length=20).test().inputs
    assert set((inputs >= MARK).nonzero()[:, 1].tolist()) == set(range(10))
    assert set(inputs[inputs >= MARK].tolist()) == {4, 5, 6, 7}


def test_the_marked_base_is_described_in_lower_case() -> None:
    assert Dna().describe(torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7]])) == ["ACGTacgt"]


def test_a_length_without_a_first_half_is_refused() -> None:
    with pytest.raises(ValueError, match="length must be from 2 to 1048576, got 1"):
        Dna(length=1)
