from math import comb, prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import BooleanPolynomial, polynomial
from qrnn_circuits.choices import Basis

BASES: tuple[Basis, ...] = ("monomials", "parities")
SIZES = st.integers(1, 6).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, m)))


def bits_of(pattern: int, variables: int) -> list[int]:
    return [pattern >> (variables - 1 - i) & 1 for i in range(variables)]


@given(sizes=SIZES, basis=st.sampled_from(BASES), seed=st.integers(0, 2**31))
def test_table_holds_the_sum_of_monomials_or_parities_at_every_pattern(
    sizes: tuple[int, int], basis: Basis, seed: int
) -> None:
    variables, degree = sizes
    polynomial = BooleanPolynomial(variables, degree, basis)
    values = (0, 1) if basis == "monomials" else (1, -1)
    coefficients = torch.randn(
        2, polynomial.size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    expected = torch.tensor(
        [
            [
                sum(
                    float(w) * prod(values[bits_of(pattern, variables)[i]] for i in monomial)
                    for w, monomial in zip(row, polynomial.monomials, strict=True)
                )
                for pattern in range(2**variables)
            ]
            for row in coefficients
        ],
        dtype=torch.float64,
    )
    assert torch.allclose(polynomial.table(coefficients), expected, rtol=0, atol=1e-12)
    bits = torch.tensor([bits_of(pattern, variables) for pattern in range(2**variables)])
    assert torch.allclose(polynomial(coefficients[:, None], bits), expected, rtol=0, atol=1e-12)


@given(sizes=SIZES)
def test_there_is_one_monomial_for_each_set_of_at_most_degree_variables(
    sizes: tuple[int, int],
) -> None:
    variables, degree = sizes
    polynomial = BooleanPolynomial(variables, degree)
    assert polynomial.size == sum(comb(variables, r) for r in range(degree + 1))
    assert len(set(polynomial.monomials)) == polynomial.size
    assert polynomial.monomials[0] == ()


@pytest.mark.parametrize("most_in_matrix", [0, 2**9])
@given(sizes=SIZES, basis=st.sampled_from(BASES), seed=st.integers(0, 2**31))
def test_a_change_of_basis_leaves_the_polynomial_as_it_is(
    most_in_matrix: int, sizes: tuple[int, int], basis: Basis, seed: int
) -> None:
    angles = BooleanPolynomial(*sizes, basis)
    coefficients = torch.randn(
        2, angles.size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    expected = angles.table(coefficients)
    for other in BASES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(polynomial, "_MOST_IN_MATRIX", most_in_matrix)
            changed = angles.in_basis(coefficients, other)
        found = BooleanPolynomial(*sizes, other).table(changed)
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


@given(sizes=SIZES, seed=st.integers(0, 2**31))
def test_sums_over_supersets_are_the_same_by_a_matrix_and_variable_by_variable(
    sizes: tuple[int, int], seed: int
) -> None:
    sets = [set(monomial) for monomial in BooleanPolynomial(*sizes).monomials]
    within = torch.tensor([[float(each <= other) for each in sets] for other in sets]).double()
    generator = torch.Generator().manual_seed(seed)
    values, weights = torch.randn(2, 3, len(sets), dtype=torch.float64, generator=generator)
    values.requires_grad_()
    for most_in_matrix in (0, 2**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(polynomial, "_MOST_IN_MATRIX", most_in_matrix)
            found = polynomial.superset_sums(values, *sizes)
        assert torch.allclose(found, values @ within, rtol=0, atol=1e-12)
        (gradient,) = torch.autograd.grad((found * weights).sum(), values)
        assert torch.allclose(gradient, weights @ within.T, rtol=0, atol=1e-12)


def test_a_change_of_basis_of_many_coefficients_takes_little_more_than_these() -> None:
    # A matrix would take 29 GB.
    angles = BooleanPolynomial(20, 6, "parities")
    coefficients = torch.randn(angles.size, generator=torch.Generator().manual_seed(0)).double()
    changed = angles.in_basis(coefficients, "monomials")
    bits = torch.randint(2, (3, 20), generator=torch.Generator().manual_seed(1))
    expected = angles(coefficients, bits)
    assert torch.allclose(BooleanPolynomial(20, 6)(changed, bits), expected, atol=1e-7)


def test_table_is_differentiable_in_the_coefficients() -> None:
    polynomial = BooleanPolynomial(3, 2)
    coefficients = torch.randn(2, polynomial.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(polynomial.table, coefficients)


@pytest.mark.parametrize(("variables", "degree"), [(0, 1), (3, 0), (3, 4), (1, 2)])
def test_sizes_out_of_range_are_rejected(variables: int, degree: int) -> None:
    with pytest.raises(ValueError, match=r"variables must be from 1|degree must be between 1"):
        BooleanPolynomial(variables, degree)


def test_another_basis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"basis must be one of monomials, parities, got"):
        BooleanPolynomial(2, 1, "fourier")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"basis must be one of monomials, parities, got"):
        BooleanPolynomial(1, 1).in_basis(torch.zeros(2), "fourier")  # type: ignore[arg-type]


def test_coefficients_without_memory_change_their_basis() -> None:
    for sizes in ((4, 2), (20, 4)):
        angles = BooleanPolynomial(*sizes)
        coefficients = torch.empty(3, angles.size, device="meta")
        assert angles.in_basis(coefficients, "parities").shape == coefficients.shape


@pytest.mark.parametrize("variables", [63, 2**63])
def test_patterns_beyond_64_bits_are_rejected(variables: int) -> None:
    with pytest.raises(ValueError, match=f"variables must be from 1 to 62, got {variables}"):
        BooleanPolynomial(variables, 1)


def test_more_coefficients_than_can_be_listed_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"at most 1048576 coefficients, .* from degree 8 on"):
        BooleanPolynomial(24, 24)


def test_arguments_of_the_wrong_size_are_rejected() -> None:
    polynomial = BooleanPolynomial(3, 2)
    with pytest.raises(ValueError, match=r"coefficients must have 7 .* got shape \(6,\)"):
        polynomial.table(torch.zeros(6))
    with pytest.raises(ValueError, match=r"table must have \d+ in its last dimension"):
        polynomial.gradient(torch.zeros(6))
    with pytest.raises(ValueError, match=r"bits must have 3 .* got shape \(2,\)"):
        polynomial(torch.zeros(7), torch.zeros(2))
