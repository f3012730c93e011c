"""Outcomes so unlikely that the numbers which lead to them leave the range of float32."""

import pytest
import torch
from torch import Tensor

from qrnn_circuits import QRNN, Initialisation, QRNNOutput
from qrnn_circuits.simulation.strategy import Strategy

STRATEGIES: list[Strategy] = ["transfer", "state", "stepwise"]


def unlikely(order: int, seed: int, strategy: Strategy, dtype: torch.dtype) -> QRNN:
    """A network of wide angles, whose parameters are the same numbers in both types."""
    model = QRNN(
        lane=1,
        workspace=4,
        stages=0,
        order=order,
        degree=1,
        strategy=strategy,
        initialisation=Initialisation(bias_spread=0.5, weight_spread=1.0, theta_spread=0.5),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float32,
    )
    return model.to(dtype)


def draw(model: QRNN, inputs: Tensor, seed: int) -> QRNNOutput:
    generator = torch.Generator().manual_seed(seed)
    everywhere = torch.ones_like(inputs, dtype=torch.bool)
    return model.sample(inputs, inputs, sampled=everywhere, generator=generator)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("order", [4, 5, 6])
@pytest.mark.parametrize("seed", [20079, *range(12)])
def test_losses_in_float32_are_those_in_float64(seed: int, order: int, strategy: Strategy) -> None:
    single, double = (
        unlikely(order, seed, strategy, dtype) for dtype in (torch.float32, torch.float64)
    )
    inputs = torch.zeros(1, 20, dtype=torch.int64)
    drawn = draw(double, inputs, seed)
    assert torch.isfinite(drawn.log_acceptance)
    found, expected = (model(inputs, drawn.outcomes) for model in (single, double))
    assert torch.allclose(found.log_acceptance, expected.log_acceptance, rtol=1e-4)
    assert found.state.norm().item() == pytest.approx(1, abs=1e-5)
    loss = single.loss(inputs, drawn.outcomes)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        double.loss(inputs, drawn.outcomes).item(), rel=1e-3, abs=1e-6
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(20))
def test_samples_of_high_orders_are_whole(seed: int, strategy: Strategy) -> None:
    model = unlikely(6, seed, strategy, torch.float32)
    inputs = torch.zeros(2, 30, dtype=torch.int64)
    output = draw(model, inputs, seed)
    assert output.log_probs.shape == (2, 30, 2)
    assert not output.log_probs.isnan().any()
    assert torch.isfinite(output.log_acceptance).all()


@pytest.mark.parametrize("order", [3, 4, 5])
@pytest.mark.parametrize("seed", range(15))
def test_gradients_of_unlikely_outcomes_are_those_of_autograd(seed: int, order: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    inputs, outcomes = torch.randint(2, (2, 1, 8), generator=generator)
    gradients = []
    runs: list[tuple[Strategy, torch.dtype]]
    runs = [("state", torch.float32), ("stepwise", torch.float64)]
    for strategy, dtype in runs:
        model = unlikely(order, seed, strategy, dtype)
        model.loss(inputs, outcomes).backward()
        gradients.append(
            torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        )
    found, expected = gradients
    assert (found - expected).abs().max() <= 2e-3 * expected.abs().max()
