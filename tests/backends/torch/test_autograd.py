from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import torch
from pennylane import numpy as pnp
from torch import Tensor

from qrnn_backends.torch.autograd import in_autograd, is_recording


def test_real_functions_are_differentiable_to_any_order() -> None:
    def function(left: Tensor, right: Tensor) -> Tensor:
        return (left.sin() * right**2).sum()

    on_arrays = in_autograd(function)
    left, right = pnp.array([0.3, 1.1]), pnp.array([2.0, -0.5])
    np.testing.assert_allclose(on_arrays(left, right), np.sum(np.sin(left) * right**2))
    by_left, by_right = qml.grad(on_arrays)(left, right)
    np.testing.assert_allclose(by_left, np.cos(left) * right**2)
    np.testing.assert_allclose(by_right, 2 * np.sin(left) * right)
    mixed = qml.jacobian(qml.grad(on_arrays, argnums=0), argnums=1)(left, right)
    np.testing.assert_allclose(mixed, np.diag(2 * np.cos(left) * right))
    third = qml.jacobian(qml.jacobian(qml.grad(on_arrays, argnums=0), argnums=0), argnums=0)
    diagonal = np.einsum("iii->i", third(left, right))
    np.testing.assert_allclose(diagonal, -np.cos(left) * right**2)


def test_complex_functions_have_the_gradients_of_autograd() -> None:
    def in_torch(angle: Tensor, factor: Tensor) -> Tensor:
        return factor * torch.exp(1j * angle)

    def in_numpy(angle: Any, factor: Any) -> Any:  # noqa: ANN401
        return factor * pnp.exp(1j * angle)

    def gradients(function: Callable[..., Any]) -> list[complex]:
        def cost(angle: Any, factor: Any) -> Any:  # noqa: ANN401
            value = function(angle, factor)
            return pnp.real(value) + 3 * pnp.imag(value) * pnp.real(value)

        return list(qml.grad(cost)(pnp.array(0.7), pnp.array(0.4 - 1.2j)))

    np.testing.assert_allclose(gradients(in_autograd(in_torch)), gradients(in_numpy))


def test_only_differentiation_traces_values() -> None:
    seen: list[bool] = []

    def function(value: float) -> float:
        seen.append(is_recording([1.0, value]))
        return value * value

    function(pnp.array(0.3))
    qml.grad(function)(pnp.array(0.3))
    assert seen == [False, True]
