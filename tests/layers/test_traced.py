"""Layers that PyTorch compiles, exports, records and differentiates twice."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, linearize
from torch.fx.experimental.proxy_tensor import make_fx

from qrnn_circuits.layers import QLSTM, QRNNLayer, RecurrentCircuitLayer
from tests.layers.cases import Make, assert_alike, random


@pytest.mark.filterwarnings("ignore")  # Of torch.compile itself, about its own parts.
def test_a_compiled_layer_returns_the_same(make_layer: Make) -> None:
    layer = make_layer()
    compiled = torch.compile(layer, backend="eager")
    inputs = random(3, 2, 2)

    assert torch.allclose(compiled(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_a_compiler_follows_a_qrnn_as_one_graph() -> None:
    torch.compiler.reset()  # Layers that it could not follow before share the code of this one.
    layer = QRNNLayer(2, 3, order=1, semantics="postselected", dtype=torch.float64)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    inputs = random(3, 2, 2).requires_grad_()
    assert_alike(compiled(inputs), layer(inputs), [inputs, *layer.parameters()])


def test_an_exported_layer_takes_batches_of_other_sizes(make_layer: Make) -> None:
    layer = make_layer(1, 2)
    batch = {1: torch.export.Dim("batch", min=2, max=64)}
    exported = torch.export.export(layer, (random(2, 2, 1),), dynamic_shapes=(batch,))
    inputs = random(2, 5, 1)
    assert torch.allclose(exported.module()(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        partial(QLSTM, linear=True, depth=2),
        partial(RecurrentCircuitLayer, readout="populations"),
    ],
)
def test_an_exported_layer_takes_batches_of_any_size(make: Make) -> None:
    layer = make(2, 4, dtype=torch.float64)
    batch = {1: torch.export.Dim("batch", min=2)}
    exported = torch.export.export(layer, (random(1, 2, 2),), dynamic_shapes=(batch,))
    for size in (2, 9, 300):
        inputs = random(1, size, 2)
        assert torch.allclose(exported.module()(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_a_recorded_layer_returns_the_same_of_other_numbers(make_layer: Make) -> None:
    layer, inputs = make_layer(), random(3, 2, 2)
    recorded = torch.jit.trace(layer, (random(3, 2, 2),), check_trace=False)
    assert torch.allclose(recorded(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-12)


def test_what_make_fx_records_of_a_layer_returns_the_same_of_other_numbers(
    make_layer: Make,
) -> None:
    layer, inputs = make_layer(), random(2, 2, 2)
    recorded = make_fx(layer)(random(2, 2, 2).flip(0))
    assert torch.allclose(recorded(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-12)


def test_a_gradient_that_is_kept_has_the_derivatives_of_finite_differences(
    make_layer: Make,
) -> None:
    layer, inputs = make_layer(1, 2, num_layers=2), random(2, 2, 1).requires_grad_()
    values = (inputs, *layer.parameters())

    def of(inputs: Tensor, *_: Tensor) -> Tensor:
        found: Tensor = layer(inputs)[0]
        return found

    assert torch.autograd.gradgradcheck(of, values, fast_mode=True)


@pytest.mark.filterwarnings("ignore")  # That the compiler of scripts is deprecated.
def test_the_compiler_of_scripts_is_refused_in_words(make_layer: Make) -> None:
    around = torch.nn.Sequential(make_layer())
    with pytest.raises(RuntimeError, match=r"torch\.compile"):
        torch.jit.script(around)


def test_second_derivatives_are_those_of_finite_differences(make_layer: Make) -> None:
    layer, inputs = make_layer(1, 2), random(2, 2, 1)
    values = {name: value.detach() for name, value in layer.named_parameters()}
    directions = {name: random(*value.shape) for name, value in values.items()}

    def slopes(at: dict[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = grad(
            lambda values: functional_call(layer, values, (inputs,))[0].square().sum()
        )(at)
        return found

    def along(at: dict[str, Tensor]) -> Tensor:
        return torch.stack([(slopes(at)[name] * directions[name]).sum() for name in at]).sum()

    above, below = (
        slopes({name: value + step * directions[name] for name, value in values.items()})
        for step in (1e-5, -1e-5)
    )
    for name, bend in grad(along)(values).items():
        expected = (above[name] - below[name]) / 2e-5
        assert torch.allclose(bend, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore")  # Of the transform itself, about its own parts.
def test_a_linearised_qrnn_has_the_derivatives_of_finite_differences() -> None:
    layer = QRNNLayer(1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inputs, direction = random(2, 2, 1), random(2, 2, 1).flip(0)

    def of(inputs: Tensor) -> Tensor:
        found: Tensor = layer(inputs)[0]
        return found

    output, slope = linearize(of, inputs)
    above, below = (of(inputs + step * direction) for step in (1e-6, -1e-6))
    assert torch.allclose(output, of(inputs), rtol=0, atol=1e-12)
    assert torch.allclose(slope(direction), (above - below) / 2e-6, rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", ["compiled", "on a device", "kept"])
def test_angles_of_no_work_stage_have_a_gradient_as_every_parameter_has(way: str) -> None:
    layer = QRNNLayer(2, 3, stages=0)
    run: Callable[[Tensor], tuple[Tensor, Tensor]] = layer
    if way == "compiled":
        run = torch.compile(layer, backend="eager")
    elif way == "on a device":
        run = layer.on("qrnn.torch")
    loss = run(torch.ones(2, 1, 2))[0].sum()
    gradients = torch.autograd.grad(loss, list(layer.parameters()), create_graph=way == "kept")
    for gradient, parameter in zip(gradients, layer.parameters(), strict=True):
        assert gradient.shape == parameter.shape
