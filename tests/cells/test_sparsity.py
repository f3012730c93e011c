"""The angles of neurons as parities, against sums over all control patterns."""

from itertools import combinations, product
from math import atan, tan

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.prune import l1_unstructured

from qrnn_circuits.cells import QRNNCell
from qrnn_circuits.cells.sparsity import parity_angles, prune
from qrnn_circuits.choices import Basis
from qrnn_circuits.neuron import Semantics
from qrnn_circuits.polynomial import BooleanPolynomial


def walsh(values: dict[tuple[int, ...], float], parity: tuple[int, ...]) -> float:
    """The mean over all patterns of an angle times the sign of a parity."""
    signed = [(-1.0) ** sum(bits[i] for i in parity) * value for bits, value in values.items()]
    return float(np.mean(signed))


def random_coefficients(polynomial: BooleanPolynomial, seed: int, neurons: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(neurons, polynomial.size, generator=generator, dtype=torch.float64)


@given(
    sizes=st.integers(1, 4).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, m))),
    order=st.integers(0, 2),
    semantics=st.sampled_from(["postselected", "unitary"]),
    basis=st.sampled_from(["monomials", "parities"]),
    seed=st.integers(0, 99),
)
def test_the_angles_are_the_mean_signs_of_what_a_circuit_rotates_by(
    sizes: tuple[int, int], order: int, semantics: Semantics, basis: Basis, seed: int
) -> None:
    controls, degree = sizes
    polynomial = BooleanPolynomial(controls, degree, basis)
    coefficients = random_coefficients(polynomial, seed, neurons=1)
    values: dict[tuple[int, ...], float] = {}
    for bits in product((0, 1), repeat=controls):
        phi = polynomial(coefficients[0], torch.tensor(bits)).item()
        activation = order and semantics == "unitary"
        values[bits] = 2 * atan(tan(phi / 2) ** 2**order) if activation else phi
    sets = [s for size in range(controls + 1) for s in combinations(range(controls), size)]
    right = [walsh(values, parity) for parity in sets]
    found = parity_angles(coefficients, polynomial, order=order, semantics=semantics)[0]
    assert found[0].item() == pytest.approx(right[0])
    if order and semantics == "unitary":
        # All parities, in the order of the patterns that they are sums of.
        sets = [tuple(i for i in range(controls) if bits[i]) for bits in values]
        right = [walsh(values, parity) for parity in sets]
    np.testing.assert_allclose(found.tolist(), right[: len(found)], atol=1e-9)


@pytest.mark.parametrize(("order", "semantics"), [(0, "unitary"), (1, "unitary"), (2, "unitary")])
def test_the_gradient_of_their_sum_is_that_of_finite_differences(
    order: int, semantics: Semantics
) -> None:
    polynomial = BooleanPolynomial(3, 2)
    coefficients = random_coefficients(polynomial, 3).requires_grad_()

    def total(values: torch.Tensor) -> torch.Tensor:
        angles = parity_angles(values, polynomial, order=order, semantics=semantics)
        return angles[:, 1:].abs().sum()

    (gradient,) = torch.autograd.grad(total(coefficients), coefficients)
    step = 1e-6
    with torch.no_grad():
        for place in np.ndindex(*coefficients.shape):
            moved = torch.zeros_like(coefficients)
            moved[place] = step
            difference = total(coefficients + moved) - total(coefficients - moved)
            assert gradient[place].item() == pytest.approx(difference.item() / 2 / step, abs=1e-6)


@given(
    sizes=st.integers(1, 4).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, m))),
    basis=st.sampled_from(["monomials", "parities"]),
    seed=st.integers(0, 99),
    tolerance=st.floats(0.01, 1.0),
)
def test_pruned_parities_are_zero_and_large_ones_of_the_highest_degree_stay(
    sizes: tuple[int, int], basis: Basis, seed: int, tolerance: float
) -> None:
    polynomial = BooleanPolynomial(*sizes, basis)
    before = random_coefficients(polynomial, seed)
    after = before.clone()
    prune(after, polynomial, tolerance)

    def angles(coefficients: torch.Tensor) -> torch.Tensor:
        return parity_angles(coefficients, polynomial, order=0, semantics="unitary")

    small = angles(before).abs() <= tolerance
    small[:, 0] = False
    assert angles(after)[small].abs().max().item() < 1e-12 if small.any() else True
    highest = [len(monomial) == polynomial.degree for monomial in polynomial.monomials]
    large = ~small & torch.tensor(highest)
    torch.testing.assert_close(angles(after)[large], angles(before)[large])


@pytest.mark.parametrize("basis", ["monomials", "parities"])
def test_a_constant_is_left_alone_however_much_is_pruned(basis: Basis) -> None:
    polynomial = BooleanPolynomial(3, 2, basis)
    before = random_coefficients(polynomial, 0)
    after = before.clone()
    prune(after, polynomial, 100.0)
    assert torch.equal(after[:, 0], before[:, 0])
    assert (after[:, 1:] == 0).all()


def test_only_neurons_that_rotate_by_their_polynomial_are_pruned() -> None:
    cell = QRNNCell(lane=1, workspace=2, order=1, degree=1, semantics="unitary")
    with pytest.raises(NotImplementedError, match="a unitary neuron of order 1 rotates by its"):
        cell.prune(0.1)


@pytest.mark.parametrize("name", ["coefficients", "readout_coefficients"])
def test_coefficients_that_are_computed_from_others_are_not_pruned_in_vain(name: str) -> None:
    def masked(cell: nn.Module, name: str) -> None:
        l1_unstructured(cell, name, amount=1)

    for compute in (weight_norm, masked):
        cell = QRNNCell(lane=1, workspace=2, order=0)
        compute(cell, name)
        before = {key: value.clone() for key, value in cell.state_dict().items() if key[0] != "_"}
        with pytest.raises(NotImplementedError, match=f"^{name} must be a parameter"):
            cell.prune(0.1)
        for key, value in before.items():
            assert torch.equal(cell.state_dict()[key], value)
