"""Tables of Boolean polynomials of many variables, as products of small matrices."""

from math import comb

import torch
from torch import Tensor


class PolynomialTable:
    r"""Evaluates Boolean polynomials of some degree at all bit patterns.

    The variables are split into the first few and the others. Every monomial is a product of one
    in the former and one in the latter, hence ``table = first @ coefficients @ second.T``, where
    the columns of ``first`` and ``second`` are the values of all monomials of each part. That is
    about ``2**m * comb(m/2, degree)`` multiplications in matrix products, with nothing larger than
    the table in memory, where a matrix of all monomials would take ``2**m * comb(m, degree)``.

    A monomial is named by its pattern: the integer in whose bits exactly its variables are 1,
    variable 0 the most significant.

    Attributes:
        variables: Number of bits m.
        degree: Largest number of variables in one monomial.
    """

    def __init__(
        self,
        variables: int,
        degree: int,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        """Splits the variables where that costs the fewest multiplications.

        Args:
            variables: Number of bits, at least 0.
            degree: Largest number of variables in one monomial, at least 1; a degree beyond
                ``variables`` allows no more monomials.
            dtype: Type of the tables, by default torch's default type.
            device: Where the tables live.

        Raises:
            ValueError: If ``variables`` or ``degree`` is out of range.
        """
        if variables < 0:
            raise ValueError(f"variables must be at least 0, got {variables}")
        if degree < 1:
            raise ValueError(f"degree must be at least 1, got {degree}")
        self.variables = variables
        self.degree = degree
        first = min(range(variables + 1), key=self._multiplications)
        self._second_variables = variables - first
        (self._first, self._first_columns), (self._second, self._second_columns) = (
            _monomials(part, degree, dtype or torch.get_default_dtype(), device)
            for part in (first, variables - first)
        )

    def cells(self, patterns: Tensor) -> Tensor:
        """Finds where the coefficients of some monomials go.

        Args:
            patterns: Monomials of at most ``degree`` variables, int64, shape ``(P,)``.

        Returns:
            Their places, int64, shape ``(P,)``, for :meth:`table`.
        """
        first = self._first_columns[patterns >> self._second_variables]
        second = self._second_columns[patterns & (2**self._second_variables - 1)]
        return first * self._second.shape[1] + second

    def table(self, coefficients: Tensor, cells: Tensor) -> Tensor:
        """Evaluates polynomials at all bit patterns; differentiable in the coefficients.

        Args:
            coefficients: Shape ``(..., P)``.
            cells: From :meth:`cells`; the coefficients of a monomial that occurs twice add up.

        Returns:
            Shape ``(..., 2**variables)``; the entry of index x is the value at the bits of x,
            variable 0 the most significant.
        """
        lead = coefficients.shape[:-1]
        rows, columns = self._first.shape[1], self._second.shape[1]
        matrix = coefficients.new_zeros(*lead, rows * columns).index_add(-1, cells, coefficients)
        matrix = matrix.reshape(*lead, rows, columns)
        return (self._first @ (matrix @ self._second.T)).flatten(-2)

    def _multiplications(self, first: int) -> int:
        second = self.variables - first
        rows, columns = (
            sum(comb(variables, size) for size in range(min(self.degree, variables) + 1))
            for variables in (first, second)
        )
        return rows * ((1 << self.variables) + (1 << second) * columns)


def _monomials(
    variables: int, degree: int, dtype: torch.dtype, device: torch.device | str | None
) -> tuple[Tensor, Tensor]:
    """The values of all monomials, a column for each, and the column of each pattern."""
    patterns = torch.arange(2**variables, device=device)
    sizes = sum((patterns >> variable & 1 for variable in range(variables)), 0 * patterns)
    monomials = patterns[sizes <= degree]
    values = (patterns[:, None] & monomials) == monomials
    columns = torch.zeros_like(patterns)
    columns[monomials] = torch.arange(len(monomials), device=device)
    return values.to(dtype), columns
