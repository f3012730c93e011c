import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits.neuron import Semantics
from qrnn_circuits.reproduction.measurements.classical_network import (
    ClassicalCell,
    ClassicalNetwork,
)
from qrnn_circuits.reproduction.measurements.gradient_norms import (
    GradientSettings,
    classical_losses,
    log_spaced,
    measure,
    quantum_cell,
    quantum_losses,
    state_gradients,
)
from qrnn_circuits.tasks.task import Reading
from tests.dense import DenseCell

STEPS = 4
SMALL: dict[str, Any] = {"workspace": 2, "lane": 1, "degree": 2}


def measured(seed: int = 0, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
    return measure(settings, seed, Path(), lambda doing: None)


def symbols_of(lane: int, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(2**lane, (batch, STEPS + 1), generator=generator)


def by_finite_differences(losses: Callable[[Tensor], Tensor], state: Tensor) -> Tensor:
    """Central differences of losses ``(B,)`` in each coordinate of the states ``(B, S)``."""
    state, step = state.detach(), 1e-6
    columns = []
    for direction in torch.eye(state.shape[1], dtype=state.dtype) * step:
        above, below = losses(state + direction), losses(state - direction)
        columns.append((above - below).detach() / (2 * step))
    return torch.stack(columns, -1)


@pytest.mark.parametrize(
    ("order", "semantics"), [(2, "postselected"), (1, "unitary"), (0, "unitary")]
)
@pytest.mark.parametrize("reading", ["every", "scored"])
def test_the_gradient_of_a_state_of_amplitudes_is_that_of_finite_differences_and_keeps_its_norm(
    order: int,
    semantics: Semantics,
    reading: Reading,
) -> None:
    asked = GradientSettings(
        order=order, semantics=semantics, bias_spread=0.5, weight_spread=0.5, **SMALL
    )
    cell, symbols = quantum_cell(asked, seed=0), symbols_of(1)
    loss, states = quantum_losses(cell, symbols, reading)
    gradients = state_gradients(loss, states)
    for t, (state, gradient) in enumerate(zip(states, gradients, strict=True)):

        def later(start: Tensor, t: int = t) -> Tensor:
            return quantum_losses(cell, symbols[:, t:], reading, start)[0]

        expected = by_finite_differences(later, state)
        assert torch.allclose(gradient, expected, atol=1e-7)
        assert torch.allclose((gradient * state).sum(-1), torch.zeros(2, dtype=state.dtype))


@pytest.mark.parametrize("kind", ["rnn", "lstm"])
def test_the_gradient_of_all_that_a_classical_step_hands_on_is_that_of_finite_differences(
    kind: ClassicalCell,
) -> None:
    network = ClassicalNetwork(kind, symbols=2, hidden=3, dtype=torch.float64)
    symbols = symbols_of(1)
    loss, states = classical_losses(network, symbols)
    gradients = state_gradients(loss, states)
    assert len(gradients) == len(states) == STEPS
    for t, gradient in enumerate(gradients):

        def later(start: Tensor, t: int = t) -> Tensor:
            return classical_losses(network, symbols[:, t:], start)[0]

        assert torch.allclose(gradient, by_finite_differences(later, states[t]), atol=1e-8)


def test_the_loss_is_that_of_a_dense_matrix_conditioned_on_each_next_symbol() -> None:
    asked = GradientSettings(bias_spread=0.5, weight_spread=0.5, **SMALL)
    cell, symbols = quantum_cell(asked, seed=3), symbols_of(1, batch=1)
    dense = DenseCell(
        lane=1,
        workspace=2,
        stages=cell.stages,
        order=cell.order,
        degree=cell.degree,
        semantics=cell.semantics,
        coefficients=cell.neuron_coefficients.detach().numpy(),
        theta=cell.theta.detach().numpy(),
    )
    row = symbols[0].tolist()
    distributions, _, _ = dense.run(row[:-1], row[1:])
    loss, states = quantum_losses(cell, symbols)
    assert loss.item() == pytest.approx(-math.log(distributions[-1][row[-1]]))
    assert len(states) == STEPS


@pytest.mark.parametrize("order", [0, 1])
def test_nothing_fades_in_a_unitary_network_that_is_read_once(order: int) -> None:
    found = measured(
        length=60, batch=3, order=order, semantics="unitary", reading="scored", degree=2
    )
    assert found["norms"] == pytest.approx([1.0] * len(found["norms"]), rel=1e-9)


def test_an_rnn_forgets_and_all_networks_start_at_one() -> None:
    for network in ("qrnn", "rnn", "lstm"):
        found = measured(network=network, length=40, batch=3, degree=2)
        assert found["norms"][0] == 1
        assert found["distances"][0] == 0
        assert found["distances"][-1] == 39
        json.dumps(found, allow_nan=False)
    assert measured(network="lstm", length=40, batch=3)["norms"][-1] < 1e-3


def test_the_default_networks_have_about_equal_numbers_of_parameters() -> None:
    counts = [
        measured(network=network, length=2, batch=1)["parameters"]
        for network in ("qrnn", "rnn", "lstm")
    ]
    assert counts == [837, 827, 764]


@given(length=st.integers(2, 2000))
def test_distances_are_whole_and_ascending_from_zero_to_the_first_step(length: int) -> None:
    distances = log_spaced(length)
    assert distances == sorted(set(distances))
    assert (distances[0], distances[-1]) == (0, length - 1)
    assert len(distances) <= 60


def test_a_loss_that_does_not_depend_on_the_state_is_refused() -> None:
    with pytest.raises(ValueError, match="choose a weight_spread greater than 0, got 0"):
        measured(length=5, batch=2, weight_spread=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "gru"}, "network must be one of qrnn, rnn, lstm, got 'gru'"),
        ({"length": 1}, "length must be at least 2, got 1"),
        ({"degree": 9}, "degree"),
        ({"weight_spread": -1}, "weight_spread must be finite and at least 0, got -1"),
    ],
)
def test_settings_that_no_network_has_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measured(**settings)
