import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import BooleanPolynomial
from qrnn_circuits.simulation.state.polynomial_table import PolynomialTable


def patterns_of(polynomial: BooleanPolynomial) -> torch.Tensor:
    last = polynomial.variables - 1
    return torch.tensor([sum(1 << last - i for i in m) for m in polynomial.monomials])


def values_at_all_bits(polynomial: BooleanPolynomial, coefficients: torch.Tensor) -> torch.Tensor:
    bits = torch.cartesian_prod(*[torch.arange(2)] * polynomial.variables)
    values: torch.Tensor = polynomial(
        coefficients[..., None, :], bits.reshape(-1, polynomial.variables)
    )
    return values


@given(
    sizes=st.integers(1, 8).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, m))),
    seed=st.integers(0, 2**31),
)
def test_a_table_holds_the_value_at_every_pattern(sizes: tuple[int, int], seed: int) -> None:
    polynomial = BooleanPolynomial(*sizes)
    table = PolynomialTable(*sizes, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    coefficients = torch.randn(2, polynomial.size, dtype=torch.float64, generator=generator)
    found = table.table(coefficients, table.cells(patterns_of(polynomial)))
    expected = values_at_all_bits(polynomial, coefficients)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_a_table_is_differentiable_in_the_coefficients() -> None:
    polynomial = BooleanPolynomial(5, 3)
    table = PolynomialTable(5, 3, dtype=torch.float64)
    cells = table.cells(patterns_of(polynomial))
    coefficients = torch.randn(polynomial.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: table.table(c, cells), coefficients)


def test_coefficients_of_a_monomial_that_occurs_twice_add_up() -> None:
    table = PolynomialTable(2, 1, dtype=torch.float64)
    cells = table.cells(torch.tensor([0, 2, 2]))
    coefficients = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    assert table.table(coefficients, cells).tolist() == [1, 1, 7, 7]


def test_no_variables_leave_the_bias() -> None:
    table = PolynomialTable(0, 2)
    coefficients = torch.tensor([0.5])
    assert table.table(coefficients, table.cells(torch.tensor([0]))).tolist() == [0.5]


def test_float32_tables_agree_with_float64() -> None:
    polynomial = BooleanPolynomial(14, 3)
    generator = torch.Generator().manual_seed(0)
    coefficients = torch.randn(polynomial.size, dtype=torch.float64, generator=generator)
    tables = []
    for dtype in (torch.float64, torch.float32):
        table = PolynomialTable(14, 3, dtype=dtype)
        cells = table.cells(patterns_of(polynomial))
        tables.append(table.table(coefficients.to(dtype), cells).double())
    exact, single = tables
    # Of sums of up to 470 terms: the error of each is one of their sum of absolute values.
    assert (single - exact).abs().max() < 1e-6 * coefficients.abs().sum()


@pytest.mark.parametrize(
    ("variables", "degree", "message"),
    [(-1, 1, "variables must be at least 0, got -1"), (3, 0, "degree must be at least 1, got 0")],
)
def test_sizes_out_of_range_are_rejected(variables: int, degree: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PolynomialTable(variables, degree)
