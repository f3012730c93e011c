from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qrnn_circuits import QRNN, Initialisation
from qrnn_circuits.gates import apply_workspace_gates
from qrnn_circuits.simulation.costs import SECONDS
from qrnn_circuits.simulation.strategy import (
    Strategy,
    TransferEvolution,
    cheaper_strategy,
    operator_counts,
    state_counts,
)


def test_transfer_operators_take_states_where_the_gates_take_them(
    make_model: Callable[..., QRNN], random_symbols: Callable[..., Tensor]
) -> None:
    model = make_model(workspace=3, lane=2)
    inputs = random_symbols(model, 20, 1)[:, 0]
    state = torch.randn(20, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    gates = model.cell.step_gates().workspace
    evolved = TransferEvolution(gates, 4)(state, inputs)
    expected = apply_workspace_gates(gates, state.T, inputs).T
    assert torch.allclose(evolved, expected, rtol=0, atol=1e-12)


def test_long_sequences_share_operators_and_wide_cells_do_not() -> None:
    sizes = {"stages": 2, "symbols": 4}
    assert cheaper_strategy(**sizes, workspace=8, batch=100, steps=100) == "transfer"
    assert cheaper_strategy(**sizes, workspace=14, batch=1, steps=1) == "state"


@pytest.mark.parametrize("workspace", range(1, 15))
def test_more_steps_never_turn_the_choice_back_to_the_states(workspace: int) -> None:
    choices = [
        cheaper_strategy(stages=1, symbols=4, workspace=workspace, batch=4, steps=steps)
        for steps in (1, 10, 100, 1000, 10_000)
    ]
    assert choices == sorted(choices)


@pytest.mark.parametrize("workspace", [1, 8, 20])
@pytest.mark.parametrize("batch", [1, 1000])
def test_all_that_is_counted_has_a_measured_time(workspace: int, batch: int) -> None:
    sizes = {"stages": 2, "symbols": 4, "workspace": workspace, "batch": batch, "steps": 10}
    for counts in (operator_counts(**sizes), state_counts(**sizes)):
        assert counts.keys() <= SECONDS.keys()
        assert min(counts.values()) >= 0


@pytest.mark.parametrize("strategy", ["transfer", "state"])
@pytest.mark.parametrize(
    "initialisation", [Initialisation(), Initialisation(0.5, 0.5, 0.5)], ids=["default", "broad"]
)
def test_float32_log_likelihoods_of_a_thousand_steps_agree_with_float64(
    initialisation: Initialisation, strategy: Strategy
) -> None:
    def build(dtype: torch.dtype) -> QRNN:
        return QRNN(
            lane=2,
            workspace=5,
            degree=3,
            strategy=strategy,
            initialisation=initialisation,
            generator=torch.Generator().manual_seed(0),
            dtype=dtype,
        )

    exact, single = build(torch.float64), build(torch.float32)
    symbols = torch.zeros(4, 1000, dtype=torch.int64)
    # Typical sequences: rounding errors grow where a run is conditioned on rare outcomes.
    drawn = exact.sample(
        symbols,
        symbols,
        sampled=torch.ones_like(symbols, dtype=torch.bool),
        autoregressive=True,
        generator=torch.Generator().manual_seed(0),
    )
    inputs = torch.cat((symbols[:, :1], drawn.outcomes[:, :-1]), 1)
    with torch.no_grad():
        likelihoods = [
            model(inputs, drawn.outcomes)
            .log_probs.double()
            .gather(2, drawn.outcomes[..., None])
            .sum((1, 2))
            for model in (exact, single)
        ]
        losses = [model.loss(inputs, drawn.outcomes) for model in (exact, single)]
    expected, found = likelihoods
    assert torch.allclose(found, expected, rtol=1e-4, atol=0)
    assert torch.allclose(found / 1000, expected / 1000, rtol=0, atol=1e-4)
    assert abs(losses[1] - losses[0]) < 1e-4


@pytest.mark.parametrize(("batch", "steps"), [(0, 3), (3, 0), (2.5, 3), ("3", 3), (True, 3)])
def test_a_strategy_is_chosen_for_numbers_of_sequences_and_steps_alone(
    batch: int, steps: int
) -> None:
    with pytest.raises((TypeError, ValueError), match=r"(batch|steps) must be (an|at least 1)"):
        QRNN(lane=1, workspace=2).chosen_strategy(batch, steps)
