import pytest
import torch

from qrnn_circuits.tensors import check_tensor


def test_tensors_beside_the_parameters_pass() -> None:
    check_tensor("input", torch.ones(2, 3).T, torch.ones(1))
    check_tensor("input", torch.ones(2).expand(3, 2), None)


def test_nested_tensors_are_refused_with_what_to_take_instead() -> None:
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    with pytest.raises(TypeError, match=r"got the layout torch\.jagged: .*pack_sequence"):
        check_tensor("input", nested, torch.ones(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_tensors_on_another_device_are_refused_with_where_to_take_them() -> None:
    with pytest.raises(ValueError, match=r"device of the parameters, 'cuda:0', got 'cpu': take"):
        check_tensor("input", torch.ones(1), torch.ones(1, device="cuda"))
