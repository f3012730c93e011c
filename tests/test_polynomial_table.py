import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits import BooleanPolynomial, polynomial
from qrnn_circuits.choices import Basis
from qrnn_circuits.polynomial_table import PolynomialTable


def values_at_all_bits(angles: BooleanPolynomial, coefficients: torch.Tensor) -> torch.Tensor:
    bits = torch.cartesian_prod(*[torch.arange(2)] * angles.variables)
    values: torch.Tensor = angles(coefficients[..., None, :], bits.reshape(-1, angles.variables))
    return values


@given(
    sizes=st.integers(1, 8).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, m))),
    basis=st.sampled_from(["monomials", "parities"]),
    most_values=st.sampled_from([0, 2**18]),
    seed=st.integers(0, 2**31),
)
def test_a_table_holds_the_value_at_every_pattern(
    sizes: tuple[int, int], basis: Basis, most_values: int, seed: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polynomial, "_MOST_VALUES", most_values)
        angles = BooleanPolynomial(*sizes, basis)
    table = PolynomialTable(*sizes, basis, most_values=most_values)
    generator = torch.Generator().manual_seed(seed)
    coefficients = torch.randn(2, angles.size, dtype=torch.float64, generator=generator)
    found = table.table(coefficients, table.cells(angles.patterns))
    expected = values_at_all_bits(angles, coefficients)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    assert torch.allclose(angles.table(coefficients), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("most_values", [0, 2**18])
@pytest.mark.parametrize("basis", ["monomials", "parities"])
@pytest.mark.parametrize("sizes", [(1, 1), (4, 2), (5, 5), (6, 3)])
def test_the_gradient_of_coefficients_is_the_transpose_of_the_table(
    sizes: tuple[int, int], basis: Basis, most_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polynomial, "_MOST_VALUES", most_values)
    angles = BooleanPolynomial(*sizes, basis)
    generator = torch.Generator().manual_seed(0)
    by_value = torch.randn(3, 2, 2**angles.variables, dtype=torch.float64, generator=generator)
    # A row for each coefficient, as the definition has it.
    rows = values_at_all_bits(angles, torch.eye(angles.size, dtype=torch.float64))
    expected = by_value @ rows.T
    torch.testing.assert_close(angles.gradient(by_value), expected)
    with torch.autocast("cpu"):
        torch.testing.assert_close(angles.gradient(by_value.float()), expected.float())


@pytest.mark.parametrize("recorded", [True, False])
def test_a_table_is_of_full_precision_within_autocast(recorded: bool) -> None:
    angles = BooleanPolynomial(4, 2)
    generator = torch.Generator().manual_seed(0)
    coefficients = torch.randn(3, angles.size, requires_grad=True, generator=generator)
    with torch.autocast("cpu"), torch.set_grad_enabled(recorded):
        found = angles.table(coefficients)
    torch.testing.assert_close(found, angles.table(coefficients))


def test_a_table_is_differentiable_in_the_coefficients() -> None:
    angles = BooleanPolynomial(5, 3)
    table = PolynomialTable(5, 3)
    cells = table.cells(angles.patterns)
    coefficients = torch.randn(angles.size, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: table.table(c, cells), coefficients)


def test_coefficients_of_a_monomial_that_occurs_twice_add_up() -> None:
    table = PolynomialTable(2, 1)
    cells = table.cells(torch.tensor([0, 2, 2]))
    coefficients = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    assert table.table(coefficients, cells).tolist() == [1, 1, 7, 7]


def test_no_variables_leave_the_bias() -> None:
    table = PolynomialTable(0, 2)
    coefficients = torch.tensor([0.5])
    assert table.table(coefficients, table.cells(torch.tensor([0]))).tolist() == [0.5]


def test_float32_tables_agree_with_float64() -> None:
    angles = BooleanPolynomial(14, 3)
    generator = torch.Generator().manual_seed(0)
    coefficients = torch.randn(angles.size, dtype=torch.float64, generator=generator)
    tables = []
    for dtype in (torch.float64, torch.float32):
        table = PolynomialTable(14, 3)
        cells = table.cells(angles.patterns)
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
