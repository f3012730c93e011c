import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from qrnn_circuits import QRNN, QRNNLayer
from qrnn_circuits.constants import constant

SYMBOLS = torch.tensor([[0, 1, 1], [1, 0, 1]])


def test_a_constant_is_made_once() -> None:
    calls: list[int] = []

    @constant
    def count(number: int) -> torch.Tensor:
        calls.append(number)
        return torch.arange(number)

    assert count(3) is count(3)
    assert calls == [3]


def test_a_network_that_was_first_used_in_inference_mode_still_learns() -> None:
    # Of a size that no other test uses.
    model = QRNN(lane=1, workspace=6, degree=5, stages=3)
    with torch.inference_mode():
        model.loss(SYMBOLS, SYMBOLS)
    model.loss(SYMBOLS, SYMBOLS).backward()
    assert model.cell.theta.grad is not None


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_a_network_that_was_first_used_within_transforms_has_derivatives_later() -> None:
    # Of a size that no other test uses, so that its constants are made within the Hessian.
    model = QRNN(lane=1, workspace=5, degree=4, stages=1)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        output = functional_call(model, {"cell.theta": theta}, (SYMBOLS, SYMBOLS))
        total: torch.Tensor = -output.log_probs[..., 0].sum()
        return total

    theta = model.cell.theta.detach()
    torch.func.hessian(loss)(theta)
    found = torch.func.grad(loss)(theta)
    variable = theta.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(variable), variable)
    assert torch.allclose(found, expected, rtol=0, atol=1e-5)


def test_a_network_made_on_the_meta_device_computes_once_it_is_filled() -> None:
    expected = QRNN(lane=1, workspace=4, degree=3, stages=2)
    with torch.device("meta"):
        model = QRNN(
            lane=1, workspace=4, degree=3, stages=2, generator=torch.Generator().manual_seed(0)
        )
    assert all(parameter.is_meta for parameter in model.parameters())
    model.to_empty(device="cpu")
    model.load_state_dict(expected.state_dict())
    for _ in range(2):
        assert torch.equal(model.loss(SYMBOLS, SYMBOLS), expected.loss(SYMBOLS, SYMBOLS))
    assert not dict(model.named_buffers())


def test_a_layer_that_was_first_used_without_numbers_computes_later() -> None:
    # Of a size that no other test uses, so that its constants are made among fake tensors.
    with FakeTensorMode():
        output, _ = QRNNLayer(3, 6, workspace=6, degree=4)(torch.ones(2, 3, 3))
        assert output.shape == (2, 3, 6)
    layer = QRNNLayer(3, 6, workspace=6, degree=4)
    layer(torch.ones(2, 3, 3))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.filterwarnings("ignore")  # That recording is deprecated, and what it fixes.
def test_a_layer_is_recorded_alike_before_and_after_its_constants_are_made() -> None:
    # Of a size that no other test uses. PyTorch records twice, and compares.
    layer = QRNNLayer(3, 6, workspace=7, degree=3)
    inputs = torch.ones(2, 3, 3)
    recorded = torch.jit.trace(layer, (inputs,))
    assert torch.allclose(recorded(inputs / 2)[0], layer(inputs / 2)[0], rtol=0, atol=1e-6)
