"""What layers are on quantum devices."""

import pennylane as qml
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.layers.cases import CLASSICAL_STATES, LAYERS, Make, assert_alike, random


def test_packed_sequences_run_on_a_device(make_layer: Make) -> None:
    layer = make_layer(num_layers=2)
    packed = pack_sequence([random(2, 2), random(1, 2)])
    with torch.no_grad():
        found, expected = layer.on("qrnn.torch")(packed)[0], layer(packed)[0]
    assert torch.allclose(found.data, expected.data, rtol=0, atol=1e-10)


def test_the_last_step_of_both_directions_is_read_on_a_device(make_layer: Make) -> None:
    layer = make_layer(hidden_size=2, bidirectional=True, reading="last")
    packed = pack_sequence([random(3, 2), random(1, 2)])
    with torch.no_grad():
        found, expected = layer.on("qrnn.torch")(packed)[0], layer(packed)[0]
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


def test_a_layer_on_a_device_follows_the_training_of_the_layer(make_layer: Make) -> None:
    layer = make_layer()
    on_device = layer.on("qrnn.torch")
    inputs = random(2, 1, 2)
    with torch.no_grad():
        next(layer.parameters()).add_(0.1)
        assert torch.allclose(on_device(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-10)
        named = make_layer(device="qrnn.torch")
        named.load_state_dict(layer.state_dict())
        assert torch.allclose(named(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-10)


@TREE_TRAVERSAL
@pytest.mark.parametrize("device", ["default.qubit", "lightning.qubit", "qrnn.torch"])
def test_an_exact_device_gives_the_same_values_and_gradients(device: str, make_layer: Make) -> None:
    layer = make_layer(hidden_size=2, bidirectional=True)
    inputs = random(2, 2, 2).requires_grad_()
    assert_alike(layer.on(device)(inputs)[:1], layer(inputs)[:1], [inputs, *layer.parameters()])


@pytest.mark.parametrize("make_layer", CLASSICAL_STATES, indirect=True)
def test_a_classical_state_is_the_same_on_a_device(make_layer: Make) -> None:
    layer = make_layer(hidden_size=2)
    inputs, start = random(2, 1, 2), random(1, 1, layer.state_size)
    with torch.no_grad():
        found, expected = layer.on("qrnn.torch")(inputs, start), layer(inputs, start)
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)


@pytest.mark.parametrize("make_layer", sorted(LAYERS.keys() - {*CLASSICAL_STATES}), indirect=True)
def test_a_device_does_not_tell_a_quantum_state(make_layer: Make) -> None:
    layer = make_layer().on("qrnn.torch")
    with torch.no_grad():
        state = layer(random(1, 1, 2))[1]
    assert state.isnan().all()
    with pytest.raises(ValueError, match=r"hx must be None .*: give it the whole sequence at once"):
        layer(random(1, 1, 2), state)


def test_shots_estimate_what_is_expected(make_layer: Make) -> None:
    layer = make_layer(hidden_size=2, reading="last")
    device = qml.device("qrnn.torch", seed=3)
    inputs = random(2, 2, 2)
    with torch.no_grad():
        found, expected = layer.on(device, shots=20000)(inputs)[0], layer(inputs)[0]
    assert not torch.equal(found, expected)
    assert torch.allclose(found, expected, rtol=0, atol=0.1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.filterwarnings("ignore::pennylane.exceptions.PennyLaneDeprecationWarning")
def test_a_device_with_shots_of_its_own_runs_as_many(make_layer: Make) -> None:
    inputs = random(1, 1, 2)
    layer = make_layer(hidden_size=2, reading="last").on(qml.device("default.qubit", shots=8))
    assert layer.shots == 8
    assert make_layer().on(qml.device("default.qubit", shots=8), shots=2).shots == 2
    with torch.no_grad():
        assert len({tuple(layer(inputs)[0].flatten().tolist()) for _ in range(9)}) > 1
    with pytest.raises(ValueError, match="device must have one number of shots"):
        make_layer().on(qml.device("default.qubit", shots=(8, 9)))


def test_a_transform_follows_a_device_or_says_that_it_does_not(make_layer: Make) -> None:
    layer, inputs = make_layer(1, 2), random(2, 2, 1)
    try:
        found = torch.func.vmap(lambda one: layer.on("qrnn.torch")(one)[0], in_dims=1)(inputs)
    except RuntimeError as error:
        assert "torch.func does not follow what a quantum device computes" in str(error)  # noqa: PT017
    else:
        assert torch.allclose(found.transpose(0, 1), layer(inputs)[0], rtol=0, atol=1e-8)
