from typing import Any

import pennylane as qml
import pytest
import torch
from torch import Tensor

from qrnn_circuits import QRNNLayer
from qrnn_circuits.numerical_errors import PrecisionError
from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.layers.cases import Make, assert_alike, maker, random


@pytest.fixture
def make_layer() -> Make:
    return maker(QRNNLayer)


@TREE_TRAVERSAL
@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch"])
@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 2, "bidirectional": True},
        {"readout": "populations"},
        {"order": 1, "semantics": "postselected", "hidden_size": 2},
        {"order": 1, "semantics": "unitary", "hidden_size": 2},
        {"reading": "last"},
    ],
)
def test_an_exact_device_gives_the_same_values_and_gradients(
    device: str, options: dict[str, object], make_layer: Make
) -> None:
    layer = make_layer(**options)
    inputs = random(2, 1, 2).requires_grad_()
    assert_alike(layer.on(device)(inputs)[:1], layer(inputs)[:1], [inputs, *layer.parameters()])


@pytest.mark.parametrize("readout", ["expectations", "populations"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_what_a_fresh_layer_returns_depends_on_its_inputs(
    order: int, readout: str, make_layer: Make
) -> None:
    layer = make_layer(order=order, readout=readout)
    returned = layer(random(4, 20, 2))[0][-1]
    assert returned.std(0).max() > 1e-3
    (slope,) = torch.autograd.grad(returned.square().sum(), next(layer.parameters()))
    assert slope.abs().max() > 1e-3


@pytest.mark.parametrize("readout", ["expectations", "populations"])
def test_shots_estimate_what_is_expected(readout: str, make_layer: Make) -> None:
    layer = make_layer(readout=readout, reading="last")
    device = qml.device("qrnn.aer", seed=3)
    inputs = random(3, 2, 2)
    with torch.no_grad():
        found, expected = layer.on(device, shots=4000)(inputs)[0], layer(inputs)[0]
    assert torch.allclose(found, expected, rtol=0, atol=5 / 4000**0.5)


def test_gradients_with_shots_come_by_the_parameter_shift_rule(make_layer: Make) -> None:
    layer = make_layer(hidden_size=1, stages=0, degree=1, reading="last")
    inputs = random(1, 1, 2)
    weights = dict(layer.named_parameters())["cells.0.coefficients"]

    found = torch.autograd.grad(layer.on("qrnn.torch", shots=4000)(inputs)[0].sum(), weights)[0]
    expected = torch.autograd.grad(layer(inputs)[0].sum(), weights)[0]

    assert torch.allclose(found, expected, rtol=0, atol=0.2)


@pytest.mark.parametrize(
    ("device", "shots"),
    [("lightning.qubit", None), ("default.qubit", 100), ("qrnn.aer", None), ("qrnn.torch", 100)],
)
def test_the_parameter_shift_rule_is_refused_where_neurons_are_postselected(
    device: str, shots: int | None, make_layer: Make
) -> None:
    layer = make_layer(hidden_size=1, order=1, semantics="postselected", reading="last")
    on_device, inputs = layer.on(device, shots=shots), random(1, 1, 2)

    with pytest.raises(ValueError, match="do not come by the parameter-shift rule"):
        on_device(inputs)

    with torch.no_grad():
        assert on_device(inputs)[0].isfinite().all()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"readout": "state"}, "readout must be"),
        ({"readout": "populations", "hidden_size": 6}, "hidden_size must be a power of two"),
        ({"workspace": 1}, "workspace must be at least 2, got 1"),
        ({"realisation": "amplified"}, "realisation must not be given without a quantum device"),
    ],
)
def test_options_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises(ValueError, match=problem):
        make_layer(**options)


@pytest.mark.parametrize(
    ("hx", "error", "problem"),
    [
        (torch.eye(4)[None, :2], TypeError, "hx must be of the input's type"),
        (random(1, 2, 4), ValueError, "hx must be normalised amplitudes"),
    ],
)
def test_wrong_states_are_refused(
    hx: Tensor, error: type[Exception], problem: str, make_layer: Make
) -> None:
    with pytest.raises(error, match=problem):
        make_layer()(random(3, 2, 2), hx)


@pytest.mark.filterwarnings("ignore")  # Of torch.compile itself, about its own parts.
def test_a_compiled_layer_on_a_device_returns_the_same() -> None:
    options: dict[str, Any] = {"order": 1, "stages": 0, "semantics": "postselected"}
    layer = QRNNLayer(1, 2, readout="populations", dtype=torch.float64, **options)
    inputs = random(2, 2, 1)
    compiled = torch.compile(layer.on("qrnn.torch"), backend="eager")
    assert torch.allclose(compiled(inputs)[0], layer(inputs)[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("order", [5, 6])
def test_postselected_neurons_of_high_orders_are_run_in_float64(
    order: int, make_layer: Make
) -> None:
    layer = make_layer(order=order, semantics="postselected", workspace=5, stages=2).float()
    inputs = random(3, 2, 2).float()
    found, state = layer(inputs)
    assert found.dtype == state.dtype == torch.float32
    exact = make_layer(order=order, semantics="postselected", workspace=5, stages=2)
    exact.load_state_dict(layer.state_dict())
    torch.testing.assert_close(found.double(), exact(inputs.double())[0], rtol=0, atol=1e-6)
    gradients = torch.autograd.grad(found.sum(), list(layer.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_amplitudes_that_underflow_are_an_error_and_no_nan(make_layer: Make) -> None:
    layer = make_layer(
        order=4, semantics="postselected", workspace=5, stages=8, feature_spread=0.5
    ).float()
    inputs = random(3, 2, 2)
    with pytest.raises(PrecisionError, match=r"underflow in torch\.float32.*double\(\)"):
        layer(inputs.float())
    assert torch.isfinite(layer.double()(inputs)[0]).all()
