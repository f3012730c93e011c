from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence, pad_sequence
from torch.testing import assert_close

import qrnn_circuits.simulation.state.run
from qrnn_circuits import PADDING, QRNN, UNREAD, RecurrentNetwork, sequence_loss
from qrnn_circuits.simulation.strategy import Strategy
from tests.cells.rotation_cell import RotationCell

MakeModel = Callable[..., QRNN]

LENGTHS = (3, 7, 1, 7, 5, 0)
STRATEGIES: tuple[Strategy, ...] = ("transfer", "state", "stepwise", "auto")


def draw(
    symbols: int, lengths: tuple[int, ...] = LENGTHS, unread: float = 0.3
) -> tuple[list[Tensor], list[Tensor]]:
    """Random sequences, of which a part is unread, but for the last step."""
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randint(symbols, (n,), generator=generator) for n in lengths]
    outcomes = [torch.randint(symbols, (n,), generator=generator) for n in lengths]
    for row in outcomes:
        row[: len(row) - 1][torch.rand(max(len(row) - 1, 0), generator=generator) < unread] = UNREAD
    return inputs, outcomes


def padded(rows: list[Tensor], value: int) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=value)


def gradients(network: RecurrentNetwork) -> list[Tensor]:
    found = []
    for parameter in network.parameters():
        assert parameter.grad is not None
        found.append(parameter.grad)
        parameter.grad = None
    return found


def check_alike(network: RecurrentNetwork, acceptance_weight: float, unread: float = 0.3) -> None:
    """Compares a padded batch with its sequences one by one."""
    inputs, outcomes = draw(2**network.cell.lane, unread=unread)
    batch = padded(inputs, 10**6), padded(outcomes, PADDING)
    output = network(*batch)
    network.loss(*batch, acceptance_weight=acceptance_weight).backward()
    found = gradients(network)

    read = sum(int((row != UNREAD).sum()) for row in outcomes)
    losses: list[Tensor] = []
    for row, (symbols, right) in enumerate(zip(inputs, outcomes, strict=True)):
        steps = len(symbols)
        assert (output.outcomes[row, steps:] == PADDING).all()
        assert output.log_probs[row, steps:].isnan().all()
        if not steps:
            assert output.log_acceptance[row] == 0
            assert_close(output.state[row], network.cell.initial_state(1)[0])
            continue
        alone = network(symbols[None], right[None])
        assert torch.equal(output.outcomes[row, :steps], right)
        assert_close(output.log_probs[row, :steps], alone.log_probs[0], equal_nan=True)
        assert_close(output.log_acceptance[row], alone.log_acceptance[0])
        assert_close(output.state[row], alone.state[0])
        loss = network.loss(symbols[None], right[None]) * int((right != UNREAD).sum()) / read
        kept = alone.log_acceptance[0] / steps / len(inputs)
        losses.append(loss - acceptance_weight * kept)
    torch.stack(losses).sum().backward()
    for ours, expected in zip(found, gradients(network), strict=True):
        assert_close(ours, expected)


@pytest.mark.parametrize("acceptance_weight", [0.0, 0.3])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_padded_sequence_has_the_predictions_and_gradients_that_it_has_alone(
    strategy: str, semantics: str, acceptance_weight: float, make_model: MakeModel
) -> None:
    model = make_model(lane=2, workspace=2, order=1, semantics=semantics, strategy=strategy)
    check_alike(model, acceptance_weight)


def test_so_it_is_where_the_gates_are_evaluated_one_by_one(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qrnn_circuits.simulation.state.run, "MOST_TABLE_BYTES", 0)
    check_alike(make_model(lane=1, workspace=2, strategy="state"), 0.3)


def test_so_it_is_for_a_cell_without_ways_of_its_own() -> None:
    torch.manual_seed(0)
    cell = RotationCell(lane=1, workspace=2, dtype=torch.float64)
    check_alike(RecurrentNetwork(cell), 0.3, unread=0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_state_after_padding_has_the_gradient_of_that_of_each_sequence_alone(
    strategy: str, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2, strategy=strategy)
    inputs, outcomes = draw(2)
    weights = torch.rand(len(inputs), 4, dtype=torch.float64)
    (model(padded(inputs, 0), padded(outcomes, PADDING)).state * weights).sum().backward()
    found = gradients(model)
    alone = [
        model(symbols[None], right[None]).state[0] @ weight
        for symbols, right, weight in zip(inputs, outcomes, weights, strict=True)
        if len(symbols)
    ]
    torch.stack(alone).sum().backward()
    for ours, expected in zip(found, gradients(model), strict=True):
        assert_close(ours, expected)


@settings(max_examples=20)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any),
    strategy=st.sampled_from(STRATEGIES),
    more=st.integers(0, 3),
)
def test_padding_beyond_the_longest_sequence_changes_nothing(
    lengths: list[int], strategy: Strategy, more: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    model = QRNN(
        lane=1, workspace=1, degree=1, strategy=strategy, generator=generator, dtype=torch.float64
    )
    inputs, outcomes = draw(2, tuple(lengths))
    short = padded(inputs, 0), padded(outcomes, PADDING)
    fill = torch.full((len(lengths), more), PADDING)
    long = [torch.cat((part, fill), 1) for part in short]
    assert_close(model.loss(*long), model.loss(*short))
    output, expected = model(*long), model(*short)
    assert output.log_probs.shape == (len(lengths), max(lengths) + more, 2)
    assert_close(output.log_acceptance, expected.log_acceptance)
    assert_close(output.state, expected.state)


def test_packed_sequences_give_what_padded_ones_give_in_the_order_of_the_batch(
    make_model: MakeModel,
) -> None:
    model = make_model(lane=1, workspace=2)
    inputs, outcomes = draw(2, (3, 7, 1, 5))
    scored = [row != UNREAD for row in outcomes]
    packed = [pack_sequence(rows, enforce_sorted=False) for rows in (inputs, outcomes, scored)]
    batch = padded(inputs, 0), padded(outcomes, PADDING)
    output, expected = model(*packed[:2]), model(*batch)
    assert torch.equal(output.outcomes, expected.outcomes)
    assert_close(output.log_probs, expected.log_probs, equal_nan=True)
    assert_close(output.state, expected.state)
    assert_close(model.loss(*packed[:2]), model.loss(*batch))
    assert_close(model.loss(*packed), model.loss(*batch))


@pytest.mark.parametrize("number", [-1, -100, 9])
def test_an_ignored_number_is_padding_at_the_end_and_unread_before_it(
    number: int, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2)
    inputs = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1]])
    outcomes = torch.tensor([[1, number, 0, 1], [number, 1, number, number]])
    marked = torch.tensor([[1, UNREAD, 0, 1], [UNREAD, 1, PADDING, PADDING]])
    everywhere = torch.ones_like(inputs, dtype=torch.bool)
    expected = model.loss(inputs, marked)
    assert_close(model.loss(inputs, outcomes, ignore_index=number), expected)
    assert_close(model.loss(inputs, outcomes, everywhere, ignore_index=number), expected)
    assert torch.equal(model(inputs, outcomes, ignore_index=number).outcomes, marked)
    output = model(inputs, marked)
    for kind in ("nll", "paper"):
        loss = model.loss(inputs, outcomes, kind=kind, ignore_index=number)
        assert_close(sequence_loss(output.log_probs, marked, kind=kind), loss)
        given = sequence_loss(output.log_probs, outcomes, kind=kind, ignore_index=number)
        assert_close(given, loss)


def test_padding_never_counts_where_it_is_marked_as_scored(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1)
    inputs, outcomes = torch.tensor([[0, 1], [1, 9]]), torch.tensor([[0, 1], [1, PADDING]])
    everywhere = torch.ones_like(inputs, dtype=torch.bool)
    assert_close(model.loss(inputs, outcomes, everywhere), model.loss(inputs, outcomes))


def test_transforms_of_torch_take_padding(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=2)
    inputs, outcomes = draw(2)
    batch = padded(inputs, 5), padded(outcomes, PADDING)

    def loss(coefficients: Tensor) -> Tensor:
        parameters = {"cell.coefficients": coefficients}
        method = torch.func.functional_call(_Loss(model), parameters, batch)
        assert isinstance(method, Tensor)
        return method

    coefficients = dict(_Loss(model).named_parameters())["cell.coefficients"].detach()
    found = torch.func.grad(loss)(coefficients)
    model.loss(*batch, acceptance_weight=0.1).backward()
    assert_close(found, dict(model.named_parameters())["cell.coefficients"].grad)


class _Loss(torch.nn.Module):
    """A network's loss as the call of a module."""

    def __init__(self, model: QRNN) -> None:
        super().__init__()
        self.cell = model.cell
        self._model = (model,)

    def forward(self, inputs: Tensor, outcomes: Tensor) -> Tensor:
        return self._model[0].loss(inputs, outcomes, acceptance_weight=0.1)


# Of order 4 in float32, outcomes are drawn in float64.
@pytest.mark.parametrize(("order", "dtype"), [(2, torch.float64), (4, torch.float32)])
def test_drawn_sequences_end_where_their_padding_begins(
    order: int, dtype: torch.dtype, make_model: MakeModel
) -> None:
    model = make_model(lane=1, workspace=2, order=order, dtype=dtype)
    inputs = torch.zeros(4, 4, dtype=torch.int64)
    outcomes = torch.tensor([[0] * steps + [PADDING] * (4 - steps) for steps in (4, 2, 1, 0)])
    sampled = outcomes != PADDING
    output = model.sample(
        inputs,
        outcomes,
        sampled=sampled,
        autoregressive=True,
        generator=torch.Generator().manual_seed(0),
    )
    assert torch.equal(output.outcomes == PADDING, ~sampled)
    assert_close(output.state[3], model.cell.initial_state(1)[0])
    for row, steps in enumerate([4, 2, 1]):
        drawn = output.outcomes[row, :steps]
        given = torch.cat((inputs[row, :1], drawn[:-1]))
        alone = model(given[None], drawn[None])
        assert_close(output.log_probs[row, :steps], alone.log_probs[0], rtol=1e-5, atol=1e-5)
        assert_close(output.state[row], alone.state[0], rtol=1e-5, atol=1e-5)


def test_padding_before_the_end_of_a_sequence_is_refused(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1)
    inputs = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"outcomes of sequence 1 have PADDING \(-101\) before"):
        model(inputs, torch.tensor([[0, 0, 0], [0, PADDING, 0]]))
    with pytest.raises(ValueError, match="outcomes must have at least one step, but all of them"):
        model(inputs, torch.full_like(inputs, PADDING))
    with pytest.raises(ValueError, match=r"inputs must be symbols from 0 to 1 .* got 4"):
        model(torch.tensor([[4, 4]]), torch.tensor([[1, PADDING]]))
    with pytest.raises(ValueError, match=r"outcomes must be symbols from 0 to 1 .* got -1"):
        model(torch.tensor([[0, 0, 0]]), torch.tensor([[-1, UNREAD, PADDING]]))


def test_sequences_packed_in_different_ways_are_refused(make_model: MakeModel) -> None:
    model = make_model(lane=1, workspace=1, degree=1)
    packed = pack_sequence([torch.tensor([0, 1]), torch.tensor([1])])
    other = pack_sequence([torch.tensor([0, 1]), torch.tensor([1, 1])])
    with pytest.raises(TypeError, match="must both be packed sequences or both be tensors"):
        model(packed, torch.tensor([[0, 1]]))
    with pytest.raises(ValueError, match=r"of the same lengths, got \[2, 1\] and \[2, 2\]"):
        model(packed, other)
    # As many sequences, of which the longest are as long.
    scored = pack_sequence([torch.tensor([True, True]), torch.tensor([True, True])])
    with pytest.raises(ValueError, match=r"inputs and scored must be of the same lengths"):
        model.loss(packed, packed, scored)
    values = pack_sequence([torch.zeros(2, 3, dtype=torch.int64)])
    with pytest.raises(ValueError, match=r"one number for each step, got steps of shape \(3,\)"):
        model(values, values)
