import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_circuits.reproduction.measurements.classical_network import (
    ClassicalCell,
    ClassicalNetwork,
    largest_hidden,
    parameter_count,
)

CELLS: tuple[ClassicalCell, ...] = ("rnn", "lstm")
cells = st.sampled_from(CELLS)


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-values))


def logits_by_hand(network: ClassicalNetwork, inputs: list[int]) -> NDArray[np.float64]:
    """The equations of an RNN and of an LSTM in NumPy."""
    weights = {name: each.detach().numpy() for name, each in network.named_parameters()}
    hidden = network.layer.hidden_size
    h, c, found = np.zeros(hidden), np.zeros(hidden), []
    for symbol in inputs:
        total = weights["layer.weight_ih_l0"][:, symbol] + weights["layer.bias_ih_l0"]
        total = total + weights["layer.weight_hh_l0"] @ h + weights["layer.bias_hh_l0"]
        if len(total) == hidden:
            h = np.tanh(total)
        else:
            entry, forget, new, out = np.split(total, 4)
            c = sigmoid(forget) * c + sigmoid(entry) * np.tanh(new)
            h = sigmoid(out) * np.tanh(c)
        found.append(weights["head.weight"] @ h + weights["head.bias"])
    return np.array(found)


@pytest.mark.parametrize("cell", CELLS)
def test_a_classical_network_follows_the_equations_of_its_layer(cell: ClassicalCell) -> None:
    network = ClassicalNetwork(cell, symbols=4, hidden=5, dtype=torch.float64)
    inputs = [3, 0, 2, 1, 1]
    expected = logits_by_hand(network, inputs)
    assert np.allclose(network(torch.tensor([inputs])).detach().numpy()[0], expected)
    state = network.initial_state(1)
    for symbol, row in zip(inputs, expected, strict=True):
        logits, state = network.step(torch.tensor([symbol]), state)
        assert np.allclose(logits.detach().numpy()[0], row)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_matrices_start_orthogonal(cell: ClassicalCell) -> None:
    network = ClassicalNetwork(cell, symbols=3, hidden=6, dtype=torch.float64)
    for matrix in network.recurrent_matrix.detach().split(6):
        assert torch.allclose(matrix @ matrix.T, torch.eye(6, dtype=torch.float64))


@given(cell=cells, symbols=st.integers(1, 9), hidden=st.integers(1, 9))
def test_the_number_of_parameters_is_that_of_the_network(
    cell: ClassicalCell, symbols: int, hidden: int
) -> None:
    network = ClassicalNetwork(cell, symbols=symbols, hidden=hidden)
    counted = sum(each.numel() for each in network.parameters())
    assert parameter_count(cell, symbols, hidden) == counted


@given(cell=cells, symbols=st.integers(1, 9), parameters=st.integers(200, 3000))
def test_one_more_hidden_unit_than_the_largest_has_too_many_parameters(
    cell: ClassicalCell, symbols: int, parameters: int
) -> None:
    hidden = largest_hidden(cell, symbols, parameters)
    assert parameter_count(cell, symbols, hidden) <= parameters
    assert parameter_count(cell, symbols, hidden + 1) > parameters


def test_a_seed_gives_the_same_network_and_leaves_the_generator_of_torch_alone() -> None:
    before = torch.random.get_rng_state()
    first, again = (ClassicalNetwork("rnn", symbols=3, hidden=4, seed=5) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    other = ClassicalNetwork("rnn", symbols=3, hidden=4, seed=6)
    assert torch.equal(first.recurrent_matrix, again.recurrent_matrix)
    assert not torch.equal(first.recurrent_matrix, other.recurrent_matrix)


def test_too_few_parameters_for_one_hidden_unit_are_refused() -> None:
    with pytest.raises(ValueError, match="parameters must be at least 27, got 26"):
        largest_hidden("rnn", 8, 26)
