import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks import Memorise


@given(length=st.integers(1, 30))
def test_the_two_sequences_are_counting_and_constant_and_every_step_predicts_the_next(
    length: int,
) -> None:
    batch = Memorise(length).test()
    counting = [t % 4 for t in range(length + 1)]
    constant = [4] * (length + 1)
    assert batch.inputs.tolist() == [counting[:-1], constant[:-1]]
    assert batch.outcomes.tolist() == [counting[1:], constant[1:]]
    assert batch.scored.all()


@given(size=st.integers(2, 9), seed=st.integers(0, 99))
def test_both_sequences_are_in_every_batch_of_two_or_more(size: int, seed: int) -> None:
    batch = Memorise().batch(size, torch.Generator().manual_seed(seed))
    assert set(batch.inputs[:, 0].tolist()) == {0, 4}


def test_the_prompt_leaves_all_but_the_first_symbol_to_the_network(
    generator: torch.Generator,
) -> None:
    prompt = Memorise().prompt(4, generator)
    assert prompt.inputs[:, 0].tolist() == [0, 4, 0, 4]
    assert prompt.sampled.all()
    assert prompt.autoregressive


def test_sequences_are_described_as_digits() -> None:
    task = Memorise(length=6)
    assert task.describe(task.test().outcomes) == ["123012", "444444"]


def test_a_length_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="length must be from 1 to 1048576, got 0"):
        Memorise(length=0)
