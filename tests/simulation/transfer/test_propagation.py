from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits.simulation.transfer.propagation import Propagation, propagation
from tests.arrangements import LAYOUTS, SYMBOLS, Arrangement, arrangements, row_sequences

SIZE = 3


def random(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def random_rows(arrangement: Arrangement, seed: int) -> list[Tensor]:
    """Rows of numbers for each place, zero where there is no sequence."""
    return [
        random(len(rows), SIZE, seed=seed + place) * torch.from_numpy(rows >= 0).unsqueeze(1)
        for place, rows in enumerate(row_sequences(arrangement.layout))
    ]


def advanced(run: Propagation, states: list[Tensor]) -> list[Tensor]:
    """What each place's states become at the next."""
    places = len(states) - 1
    result = []
    run.enter(states[0], 0, places)
    for place in range(places):
        run.places[place].copy_(states[place].view_as(run.places[place]))
        run.advance(place)
        result.append(run.places[place + 1].clone().view(-1, SIZE))
    return result


def total(gradients: list[Tensor], states: list[Tensor]) -> Tensor:
    return sum(((a * b).sum() for a, b in zip(gradients, states, strict=True)), torch.zeros(()))


@pytest.mark.parametrize("kind", LAYOUTS)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_a_step_back_is_the_transpose_of_a_step_forward(
    kind: str, data: st.DataObject, seed: int
) -> None:
    arrangement: Arrangement = data.draw(arrangements(kind))
    layout = arrangement.layout
    shape = (len(arrangement.pairs[0]), SIZE, SIZE)
    operators, readout = random(*shape, seed=seed), random(SYMBOLS, SIZE, seed=seed + 1)
    states, gradients = (random_rows(arrangement, seed=seed + i) for i in (100, 200))

    def forward(operators: Tensor, readout: Tensor) -> list[Tensor]:
        return advanced(propagation(operators, readout, layout), states)

    run = propagation(operators, readout, layout)
    after = advanced(run, states)
    for place, given_states in enumerate(states[:-1]):
        run.places[place].copy_(given_states.view_as(run.places[place]))
    run.start_backward()
    for place in reversed(range(len(after))):
        back = run.retreat(place, gradients[place + 1])
        product = (back * states[place]).sum()
        assert torch.allclose(product, (gradients[place + 1] * after[place]).sum())
    run.collect(0, len(after))

    # Linear in the operators, and in each read-out: their gradients give any change exactly.
    changes = random(*shape, seed=seed + 2)
    to_operators, to_readout = run.gradients()
    assert torch.allclose(
        (to_operators * changes).sum(), total(gradients[1:], forward(changes, readout))
    )
    if to_readout is not None:
        change = random(SYMBOLS, SIZE, seed=seed + 3)
        expected = total(gradients[1:], forward(operators, readout + change)) - total(
            gradients[1:], after
        )
        assert torch.allclose((to_readout * change).sum(), expected)


def test_a_layout_of_another_kind_is_rejected() -> None:
    layout: Any = "rows"
    with pytest.raises(TypeError, match="must be a row, chunked or grouped layout, got 'rows'"):
        propagation(torch.zeros(1, 2, 2), torch.zeros(2, 2), layout)
