import pytest

from qrnn_circuits.strategy import cheaper_strategy


def test_long_sequences_share_operators_and_wide_cells_do_not() -> None:
    sizes = {"gates": 40, "symbols": 4}
    assert cheaper_strategy(**sizes, workspace=8, batch=100, steps=100) == "transfer"
    assert cheaper_strategy(**sizes, workspace=14, batch=1, steps=1) == "state"


@pytest.mark.parametrize("workspace", range(1, 15))
def test_more_steps_never_turn_the_choice_back_to_the_states(workspace: int) -> None:
    choices = [
        cheaper_strategy(gates=3 * workspace, symbols=4, workspace=workspace, batch=4, steps=steps)
        for steps in (1, 10, 100, 1000, 10_000)
    ]
    assert choices == sorted(choices)
