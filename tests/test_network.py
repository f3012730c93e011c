from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from qrnn_circuits import QRNN, UNREAD, RecurrentNetwork, ZeroProbabilityError
from tests.conftest import sized
from tests.dense import DenseCell

MakeModel = Callable[..., QRNN]
RandomSymbols = Callable[..., torch.Tensor]

SIZES = sized(
    (2, 2, 1, 0, 2),
    (3, 1, 0, 0, 1),
    (1, 1, 1, 1, 1),
    (2, 1, 2, 2, 2),
    (1, 2, 1, 3, 2),
    (2, 2, 1, 2, 3),
    (3, 1, 0, 2, 1),
)


@pytest.fixture
def impossible(make_model: MakeModel) -> QRNN:
    """A network that writes 0 with certainty, whatever the input."""
    model = make_model(workspace=1, lane=1, degree=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


@pytest.mark.parametrize("strategy", ["transfer", "state"])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_sequence_equals_the_dense_circuit(
    sizes: dict[str, int],
    semantics: str,
    strategy: str,
    make_model: MakeModel,
    dense_cell: Callable[[QRNN], DenseCell],
    random_symbols: RandomSymbols,
) -> None:
    model = make_model(**sizes, semantics=semantics, strategy=strategy)
    inputs, outcomes = random_symbols(model, 3, 5), random_symbols(model, 3, 5, seed=1)
    output = model(inputs, outcomes)
    dense = dense_cell(model)
    for row in range(3):
        distributions, acceptance, state = dense.run(inputs[row].tolist(), outcomes[row].tolist())
        assert np.abs(output.log_probs[row].exp().detach().numpy() - distributions).max() < 1e-10
        assert abs(output.log_acceptance[row].item() - np.log(acceptance)) < 1e-10
        assert np.abs(output.state[row].detach().numpy() - state).max() < 1e-10


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_both_strategies_give_the_same_numbers_and_gradients(
    semantics: str, order: int, make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=4, lane=2, stages=2, order=order, degree=3, semantics=semantics)
    inputs, outcomes = random_symbols(model, 6, 9), random_symbols(model, 6, 9, seed=1)
    results = []
    for strategy in ("transfer", "state"):
        model.strategy = strategy
        output = model(inputs, outcomes)
        total = output.log_probs.sum() + output.log_acceptance.sum()
        gradients = torch.autograd.grad(total, list(model.parameters()))
        results.append((output.log_probs, output.log_acceptance, output.state, *gradients))
    for transfer, state in zip(*results, strict=True):
        assert torch.allclose(transfer, state, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("strategy", ["transfer", "state"])
def test_gradients_of_loss_and_acceptance_equal_finite_differences(
    strategy: str, order: int, make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=1, order=order, strategy=strategy)
    inputs, outcomes = random_symbols(model, 2, 3), random_symbols(model, 2, 3, seed=1)

    def run(
        coefficients: torch.Tensor, readout_coefficients: torch.Tensor, theta: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        parameters = {
            "cell.coefficients": coefficients,
            "cell.readout_coefficients": readout_coefficients,
            "cell.theta": theta,
        }
        output = torch.func.functional_call(model, parameters, (inputs, outcomes))
        return output.log_probs, output.log_acceptance, output.state

    parameters = tuple(p.detach().requires_grad_() for p in model.parameters())
    assert torch.autograd.gradcheck(run, parameters)


def test_a_sequence_may_be_cut_and_its_state_carried_over(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=3, lane=2)
    inputs, outcomes = random_symbols(model, 4, 8), random_symbols(model, 4, 8, seed=1)
    whole = model(inputs, outcomes)
    head = model(inputs[:, :3], outcomes[:, :3])
    tail = model(inputs[:, 3:], outcomes[:, 3:], state=head.state)
    joined = torch.cat((head.log_probs, tail.log_probs), 1)
    assert torch.allclose(joined, whole.log_probs, rtol=0, atol=1e-12)
    acceptance = head.log_acceptance + tail.log_acceptance
    assert torch.allclose(acceptance, whole.log_acceptance, rtol=0, atol=1e-12)
    assert torch.allclose(tail.state, whole.state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [0, 2, 5])
@pytest.mark.parametrize("strategy", ["transfer", "state"])
def test_ten_thousand_steps_neither_underflow_nor_give_nan(
    strategy: str, order: int, random_symbols: RandomSymbols
) -> None:
    model = QRNN(lane=2, workspace=3, order=order, strategy=strategy)  # type: ignore[arg-type]
    inputs, outcomes = random_symbols(model, 1, 10_000), random_symbols(model, 1, 10_000, seed=1)
    with torch.no_grad():
        output = model(inputs, outcomes)
    assert torch.isfinite(output.log_probs).all()
    neurons = 8
    assert float(output.log_acceptance) < 0
    if order > 0:
        # The share that all neurons keep at their worst, phi = pi/2, and each outcome's.
        assert -10_000 * neurons * 2**order < float(output.log_acceptance)
    assert torch.allclose((output.state**2).sum(), torch.tensor(1.0))


def test_float32_predictions_agree_with_float64(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=4, lane=2, stages=2)
    inputs = random_symbols(model, 3, 1000)
    # Typical outcomes: rounding errors grow where a run is conditioned on rare ones.
    exact = model.sample(
        inputs,
        inputs,
        sampled=torch.ones_like(inputs, dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        single = model.float()(inputs, exact.outcomes)
    assert single.log_probs.dtype == torch.float32
    expected, likelihood = (
        output.log_probs.double().gather(2, exact.outcomes[..., None]).mean((1, 2))
        for output in (exact, single)
    )
    assert torch.allclose(likelihood, expected, rtol=0, atol=1e-4)


def test_acceptance_of_unitary_neurons_is_the_probability_of_the_outcomes(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=3, lane=1, semantics="unitary")
    inputs, outcomes = random_symbols(model, 4, 6), random_symbols(model, 4, 6, seed=1)
    output = model(inputs, outcomes)
    likelihood = output.log_probs.gather(2, outcomes[..., None]).sum((1, 2))
    assert torch.allclose(output.log_acceptance, likelihood)


def test_loss_is_the_mean_negative_log_likelihood_of_the_scored_steps(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=1)
    inputs, outcomes = random_symbols(model, 4, 6), random_symbols(model, 4, 6, seed=1)
    scored = torch.zeros(4, 6, dtype=torch.bool)
    scored[:, -1] = True
    log_probs = model(inputs, outcomes).log_probs
    expected = -log_probs[range(4), -1, outcomes[:, -1]].mean()
    assert torch.allclose(model.loss(inputs, outcomes, scored), expected)


@pytest.mark.parametrize("scored", [None, torch.tensor([[True, False, True]] * 4)])
def test_acceptance_in_the_loss_is_the_mean_log_share_of_shots_lost_in_a_step(
    scored: torch.Tensor | None, make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=2, lane=1)
    inputs, outcomes = random_symbols(model, 4, 3), random_symbols(model, 4, 3, seed=1)
    kept = model(inputs, outcomes).log_acceptance.mean() / 3
    plain = model.loss(inputs, outcomes, scored)
    weighted = model.loss(inputs, outcomes, scored, acceptance_weight=0.25)
    assert torch.allclose(weighted, plain - 0.25 * kept)


def test_sampled_frequencies_follow_the_predicted_distribution(make_model: MakeModel) -> None:
    model = make_model(workspace=2, lane=2)
    shots = 20_000
    inputs = torch.tensor([[1, 2]]).expand(shots, 2)
    outcomes = torch.tensor([[3, 0]]).expand(shots, 2)
    sampled = torch.tensor([[False, True]]).expand(shots, 2)
    output = model.sample(
        inputs, outcomes, sampled=sampled, generator=torch.Generator().manual_seed(0)
    )
    assert (output.outcomes[:, 0] == 3).all()
    probabilities = model(inputs[:1], outcomes[:1]).log_probs[0, 1].exp().detach()
    frequencies = torch.bincount(output.outcomes[:, 1], minlength=4) / shots
    errors = (probabilities * (1 - probabilities) / shots).sqrt()
    assert ((frequencies - probabilities).abs() < 4 * errors).all()


def test_what_stands_in_place_of_a_drawn_outcome_is_ignored(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2)
    inputs = torch.zeros(1, 3, dtype=torch.int64)
    sampled = torch.tensor([[True, False, True]])
    drawn = [
        model.sample(
            inputs, outcomes, sampled=sampled, generator=torch.Generator().manual_seed(0)
        ).outcomes
        for outcomes in (torch.tensor([[0, 1, 0]]), torch.tensor([[99, 1, UNREAD]]))
    ]
    assert torch.equal(*drawn)


def test_a_sampled_run_predicts_what_conditioning_on_its_samples_predicts(
    make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=3, lane=2)
    inputs, outcomes = random_symbols(model, 5, 6), random_symbols(model, 5, 6, seed=1)
    sampled = torch.rand(5, 6, generator=torch.Generator().manual_seed(2)) < 0.5
    drawn = model.sample(
        inputs,
        outcomes,
        sampled=sampled,
        autoregressive=True,
        generator=torch.Generator().manual_seed(3),
    )
    assert torch.equal(drawn.outcomes[~sampled], outcomes[~sampled])
    fed_back = inputs.clone()
    fed_back[:, 1:] = torch.where(sampled[:, :-1], drawn.outcomes[:, :-1], inputs[:, 1:])
    again = model(fed_back, drawn.outcomes)
    assert torch.allclose(drawn.log_probs, again.log_probs)
    likelihood = again.log_probs.gather(2, drawn.outcomes[..., None])[..., 0]
    expected = again.log_acceptance - (likelihood * sampled).sum(1)
    assert torch.allclose(drawn.log_acceptance, expected)
    assert not drawn.log_probs.requires_grad


def test_an_outcome_of_probability_zero_is_an_error_that_names_it(impossible: QRNN) -> None:
    inputs = torch.zeros(2, 4, dtype=torch.int64)
    outcomes = inputs.clone()
    outcomes[1, 2] = 1
    with pytest.raises(ZeroProbabilityError, match=r"outcomes\[1, 2\] is 1, which has probability"):
        impossible(inputs, outcomes)
    sampled = torch.zeros(2, 4, dtype=torch.bool)
    sampled[:, 3] = True
    with pytest.raises(ZeroProbabilityError, match=r"outcomes\[1, 2\] is 1"):
        impossible.sample(inputs, outcomes, sampled=sampled)


@pytest.mark.parametrize("scored", [None, torch.tensor([[True, False, True]])])
def test_impossible_symbols_that_nothing_is_conditioned_on_leave_gradients_finite(
    scored: torch.Tensor | None, impossible: QRNN
) -> None:
    inputs = torch.zeros(1, 3, dtype=torch.int64)
    output = impossible(inputs, inputs)
    assert (output.log_probs[..., 1] == -torch.inf).all()
    impossible.loss(inputs, inputs, scored).backward()
    for parameter in impossible.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"inputs": torch.tensor([[0, 4]])}, ValueError, "inputs must be symbols from 0 to 3"),
        ({"outcomes": torch.tensor([[0, -1]])}, ValueError, "outcomes must be symbols .* got -1"),
        ({"inputs": torch.zeros(1, 2)}, TypeError, "inputs must be a tensor of type torch.int64"),
        ({"inputs": torch.tensor([0, 1])}, ValueError, r"inputs must have shape \(B, T\)"),
        (
            {"outcomes": torch.zeros(1, 0, dtype=torch.int64)},
            ValueError,
            r"outcomes must have shape \(B, T\) with B and T at least 1, got \(1, 0\)",
        ),
        (
            {"outcomes": torch.zeros(1, 3, dtype=torch.int64)},
            ValueError,
            "inputs and outcomes must be of as many sequences and steps",
        ),
        ({"state": torch.zeros(1, 4)}, ValueError, r"state must have shape \(1, 8\)"),
        ({"state": torch.zeros(1, 8)}, TypeError, "state must have the type of the parameters"),
        (
            {"state": torch.full((1, 8), torch.nan, dtype=torch.float64)},
            ValueError,
            "state must be finite",
        ),
        (
            {"state": torch.full((1, 8), 0.5, dtype=torch.float64)},
            ValueError,
            "state must be normalised amplitudes, but a norm is 0.414 off 1: divide it by",
        ),
        (
            {"state": torch.zeros((1, 8), dtype=torch.float64)},
            ValueError,
            "but a norm is 1 off 1: zeros are no state, leave state out",
        ),
        ({"inputs": [[0, 1]]}, TypeError, "inputs must be a tensor of type .*, got a list"),
        (
            {"inputs": torch.zeros(1, 2, dtype=torch.int64).to_sparse()},
            TypeError,
            "inputs must be a dense tensor",
        ),
        (
            {"outcomes": torch.zeros(1, 2, dtype=torch.int64, device="meta")},
            ValueError,
            "outcomes must have numbers",
        ),
        ({"state": [1.0]}, TypeError, r"state must be a tensor of shape \(1, 8\), got a list"),
        ({"ignore_index": 1.5}, TypeError, "ignore_index must be an integer, got 1.5"),
        ({"ignore_index": 2**70}, ValueError, "ignore_index must be from"),
    ],
)
def test_unacceptable_arguments_are_named(
    change: dict[str, Any], error: type[Exception], message: str, make_model: MakeModel
) -> None:
    model = make_model(workspace=3, lane=2)
    symbols = torch.zeros(1, 2, dtype=torch.int64)
    arguments = {"inputs": symbols, "outcomes": symbols} | change
    with pytest.raises(error, match=message):
        model(arguments.pop("inputs"), arguments.pop("outcomes"), **arguments)


@pytest.mark.parametrize("workspace", [30, 100])
def test_more_wires_than_a_computer_holds_are_refused_in_one_line(workspace: int) -> None:
    with pytest.raises(ValueError, match=f"at most 30 wires in all, got 1 and {workspace}"):
        QRNN(lane=1, workspace=workspace, degree=1)


def test_unacceptable_masks_are_named(make_model: MakeModel) -> None:
    model = make_model(workspace=2, lane=1)
    symbols = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(TypeError, match="scored must be a tensor of type"):
        model.loss(symbols, symbols, symbols)
    with pytest.raises(ValueError, match=r"sampled must have the shape of outcomes, \(2, 3\)"):
        model.sample(symbols, symbols, sampled=torch.ones(2, 2, dtype=torch.bool))


def test_unacceptable_options_are_named(make_model: MakeModel) -> None:
    model = make_model(workspace=2, lane=1)
    symbols = torch.zeros(2, 3, dtype=torch.int64)
    every = torch.ones_like(symbols, dtype=torch.bool)
    for weight, error in (("much", TypeError), (torch.nan, ValueError), (-1.0, ValueError)):
        with pytest.raises(error, match=f"acceptance_weight must be .* got '?{weight}"):
            model.loss(symbols, symbols, acceptance_weight=weight)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="autoregressive must be True or False, got 'no'"):
        model.sample(symbols, symbols, sampled=every, autoregressive="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"generator must be a torch\.Generator, got a int"):
        model.sample(symbols, symbols, sampled=every, generator=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"outcomes must be a tensor of type .* got a list"):
        model.sample(symbols, symbols.tolist(), sampled=every)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cell must be a Cell, such as QRNNCell, got a RNN"):
        RecurrentNetwork(torch.nn.RNN(1, 1))  # type: ignore[arg-type]


def test_parameters_of_several_types_are_refused(make_model: MakeModel) -> None:
    model = make_model(workspace=2, lane=1)
    cell = model.cell
    cell.readout_coefficients.data = cell.readout_coefficients.data.half()
    symbols = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(TypeError, match=r"got torch\.float16 and torch\.float64"):
        model(symbols, symbols)


def test_an_unknown_strategy_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"strategy must be one of .* got 'fast'"):
        QRNN(lane=1, workspace=2, strategy="fast")  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("strategy", ["transfer", "state"])
def test_a_gpu_gives_the_same_numbers(
    strategy: str, make_model: MakeModel, random_symbols: RandomSymbols
) -> None:
    model = make_model(workspace=3, lane=2, strategy=strategy)
    inputs, outcomes = random_symbols(model, 4, 6), random_symbols(model, 4, 6, seed=1)
    expected = model(inputs, outcomes)
    model.cuda()
    output = model(inputs.cuda(), outcomes.cuda())
    assert torch.allclose(output.log_probs.cpu(), expected.log_probs, rtol=0, atol=1e-12)
    assert torch.allclose(output.log_acceptance.cpu(), expected.log_acceptance, rtol=0, atol=1e-10)
