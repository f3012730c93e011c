"""Outcomes so unlikely that the numbers which lead to them leave the range of float32."""

import copy
from math import log, pi, sin

import pytest
import torch
from torch import Tensor

from qrnn_circuits import QRNN, UNREAD, Initialisation, QRNNOutput, ZeroProbabilityError
from qrnn_circuits.simulation.base import possible
from qrnn_circuits.simulation.strategy import Strategy
from tests.dense import DenseCell

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


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_acceptance_of_an_outcome_that_float32_cannot_hold_is_its_formula(
    strategy: Strategy,
) -> None:
    model = QRNN(lane=1, workspace=1, stages=0, order=5, degree=1, strategy=strategy)
    with torch.no_grad():
        model.cell.coefficients.zero_()
        model.cell.readout_coefficients.copy_(torch.tensor([[0.3, 0.0]]))
    found = model(torch.tensor([[0]]), torch.tensor([[1]])).log_acceptance
    # The neuron writes 1 with the amplitude sin(phi/2)**(2**5).
    assert found.item() == pytest.approx(64 * log(sin(0.15)), rel=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_outcomes_are_drawn_where_amplitudes_underflow_in_float32(strategy: Strategy) -> None:
    model = QRNN(lane=1, workspace=2, stages=4, order=5, degree=1, strategy=strategy)
    with torch.no_grad():
        # Half way between both ends for inputs 0, and far more likely for those of 1.
        model.cell.coefficients.copy_(torch.tensor([pi / 2, -pi / 2, 0]))
        model.cell.readout_coefficients.copy_(torch.tensor([pi / 2, 0, 0]))
        model.cell.theta.zero_()
    output = draw(model, torch.zeros(1, 2, dtype=torch.int64), seed=0)
    assert output.log_probs.exp().flatten().tolist() == pytest.approx([0.5] * 4, rel=1e-5)
    # In each of two steps 11 neurons, all of whose ancillas read 0 with 2 * (1/2)**(2**5).
    assert output.log_acceptance.item() == pytest.approx(-2 * 11 * 31 * log(2))


def test_scored_steps_in_float32_are_those_in_float64_where_steps_between_them_are_unlikely() -> (
    None
):
    losses = []
    for dtype in (torch.float32, torch.float64):
        model = QRNN(
            lane=2,
            workspace=7,
            stages=0,
            order=4,
            degree=1,
            strategy="transfer",
            initialisation=Initialisation(bias_spread=0.02, weight_spread=0.0002),
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float32,
        )
        with torch.no_grad():
            # The first bit is 1 with an amplitude of about 1e-44 at the steps that are not scored.
            model.cell.readout_coefficients[0, 0] = 0.0033
        # So many equal sequences that products of their steps are built.
        outcomes = torch.tensor([[2, 0, 2, 1]]).repeat(200, 1)
        scored = torch.tensor([[False, False, False, True]]).repeat(200, 1)
        loss = model.to(dtype).loss(torch.zeros_like(outcomes), outcomes, scored)
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_weight_that_is_no_number_is_refused_as_one_of_zero() -> None:
    weights = torch.tensor([[[0.5, 0.5], [torch.nan, 1.0]]])
    with pytest.raises(ZeroProbabilityError, match=r"outcomes\[0, 1\] is 0"):
        possible(weights, torch.tensor([[1, 0]]))


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


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_step_whose_whole_operator_underflows_in_float32_is_that_of_dense_matrices(
    strategy: Strategy,
) -> None:
    sizes = {"lane": 1, "workspace": 2, "stages": 8, "order": 4, "degree": 1}
    model = QRNN(**sizes, strategy=strategy, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    with torch.no_grad():
        # Sharp for the input 0. For 1 all ancillas of 18 neurons read 0 with about 2**-270.
        model.cell.coefficients.copy_(torch.tensor([0.0, pi / 2 - 0.01, 0.01]))
        model.cell.theta.copy_(torch.linspace(0, 1, 16).view(8, 2))
    cell = model.cell
    dense = DenseCell(
        **sizes,
        semantics="postselected",
        coefficients=cell.neuron_coefficients.detach().double().numpy(),
        theta=cell.theta.detach().double().numpy(),
    )
    symbols = [1, 1, 0, 1]
    distributions, _, state = dense.run(symbols, symbols)
    inputs = torch.tensor([symbols])
    found = model(inputs, inputs)
    assert found.log_probs.exp().flatten().tolist() == pytest.approx(
        distributions.flatten(), rel=1e-5
    )
    assert found.state.flatten().tolist() == pytest.approx(state, rel=1e-5)
    double = copy.deepcopy(model).double()
    for each in (model, double):
        each.loss(inputs, inputs).backward()
    for single, expected in zip(model.parameters(), double.parameters(), strict=True):
        torch.testing.assert_close(single.grad, expected.grad, check_dtype=False)


def test_a_step_that_float64_holds_by_far_is_not_refused() -> None:
    model = QRNN(
        lane=1, workspace=2, stages=8, order=6, degree=1, strategy="transfer", dtype=torch.float64
    )
    with torch.no_grad():
        model.cell.coefficients.copy_(torch.tensor([0, pi / 2, 0]))
    output = model(torch.tensor([[1]]), torch.tensor([[UNREAD]]))
    # All ancillas of each of 18 neurons read 0 with 2 * (1/2)**(2**6), whatever the workspace.
    assert output.log_acceptance.item() == pytest.approx(-18 * 63 * log(2))
