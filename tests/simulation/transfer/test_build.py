import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits.simulation.transfer.build import build_operators, operator_indices
from qrnn_circuits.simulation.transfer.products import Products

SYMBOLS, SIZE = 3, 4
NONE = SYMBOLS
# Symbol 1 is not used; two levels of products.
USED = np.array([0, 2])
PRODUCTS = [
    Products(np.array([0, 2, 0]), np.array([1, 1, 0]), np.array([2, 2, 0])),
    Products(np.array([3, 4]), np.array([2, 0]), np.array([5, 0])),
]
# Operator and outcome: each pair as the operator's number times SYMBOLS + 1, plus the outcome.
PAIRS = np.array([0 * 4 + NONE, 2 * 4 + 1, 4 * 4 + NONE, 6 * 4 + 0, 6 * 4 + 1, 7 * 4 + 2])


def random_inputs(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    transfer = torch.randn(len(USED), SIZE, SIZE, generator=generator, dtype=torch.float64)
    readout = torch.randn(SYMBOLS, SIZE, generator=generator, dtype=torch.float64)
    return transfer.requires_grad_(), readout.requires_grad_()


def one_by_one(transfer: Tensor, readout: Tensor, scales: Tensor, paired: bool) -> list[Tensor]:
    """Scaled operators from plain products: those that are used, then the products."""
    numbers = [*USED.tolist(), *range(SYMBOLS, SYMBOLS + 5)]
    every = {
        number: matrix / scales[number] for number, matrix in zip(numbers, transfer, strict=False)
    }
    for products in PRODUCTS:
        for left, outcome, right in zip(*vars(products).values(), strict=True):
            number = max(SYMBOLS - 1, *every) + 1
            between = torch.diag(readout[outcome])
            every[number] = every[right] @ between @ every[left] / scales[number]
    if not paired:
        return [every[number] for number in numbers]
    readout = torch.cat((readout, torch.ones_like(readout[:1])))
    return [every[pair // 4] @ torch.diag(readout[pair % 4]) for pair in PAIRS.tolist()]


@pytest.mark.parametrize("paired", [False, True])
@given(seed=st.integers(0, 2**31))
def test_operators_and_their_gradients_are_those_of_plain_products(paired: bool, seed: int) -> None:
    transfer, readout = random_inputs(seed)
    pairs = PAIRS if paired else None
    indices = operator_indices(USED, PRODUCTS, pairs, SYMBOLS, torch.device("cpu"))
    operators, scales = build_operators(transfer, readout, indices)
    assert not scales.requires_grad
    if not paired:
        operators = operators[[0, 2, 3, 4, 5, 6, 7]]
        assert torch.allclose(operators.abs().amax((1, 2)), torch.ones(7, dtype=torch.float64))
    expected = torch.stack(one_by_one(transfer, readout, scales[:, 0, 0], paired))
    assert torch.allclose(operators, expected)
    weights = torch.randn_like(expected)
    results = [
        torch.autograd.grad((found * weights).sum(), (transfer, readout))
        for found in (operators, expected)
    ]
    for gradient, value in zip(*results, strict=True):
        assert torch.allclose(gradient, value)


def test_the_gradient_that_comes_in_is_left_as_it_is() -> None:
    transfer, readout = random_inputs(0)
    indices = operator_indices(USED, PRODUCTS, None, SYMBOLS, torch.device("cpu"))
    operators, _ = build_operators(transfer, readout, indices)
    gradient = torch.ones_like(operators)
    operators.backward(gradient)
    assert (gradient == 1).all()
