import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from qrnn_circuits import QuantumNeuron
from qrnn_circuits.angle_checks import are_angles, check_angles, largest_angle
from qrnn_circuits.numerical_errors import ParameterRangeError


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_found_to_be_angles_at_once_is_so_one_by_one(dtype: torch.dtype) -> None:
    most = largest_angle(dtype)
    small, large = torch.full((3,), most / 4, dtype=dtype), torch.tensor([-2 * most], dtype=dtype)
    assert are_angles((small, torch.zeros(0, dtype=dtype)))
    check_angles("small", small)
    for wrong in (large, large * torch.inf, large * torch.nan):
        assert not are_angles((small, wrong))
        with pytest.raises(ParameterRangeError, match="wrong must be finite and at most"):
            check_angles("wrong", wrong)


def test_angles_that_a_parametrization_makes_are_checked_as_parameters_are() -> None:
    class Larger(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return 1e9 * values

    neuron = QuantumNeuron(2)
    register_parametrization(neuron, "coefficients", Larger())
    with pytest.raises(ParameterRangeError, match="coefficients must be finite and at most"):
        neuron.angles()
