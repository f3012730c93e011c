from itertools import combinations, product
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.feature_polynomial import FeaturePolynomial

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3)).flatmap(
    lambda sizes: st.tuples(*map(st.just, sizes), st.integers(1, sum(sizes)))
)


@given(sizes=SIZES, seed=st.integers(0, 99))
def test_a_table_is_the_sum_of_all_monomials(sizes: tuple[int, int, int], seed: int) -> None:
    bits, features, degree = sizes
    polynomial = FeaturePolynomial(bits, features, degree)
    generator = torch.Generator().manual_seed(seed)
    coefficients = torch.randn(2, polynomial.size, generator=generator, dtype=torch.float64)
    rows = torch.randn(3, features, generator=generator, dtype=torch.float64)

    table = polynomial.table(coefficients, rows)

    sets = [s for size in range(degree + 1) for s in combinations(range(bits + features), size)]
    for number, row in enumerate(rows.tolist()):
        for index, pattern in enumerate(product((0, 1), repeat=bits)):
            values = [*pattern, *row]
            monomials = [prod(values[place] for place in places) for places in sets]
            expected = coefficients @ torch.tensor(monomials, dtype=torch.float64)
            assert torch.allclose(table[:, number, index], expected, rtol=0, atol=1e-12)


@given(sizes=SIZES, seed=st.integers(0, 99))
def test_the_restriction_has_the_same_table(sizes: tuple[int, int, int], seed: int) -> None:
    polynomial = FeaturePolynomial(*sizes)
    generator = torch.Generator().manual_seed(seed)
    coefficients = torch.randn(2, polynomial.size, generator=generator, dtype=torch.float64)
    rows = torch.randn(3, sizes[1], generator=generator, dtype=torch.float64)

    restricted = polynomial.in_bits.table(polynomial.restrict(coefficients, rows))

    assert torch.allclose(restricted, polynomial.table(coefficients, rows), rtol=0, atol=1e-12)


def test_what_is_told_to_have_features_changes_with_them() -> None:
    polynomial = FeaturePolynomial(bits=2, features=2, degree=3)
    coefficients = torch.eye(polynomial.size)
    one, other = (polynomial.table(coefficients, torch.tensor([[f, 2 * f]])) for f in (0.3, 0.7))
    assert torch.equal((one != other).any(-1)[:, 0], polynomial.has_feature)


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ((0, 1, 1), "bits must be at least 1, got 0"),
        ((1, 0, 1), "features must be at least 1, got 0"),
        ((1, 1, 3), r"variables \(here 2: the controls and features of one neuron\), got 3"),
    ],
)
def test_sizes_out_of_range_are_refused(sizes: tuple[int, int, int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FeaturePolynomial(*sizes)


def test_there_may_be_more_features_than_bits_of_an_integer() -> None:
    polynomial = FeaturePolynomial(bits=1, features=100, degree=1)
    coefficients = torch.arange(102, dtype=torch.float64)[None]
    features = torch.linspace(0, 1, 100, dtype=torch.float64)[None]
    # Coefficient 0 is constant, 1 is the bit's, the others are the features' in their order.
    constant = (coefficients[0, 2:] * features[0]).sum()
    expected = torch.stack([constant, constant + 1])
    assert torch.allclose(polynomial.table(coefficients, features)[0, 0], expected)


def test_wrong_shapes_are_refused() -> None:
    polynomial = FeaturePolynomial(2, 1, 1)
    with pytest.raises(ValueError, match=r"coefficients must have shape \(N, 4\)"):
        polynomial.table(torch.zeros(1, 3), torch.zeros(1, 1))
    with pytest.raises(ValueError, match=r"features must have shape \(B, 1\)"):
        polynomial.table(torch.zeros(1, 4), torch.zeros(1, 2))
