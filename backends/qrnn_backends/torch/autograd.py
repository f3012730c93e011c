"""Carries backpropagation through torch over to PennyLane's autograd interface."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

TensorFunction = Callable[..., Tensor]


def is_recording(values: Sequence[object]) -> bool:
    """Whether autograd is recording operations on one of the values."""
    from autograd.tracer import isbox

    return any(isbox(value) for value in values)


def to_array(tensor: Tensor) -> Any:  # noqa: ANN401
    """A tensor's numbers as an array, or as a number if it has no axes."""
    return tensor.detach().cpu().resolve_conj().resolve_neg().numpy()[()]


def in_autograd(function: TensorFunction) -> Callable[..., Any]:
    """A function of tensors as one of autograd's arrays, differentiable to any order.

    Args:
        function: Takes tensors and returns one; differentiable to any order by torch.

    Returns:
        Takes and returns arrays.
    """
    from autograd.extend import defvjp_argnums, primitive

    @primitive  # type: ignore[untyped-decorator]
    def on_arrays(*arrays: Any) -> Any:  # noqa: ANN401
        tensors = [torch.as_tensor(np.asarray(array)) for array in arrays]
        return to_array(function(*tensors))

    def vjps(argnums: Sequence[int], answer: Any, arrays: Any, _: object) -> Any:  # noqa: ANN401
        def pull_back(cotangent: Any) -> list[Any]:  # noqa: ANN401
            return [in_autograd(_vjp(function, place))(cotangent, *arrays) for place in argnums]

        return pull_back

    defvjp_argnums(on_arrays, vjps)
    function_of_arrays: Callable[..., Any] = on_arrays
    return function_of_arrays


def _vjp(function: TensorFunction, place: int) -> TensorFunction:
    def vector_jacobian_product(cotangent: Tensor, *tensors: Tensor) -> Tensor:
        with torch.enable_grad():
            values = list(tensors)
            if not values[place].requires_grad:
                values[place] = values[place].detach().requires_grad_()
            result = function(*values)
            # Autograd's gradients with respect to complex numbers are the conjugates of torch's.
            cotangent = cotangent.to(result.device, result.dtype)
            (gradient,) = torch.autograd.grad(
                result, values[place], cotangent.conj(), create_graph=True
            )
            return gradient.conj()

    return vector_jacobian_product
