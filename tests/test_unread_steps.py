from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qrnn_circuits import QRNN, UNREAD, sequence_loss
from qrnn_circuits.cells.base import Cell
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.simulation.base import Simulation
from tests.cells.rotation_cell import RotationCell
from tests.dense import DenseCell

MakeModel = Callable[..., QRNN]
RandomSymbols = Callable[..., Tensor]

BATCH, STEPS = 5, 9


def masks(kind: str, batch: int = BATCH, steps: int = STEPS) -> Tensor:
    """Which steps are not read."""
    step = torch.arange(steps).expand(batch, -1)
    match kind:
        case "all but the last":
            return step < steps - 1
        case "two of three":
            return step % 3 != 1
        case "the last":
            return step == steps - 1
        case "all":
            return torch.ones(batch, steps, dtype=torch.bool)
    generator = torch.Generator().manual_seed(3)
    return torch.rand(batch, steps, generator=generator) < 0.5


KINDS = ["all but the last", "two of three", "the last", "all", "at random"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["transfer", "state"])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_a_sequence_with_unread_steps_equals_the_dense_circuit_without_their_output_stages(
    kind: str,
    strategy: str,
    semantics: str,
    make_model: MakeModel,
    dense_cell: Callable[[QRNN], DenseCell],
    random_symbols: RandomSymbols,
) -> None:
    model = make_model(workspace=2, lane=1, order=1, semantics=semantics, strategy=strategy)
    inputs = random_symbols(model, BATCH, STEPS)
    symbols, unread = random_symbols(model, BATCH, STEPS, seed=1), masks(kind)
    outcomes = symbols.masked_fill(unread, UNREAD)
    output = model(inputs, outcomes)
    assert torch.equal(output.outcomes, outcomes)
    assert torch.equal(output.log_probs.isnan().all(-1), unread)
    dense = dense_cell(model)
    for row in range(BATCH):
        distributions, acceptance, state = dense.run(
            inputs[row].tolist(), symbols[row].tolist(), unread[row].tolist()
        )
        probabilities = output.log_probs[row].exp().detach().numpy()[~unread[row]]
        assert np.allclose(probabilities, distributions[~unread[row]], rtol=0, atol=1e-10)
        assert output.log_acceptance[row].item() == pytest.approx(np.log(acceptance), abs=1e-10)
        assert np.allclose(output.state[row].detach().numpy(), state, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["two of three", "at random"])
@pytest.mark.parametrize("strategy", ["transfer", "state"])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_gradients_along_unread_steps_equal_finite_differences(
    kind: str,
    strategy: str,
    semantics: str,
    make_model: MakeModel,
    random_symbols: RandomSymbols,
) -> None:
    model = make_model(workspace=2, lane=1, semantics=semantics, strategy=strategy)
    inputs = random_symbols(model, BATCH, STEPS)
    outcomes = random_symbols(model, BATCH, STEPS, seed=1).masked_fill(masks(kind), UNREAD)
    names = [name for name, _ in model.named_parameters()]

    def values(*parameters: Tensor) -> tuple[Tensor, Tensor]:
        given = dict(zip(names, parameters, strict=True))

        class Values(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self) -> tuple[Tensor, Tensor]:
                return self.model.loss(inputs, outcomes), self.model(
                    inputs, outcomes
                ).log_acceptance

        named = {f"model.{name}": value for name, value in given.items()}
        result: tuple[Tensor, Tensor] = torch.func.functional_call(Values(), named, ())
        return result

    assert torch.autograd.gradcheck(values, tuple(model.parameters()))


def test_products_of_operators_between_read_steps_change_no_loss_and_no_gradient(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    # Two symbols in long sequences: the same pairs and pairs of pairs recur often.
    model = make_model(workspace=3, lane=1, semantics="unitary")
    inputs = random_symbols(model, 40, 61)
    outcomes = random_symbols(model, 40, 61, seed=1)
    outcomes = outcomes.masked_fill(masks("all but the last", 40, 61), UNREAD)
    results = []
    for strategy in ("transfer", "state"):
        model.strategy = strategy
        loss = model.loss(inputs, outcomes)
        results.append((loss, *torch.autograd.grad(loss, list(model.parameters()))))
    for transfer, state in zip(*results, strict=True):
        assert torch.allclose(transfer, state, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("strategy", ["transfer", "state"])
def test_a_unitary_network_that_is_read_once_keeps_every_shot(
    strategy: str, make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=3, lane=2, semantics="unitary", strategy=strategy)
    inputs, unread = random_symbols(model, BATCH, STEPS), masks("all but the last")
    output = model.sample(inputs, torch.full_like(inputs, UNREAD), sampled=~unread)
    assert output.log_acceptance.abs().max() < 1e-12
    assert torch.equal(output.outcomes == UNREAD, unread)


def test_a_sampled_run_with_unread_steps_predicts_what_conditioning_on_its_samples_predicts(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=1)
    inputs, unread = random_symbols(model, BATCH, STEPS), masks("at random")
    outcomes = random_symbols(model, BATCH, STEPS, seed=1).masked_fill(unread, UNREAD)
    sampled = ~unread & (torch.arange(STEPS) % 2 == 0)
    output = model.sample(inputs, outcomes, sampled=sampled)
    again = model(inputs, output.outcomes)
    assert torch.allclose(output.log_probs, again.log_probs, atol=1e-10, equal_nan=True)
    assert torch.allclose(output.state, again.state, atol=1e-10)


def test_a_cell_run_step_by_step_does_what_its_fast_ways_do(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=2)
    inputs = random_symbols(model, BATCH, STEPS)
    outcomes = random_symbols(model, BATCH, STEPS, seed=1).masked_fill(masks("at random"), UNREAD)
    output = model(inputs, outcomes)
    slow = Simulation(model.cell).predict(inputs, outcomes, model.cell.initial_state(BATCH))
    assert torch.allclose(slow.log_acceptance, output.log_acceptance, atol=1e-10)
    assert torch.allclose(slow.state, output.state, atol=1e-10)


def test_the_loss_is_of_the_steps_that_are_read(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=1)
    inputs, unread = random_symbols(model, BATCH, STEPS), masks("two of three")
    outcomes = random_symbols(model, BATCH, STEPS, seed=1).masked_fill(unread, UNREAD)
    expected = sequence_loss(model(inputs, outcomes).log_probs, outcomes, ~unread)
    assert torch.allclose(model.loss(inputs, outcomes), expected)
    assert torch.allclose(model.loss(inputs, outcomes, ~unread), expected)


def test_a_scored_step_that_is_unread_is_an_error_that_names_it(make_model: MakeModel) -> None:
    model = make_model(workspace=1, lane=1, degree=1)
    symbols = torch.tensor([[0, 1], [1, 0]])
    outcomes = torch.tensor([[0, 1], [UNREAD, 0]])
    with pytest.raises(ValueError, match="scored marks step 0 of sequence 1, whose outcome is UNR"):
        model.loss(symbols, outcomes, torch.ones_like(symbols, dtype=torch.bool))


def test_numbers_below_zero_are_no_outcomes_beside_unread_steps_either(
    make_model: MakeModel,
) -> None:
    model = make_model(workspace=1, lane=1, degree=1)
    with pytest.raises(ValueError, match=r"outcomes must be symbols from 0 to 1 .*, got -1"):
        model(torch.tensor([[0, 1, 0]]), torch.tensor([[UNREAD, -1, 0]]))
    with pytest.raises(ValueError, match=r"inputs must be symbols from 0 to 1 .*, got -100"):
        model(torch.tensor([[UNREAD]]), torch.tensor([[0]]))


def test_a_cell_that_must_be_read_at_every_step_says_so() -> None:
    network = RecurrentNetwork(RotationCell(lane=1, workspace=1))
    with pytest.raises(NotImplementedError, match="RotationCell must be read at every step"):
        network(torch.tensor([[0, 1]]), torch.tensor([[UNREAD, 1]]))


class CopyingCell(Cell):
    """Turns a wire of memory where the input is 1, and copies it onto the lane."""

    lane, workspace = 1, 1

    def __init__(self) -> None:
        super().__init__()
        self.angle = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def evolve(self, inputs: Tensor, state: Tensor) -> Tensor:
        cos, sin = (self.angle / 2).cos(), (self.angle / 2).sin()
        turned = state @ torch.stack((cos, sin, -sin, cos)).view(2, 2)
        return turned.where(inputs[:, None] == 1, state)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return self.evolve(inputs, state).diag_embed()


def test_outcomes_that_unread_steps_rule_out_make_no_gradient_of_a_mixed_batch_nan() -> None:
    cell = CopyingCell()
    network = RecurrentNetwork(cell)
    inputs, outcomes = torch.tensor([[1, 1], [1, 1]]), torch.tensor([[1, 1], [UNREAD, 1]])
    # The lane of the second sequence could never have read 0.
    state = torch.tensor([[0.6, 0.8], [0.0, 1.0]], dtype=torch.float64)

    def loss(angle: float) -> Tensor:
        nn.init.constant_(cell.angle, angle)
        return network.loss(inputs, outcomes, state=state)

    loss(0.0).backward()
    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert cell.angle.grad == pytest.approx(slope.item(), abs=1e-8)
