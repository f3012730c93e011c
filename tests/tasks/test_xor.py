import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks import Xor
from qrnn_circuits.tasks.xor import MARKER


@given(length=st.integers(2, 40), seed=st.integers(0, 99))
def test_every_scored_xor_outcome_is_the_xor_of_its_two_inputs(length: int, seed: int) -> None:
    batch = Xor(length).batch(6, torch.Generator().manual_seed(seed))
    assert batch.inputs.shape == (6, length)
    for inputs, outcomes, scored in zip(
        batch.inputs.tolist(), batch.outcomes.tolist(), batch.scored.tolist(), strict=True
    ):
        for t in range(length):
            assert scored[t] == (t % 3 == 1)
            assert outcomes[t] == (inputs[t - 1] ^ inputs[t] if t % 3 == 1 else MARKER)
            if t % 3 == 1 and t + 1 < length:
                assert inputs[t + 1] == outcomes[t]


def test_the_bits_are_balanced_and_independent() -> None:
    inputs = Xor(length=36).test().inputs
    first, second = inputs[:, 0::3].flatten(), inputs[:, 1::3].flatten()
    pairs = (2 * first + second).bincount(minlength=4) / len(first)
    assert pairs.sub(0.25).abs().max() < 0.02


def test_markers_are_described_as_dots() -> None:
    assert Xor(length=5).describe(torch.tensor([[2, 0, 2, 2, 1]])) == [".0..1"]


def test_a_length_without_a_scored_step_is_refused() -> None:
    with pytest.raises(ValueError, match="length must be from 2 to 1048576, got 1"):
        Xor(length=1)
