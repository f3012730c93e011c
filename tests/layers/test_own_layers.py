"""What a layer of a user's own has of the package, by the methods that it defines alone."""

from collections.abc import Sequence

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from qrnn_circuits.forecaster import LAYERS
from qrnn_circuits.layers import HybridCell, HybridLayer, RecurrentLayer, register_layer
from tests.layers.cases import maker, random
from tests.layers.own_layers import MinimalGatedLayer, TurningLayer

OWN = (MinimalGatedLayer, TurningLayer)


@pytest.fixture(params=OWN)
def layer(request: pytest.FixtureRequest) -> RecurrentLayer:
    return maker(request.param)(1, 2)


def test_a_layer_of_circuits_computes_what_its_circuits_read() -> None:
    layer = maker(TurningLayer)(1, 2)
    (weights,) = layer.parameters()
    inputs = random(3, 4, 1)
    state, expected = torch.zeros(4, 2, dtype=torch.float64), []
    for features in inputs:
        state = (torch.cat((features, state), -1) @ weights.T).cos()
        expected.append(state)
    torch.testing.assert_close(layer(inputs)[0], torch.stack(expected), rtol=0, atol=1e-10)


def test_gradients_are_those_of_finite_differences(layer: RecurrentLayer) -> None:
    names = [name for name, _ in layer.named_parameters()]

    def outputs(inputs: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = torch.func.functional_call(
            layer, dict(zip(names, parameters, strict=True)), (inputs,)
        )[0]
        return found

    assert torch.autograd.gradcheck(
        outputs, (random(2, 1, 1).requires_grad_(), *layer.parameters())
    )


def test_packed_sequences_are_those_of_each_alone(layer: RecurrentLayer) -> None:
    sequences = [random(3, 1), random(1, 1)]
    packed, _ = layer(pack_sequence(sequences))
    for found, sequence in zip(unpack_sequence(packed), sequences, strict=True):
        torch.testing.assert_close(found, layer(sequence)[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("device", ["default.qubit", "qrnn.aer"])
def test_devices_return_the_same(layer: RecurrentLayer, device: str) -> None:
    inputs = random(2, 1, 1)
    found = layer.on(device)(inputs)[0]
    torch.testing.assert_close(found, layer(inputs)[0], rtol=0, atol=1e-6)


def test_a_registered_name_stands_for_one_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LAYERS, "_registered", dict(LAYERS._registered))
    register_layer("minimal-gated", MinimalGatedLayer)
    assert LAYERS.find("minimal-gated") is MinimalGatedLayer
    with pytest.raises(ValueError, match="cell 'minimal-gated' is registered already"):
        register_layer("minimal-gated", TurningLayer)


def test_a_hybrid_cell_without_a_step_is_refused_when_it_is_made() -> None:
    class NoStep(HybridCell):
        def bank_sizes(self, features: int, hidden: int) -> Sequence[tuple[int, int]]:
            return ((1, hidden + features),)

    class NoStepLayer(HybridLayer):
        cell_type = NoStep

    with pytest.raises(TypeError, match=r"abstract class NoStep.*step"):
        NoStepLayer(1, 2)
