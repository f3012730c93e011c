import pytest
import torch
from torch.autograd import forward_ad

from qrnn_circuits.log_distribution import log_distribution


def test_logs_and_gradients_are_those_of_the_quotients() -> None:
    weights = torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    logs = log_distribution(weights)
    assert torch.allclose(logs, (weights / weights.sum(-1, keepdim=True)).log())
    assert torch.autograd.gradcheck(log_distribution, weights.requires_grad_())


def test_an_impossible_outcome_has_log_minus_infinity_and_no_gradient() -> None:
    weights = torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]], requires_grad=True)
    logs = log_distribution(weights)
    assert (logs.isneginf() == (weights == 0)).all()
    (gradient,) = torch.autograd.grad(logs[:, 0].sum() + logs[0, 1], weights)
    # Of log 0.25: 1 / 0.25 for the outcome itself, less 1 for every one through the total.
    assert torch.allclose(gradient, torch.tensor([[-1.0, 3.0, -1.0], [0.0, -1.0, -1.0]]))


def test_logs_of_no_distribution_are_nan() -> None:
    assert log_distribution(torch.zeros(2)).isnan().all()


def test_numbers_too_small_for_a_quotient_keep_their_logs() -> None:
    weights = torch.tensor([1e-37, 1e8])
    assert torch.allclose(log_distribution(weights), (weights.double() / 1e8).log().float())


# PyTorch itself compiles its rules for forward mode by torch.jit.script, which it deprecates.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_an_impossible_outcome_has_no_derivative_in_forward_mode_either() -> None:
    weights = torch.tensor([0.0, 1.0, 3.0])
    with forward_ad.dual_level():
        logs = log_distribution(forward_ad.make_dual(weights, torch.tensor([5.0, 2.0, 0.0])))
        change = forward_ad.unpack_dual(logs).tangent
    # Of each log the change of its weight over the weight, less that of the total over the total.
    torch.testing.assert_close(change, torch.tensor([0.0, 2 - 7 / 4, -7 / 4]))
