from typing import Any

import pytest
import torch
from torch import nn

from qrnn_circuits.forecaster import LAYERS, Forecaster, make_forecaster
from qrnn_circuits.layers import RecurrentLayer

CLASSICAL = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@pytest.mark.parametrize("name", LAYERS.names())
def test_every_layer_has_the_call_of_pytorchs_and_learns_by_gradients(name: str) -> None:
    options = {} if name in CLASSICAL else {"batch_first": True, "reading": "last"}
    layer = LAYERS.make(name, input_size=2, hidden_size=3, dtype=torch.float64, **options)
    assert isinstance(layer, RecurrentLayer | nn.RNNBase)
    model = Forecaster(layer, 3, 1, dtype=torch.float64)
    inputs = torch.randn(5, 4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model.loss(inputs, torch.zeros(5, 1)).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    assert model(inputs).shape == (5, 1)


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_layers_are_those_of_pytorch_batches_first(name: str) -> None:
    made = LAYERS.make(name, input_size=2, hidden_size=3, num_layers=2)
    theirs = CLASSICAL[name](2, 3, 2, batch_first=True)
    theirs.load_state_dict(made.state_dict())
    inputs = torch.randn(5, 4, 2)
    assert torch.equal(made(inputs)[0], theirs(inputs)[0])


@pytest.mark.parametrize("name", CLASSICAL)
def test_classical_layers_follow_their_generator_and_leave_pytorchs_alone(name: str) -> None:
    def drawn(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        layer = LAYERS.make(name, input_size=2, hidden_size=16, generator=generator)
        return torch.cat([parameter.detach().flatten() for parameter in layer.parameters()])

    torch.manual_seed(0)
    first = drawn(1)
    torch.manual_seed(5)
    assert torch.equal(first, drawn(1))
    assert not torch.equal(first, drawn(2))
    assert first.abs().max() <= 0.25
    assert first.std().item() == pytest.approx(0.25 / 3**0.5, rel=0.1)


@pytest.mark.parametrize("layers", [0, 1.5, "x", True])
def test_sizes_of_classical_layers_are_integers(layers: object) -> None:
    with pytest.raises(
        (TypeError, ValueError), match=r"num_layers must be (an integer|at least 1), got"
    ):
        make_forecaster("gru", features=1, targets=1, hidden_size=4, num_layers=layers)


def test_the_loss_is_the_mean_square_of_what_the_last_step_misses() -> None:
    layer = nn.RNN(2, 3, batch_first=True, dtype=torch.float64)
    model = Forecaster(layer, 3, 2, dtype=torch.float64)
    inputs, targets = torch.randn(5, 4, 2).double(), torch.randn(5, 2).double()
    last = layer(inputs)[0][:, -1].detach()
    found = last @ model.head.weight.detach().T + model.head.bias.detach()
    expected = sum((a - b) ** 2 for a, b in zip(found.flatten(), targets.flatten(), strict=True))
    assert model.loss(inputs, targets).item() == pytest.approx(float(expected) / 10)


def test_a_forecast_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="targets must be at least 1, got 0"):
        make_forecaster("gru", features=1, targets=0, hidden_size=4)


def test_a_layer_of_any_keywords_takes_batches_first() -> None:
    layer = make_forecaster("torch.nn:RNN", features=2, targets=1, hidden_size=4).layer
    assert isinstance(layer, nn.RNN)
    assert layer.batch_first


@pytest.mark.parametrize("cell", ["qrnn", "lstm"])
def test_targets_and_windows_of_other_shapes_are_refused(cell: str) -> None:
    # Without a word, the mean would be over all pairs of a forecast and a target, and a step of one
    # sequence would be taken for a sequence.
    model = make_forecaster(cell, features=1, targets=1, hidden_size=3)
    windows = torch.rand(4, 3, 1)
    for targets in (torch.rand(4), torch.rand(1, 4)):
        with pytest.raises(ValueError, match=r"targets must have shape .*\(4, 1\), got"):
            model.loss(windows, targets)
    with pytest.raises(ValueError, match=r"windows of shape \(B, T, F\), got \(3, 1\)"):
        model(windows[0])
    with pytest.raises(TypeError, match=r"tensor of real numbers, got torch\.complex64"):
        model(windows + 0j)
    others: list[Any] = [torch.rand(4, 1) + 0j, [[1.0]]]
    for other, found in zip(others, ("torch.complex64", "a list"), strict=True):
        with pytest.raises(TypeError, match=f"targets must be .* real numbers, got {found}"):
            model.loss(torch.rand(4, 3, 1), other)


def test_a_forecaster_of_two_directions_reads_both() -> None:
    model = make_forecaster("qrnn", features=2, targets=1, hidden_size=3, bidirectional=True)
    windows = torch.rand(4, 3, 2)
    last = model.layer(windows)[0][:, -1]
    assert last.shape == (4, 6)
    assert torch.equal(model(windows), model.head(last))


@pytest.mark.parametrize("cell", ["qrnn", "fast-weights", "rnn", "lstm"])
def test_a_generator_of_ones_own_leaves_that_of_torch_as_it_was(cell: str) -> None:
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(0)
    make_forecaster(cell, features=1, targets=1, hidden_size=4, generator=generator)
    assert torch.equal(torch.get_rng_state(), before)
