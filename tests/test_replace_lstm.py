import pytest

from examples.replace_lstm import LAYERS, train


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_learns_in_the_place_of_an_lstm(name: str) -> None:
    before, after = train(LAYERS[name], 60)
    assert after < 0.8 * before
