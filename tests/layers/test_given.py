import pytest
import torch
from torch.nn.utils import prune

from tests.layers.cases import Make, random


def test_parameters_that_hooks_of_torch_compute_follow_training(make_layer: Make) -> None:
    layer, plain = make_layer(), make_layer()
    inputs = random(3, 2, 2)
    parts = [
        (own, other, name)
        for own, other in zip(list(layer.modules()), plain.modules(), strict=True)
        for name, _ in list(own.named_parameters(recurse=False))
    ]
    for own, _, name in parts:
        prune.random_unstructured(own, name, amount=0.5)
    for _ in range(2):
        with torch.no_grad():
            for own, other, name in parts:
                original = getattr(own, f"{name}_orig")
                original += 0.1
                getattr(other, name).copy_(getattr(own, f"{name}_mask") * original)
        output = layer(inputs)[0]
        assert torch.allclose(output, plain(inputs)[0], rtol=0, atol=1e-12)
        output.sum().backward()


def test_no_sequences_have_no_states_to_start_from(make_layer: Make) -> None:
    layer, inputs = make_layer(bidirectional=True), random(3, 2, 2)
    _, state = layer(inputs)
    output, after = layer(inputs[:, :0], state[:, :0])
    assert output.shape == (3, 0, 8)
    assert after.shape == state[:, :0].shape


def test_a_default_device_does_not_matter_to_a_layer_that_lives_elsewhere(
    make_layer: Make,
) -> None:
    layer, inputs = make_layer(), random(3, 2, 2)
    with torch.device("meta"):
        output, _ = layer(inputs)
    assert torch.equal(output, layer(inputs)[0])


def test_a_layer_without_memory_draws_no_numbers(make_layer: Make) -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    with torch.device("meta"):
        layer = make_layer(generator=generator)
        layer.reset_parameters(generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_is_no_dense_tensor_is_refused_with_a_way_out(make_layer: Make) -> None:
    layer = make_layer()
    nested = torch.nested.nested_tensor([random(3, 2), random(2, 2)])
    for given, words in (
        (nested, r"got a nested tensor: take to_dense.*pack_sequence"),
        (random(3, 2, 2).float(), r"got torch\.float32: take input\.to\(torch\.float64\)"),
        (random(3, 2, 2).numpy(), r"got a ndarray: .*torch\.as_tensor\(input, dtype="),
    ):
        with pytest.raises(TypeError, match=words):
            layer(given)


def test_a_generator_of_ones_own_leaves_that_of_torch_as_it_was(make_layer: Make) -> None:
    before = torch.get_rng_state()
    make_layer()(random(3, 2, 2))[0].sum().backward()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_hook_of_a_layer_on_a_device_leaves_the_layer_without_one_as_it_was(
    make_layer: Make,
) -> None:
    layer, inputs = make_layer(), random(3, 2, 2)
    before = layer(inputs)[0]
    on_device = layer.on("qrnn.torch")
    on_device.register_forward_hook(lambda *given: (2 * given[2][0], given[2][1]))
    assert torch.equal(layer(inputs)[0], before)
    assert torch.allclose(on_device(inputs)[0], 2 * before, rtol=0, atol=1e-10)
