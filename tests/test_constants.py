import pytest
import torch
from torch.func import functional_call

from qrnn_circuits import QRNN
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
