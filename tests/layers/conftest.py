import pytest

from tests.layers.cases import LAYERS, Make, maker


@pytest.fixture(params=LAYERS)
def make_layer(request: pytest.FixtureRequest) -> Make:
    """Makes any layer; the tests of one layer have a fixture of their own."""
    return maker(LAYERS[request.param])
