from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qrnn_circuits import QRNN, Initialisation
from qrnn_circuits.simulation.transfer.batch_plan import (
    MOST_REMEMBERED_SYMBOLS,
    BatchPlan,
    batch_plan,
)


def plan(inputs: Tensor, outcomes: Tensor, read: Tensor | None = None) -> BatchPlan:
    return batch_plan(inputs, outcomes, read, symbols=4, size=8, scale_every=8)


@pytest.fixture
def model() -> QRNN:
    generator = torch.Generator().manual_seed(0)
    return QRNN(
        lane=2,
        workspace=3,
        strategy="transfer",
        initialisation=Initialisation(0.5, 0.5, 0.5),
        generator=generator,
    )


def test_a_batch_of_the_same_contents_is_planned_once() -> None:
    inputs, outcomes = torch.randint(4, (2, 3, 7), generator=torch.Generator().manual_seed(0))
    first = plan(inputs, outcomes)
    assert plan(inputs.clone(), outcomes.T.contiguous().T) is first


def test_what_differs_in_any_respect_has_a_plan_of_its_own() -> None:
    symbols = torch.zeros(2, 6, dtype=torch.int64)
    read = torch.zeros(2, 6, dtype=torch.bool)
    others = symbols.clone()
    others[1, 3] = 1
    same = {"symbols": 4, "size": 8, "scale_every": 8}

    def planned(
        inputs: Tensor, outcomes: Tensor, read: Tensor | None, numbers: dict[str, int]
    ) -> BatchPlan:
        return batch_plan(inputs, outcomes, read, **numbers)

    for arguments in [
        (others, symbols, None, same),
        (symbols, others, None, same),
        (symbols, symbols, read, same),
        (symbols.view(3, 4), symbols.view(3, 4), None, same),
        (symbols, symbols, None, same | {"symbols": 2}),
        (symbols, symbols, None, same | {"size": 4}),
        (symbols, symbols, None, same | {"scale_every": 2}),
    ]:
        first = planned(symbols, symbols, None, same)
        assert planned(*arguments) is not first
        assert planned(symbols, symbols, None, same) is first


def test_a_large_batch_is_not_kept() -> None:
    symbols = torch.zeros(1, MOST_REMEMBERED_SYMBOLS + 1, dtype=torch.int64)
    assert plan(symbols, symbols) is not plan(symbols, symbols)


def test_a_batch_changed_in_place_is_planned_anew(
    model: QRNN, random_symbols: Callable[..., Tensor]
) -> None:
    inputs, outcomes = random_symbols(model, 4, 9), random_symbols(model, 4, 9, seed=1)
    changed = inputs.clone()
    expected = model(inputs, outcomes).log_probs
    changed[2, 5] = (changed[2, 5] + 1) % 4
    other = model(changed, outcomes).log_probs
    changed[2, 5] = inputs[2, 5]
    assert torch.equal(model(changed, outcomes).log_probs, expected)
    assert not torch.equal(other, expected)


def test_a_batch_that_was_evaluated_in_inference_mode_can_be_trained_on(
    model: QRNN, random_symbols: Callable[..., Tensor]
) -> None:
    # Symbol 3 does not occur, so that the tables of the others are picked by their numbers.
    inputs, outcomes = random_symbols(model, 4, 9) % 3, random_symbols(model, 4, 9, seed=1)
    scored = torch.ones_like(inputs, dtype=torch.bool)
    with torch.inference_mode():
        expected = model.loss(inputs, outcomes, scored)
    loss = model.loss(inputs, outcomes, scored)
    loss.backward()
    assert torch.equal(loss, expected)
    assert all(parameter.grad is not None for parameter in model.parameters())
