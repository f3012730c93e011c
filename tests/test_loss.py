from math import e, log
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import PADDING, UNREAD, sequence_loss
from qrnn_circuits.loss import Loss


@pytest.fixture
def log_probs() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 5, 4, dtype=torch.float64, generator=generator).log_softmax(-1)


@pytest.fixture
def outcomes() -> torch.Tensor:
    return torch.randint(4, (3, 5), generator=torch.Generator().manual_seed(1))


def test_nll_is_the_mean_over_the_scored_steps_alone(
    log_probs: torch.Tensor, outcomes: torch.Tensor
) -> None:
    scored = torch.zeros(3, 5, dtype=torch.bool)
    scored[0, 1] = scored[2, 4] = True
    expected = -(log_probs[0, 1, outcomes[0, 1]] + log_probs[2, 4, outcomes[2, 4]]) / 2
    assert torch.allclose(sequence_loss(log_probs, outcomes, scored), expected)


def test_paper_loss_is_the_cross_entropy_of_probabilities_taken_as_logits(
    log_probs: torch.Tensor, outcomes: torch.Tensor
) -> None:
    loss = sequence_loss(log_probs, outcomes, kind="paper")
    cross_entropy = torch.nn.functional.cross_entropy(
        log_probs.exp().flatten(0, 1), outcomes.flatten()
    )
    assert torch.allclose(loss, cross_entropy - log(e + 3) + 1)


@given(symbols=st.sampled_from([2, 4, 8]))
def test_both_losses_vanish_for_certain_and_right_predictions(symbols: int) -> None:
    outcomes = torch.arange(symbols)[None]
    certain = torch.eye(symbols, dtype=torch.float64)[None].log()
    assert sequence_loss(certain, outcomes) == 0
    assert abs(sequence_loss(certain, outcomes, kind="paper")) < 1e-14


def test_nothing_scored_and_unknown_losses_are_rejected(
    log_probs: torch.Tensor, outcomes: torch.Tensor
) -> None:
    with pytest.raises(ValueError, match="scored must mark at least one step"):
        sequence_loss(log_probs, outcomes, torch.zeros(3, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match="kind must be one of"):
        sequence_loss(log_probs, outcomes, kind="mse")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["outcomes", "scored"])
def test_sequences_and_steps_that_are_exchanged_are_refused(name: str) -> None:
    log_probs = torch.full((2, 3, 4), 0.25).log()
    tensors = {
        "outcomes": torch.zeros(2, 3, dtype=torch.int64),
        "scored": torch.ones(2, 3, dtype=torch.bool),
    }
    tensors[name] = tensors[name].T
    with pytest.raises(ValueError, match=rf"{name} must have shape \(2, 3\).*got \(3, 2\)"):
        sequence_loss(log_probs, tensors["outcomes"], tensors["scored"])


@pytest.mark.parametrize("kind", ["nll", "paper"])
@pytest.mark.parametrize("outcome", [UNREAD, PADDING, -1, 4])
def test_a_scored_step_has_a_symbol(outcome: int, kind: Loss) -> None:
    log_probs = torch.full((1, 2, 4), 0.25).log()
    outcomes, scored = torch.tensor([[3, outcome]]), torch.tensor([[True, True]])
    with pytest.raises(ValueError, match=rf"scored steps .* from 0 to 3, got {outcome}:"):
        sequence_loss(log_probs, outcomes, scored, kind=kind)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outcomes": torch.zeros(1, 2)}, r"outcomes must be .* torch\.int64, got torch\.float32"),
        ({"outcomes": [[0, 1]]}, "outcomes must be .* got a list"),
        ({"log_probs": [[0.0, 1.0]]}, "log_probs must be a Tensor, got a list"),
        ({"scored": torch.ones(1, 2)}, r"scored must be .* torch\.bool, got torch\.float32"),
        ({"ignore_index": "1"}, "ignore_index must be an integer, got '1'"),
    ],
)
def test_what_is_of_a_wrong_type_is_refused(options: dict[str, Any], words: str) -> None:
    log_probs = torch.full((1, 2, 4), 0.25).log()
    with pytest.raises(TypeError, match=words):
        sequence_loss(**{"log_probs": log_probs, "outcomes": torch.tensor([[0, 1]])} | options)
