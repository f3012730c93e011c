"""Boolean polynomials: the angle of a quantum neuron as a function of its control bits."""

from itertools import combinations
from math import comb

import torch
from torch import Tensor, nn

# Up to so many values of all monomials at all bit patterns, one product with the matrix of these is
# faster than two smaller ones: by 7 to 10 % of a training step of memorise or XOR.
_MOST_VALUES = 2**18


class BooleanPolynomial(nn.Module):
    r"""A polynomial in ``variables`` bits in which every variable has power 0 or 1.

    ``phi(x) = sum over S, |S| <= degree, of coefficients[S] * prod(x_i for i in S)``: the angle of
    a quantum neuron (Bausch, arXiv:2006.14619, section 3). The coefficients are arguments, not
    parameters, so that one polynomial serves any number of neurons at once.

    Attributes:
        variables: Number of bits m.
        degree: Largest number of variables in one monomial.
        monomials: The sets S as sorted tuples, smaller sets first, then in lexicographic order.
            The first is the empty set, whose coefficient is the bias.
        patterns: The pattern of each: the integer in whose bits exactly its variables are 1,
            variable 0 the most significant, int64, shape ``(P,)``.

    Example:
        >>> polynomial = BooleanPolynomial(variables=2, degree=2)
        >>> polynomial.monomials
        ((), (0,), (1,), (0, 1))
        >>> polynomial.table(torch.tensor([0.5, 1.0, 2.0, -3.0]))
        tensor([0.5000, 2.5000, 1.5000, 0.5000])
    """

    patterns: Tensor
    _cells: Tensor | None

    def __init__(self, variables: int, degree: int) -> None:
        """Lists the monomials.

        Args:
            variables: Number of bits, at least 1.
            degree: Largest number of variables in one monomial, from 1 to ``variables``.

        Raises:
            ValueError: If ``variables`` or ``degree`` is out of range.
        """
        super().__init__()
        if variables < 1:
            raise ValueError(f"variables must be at least 1, got {variables}")
        if not 1 <= degree <= variables:
            raise ValueError(
                f"degree must be between 1 and the number of variables (here {variables}: the "
                f"controls of one neuron), got {degree}"
            )
        self.variables = variables
        self.degree = degree
        self.monomials: tuple[tuple[int, ...], ...] = tuple(
            monomial
            for size in range(degree + 1)
            for monomial in combinations(range(variables), size)
        )
        patterns = [sum(1 << (variables - 1 - i) for i in monomial) for monomial in self.monomials]
        self.register_buffer("patterns", torch.tensor(patterns), persistent=False)
        self._table = PolynomialTable(variables, degree, most_values=_MOST_VALUES)
        cells = self._table.cells(self.patterns)
        in_order = torch.equal(cells, torch.arange(len(cells)))
        self.register_buffer("_cells", None if in_order else cells, persistent=False)

    @property
    def size(self) -> int:
        """Number of coefficients P: ``1 + sum over r = 1..degree of C(variables, r)``."""
        return len(self.monomials)

    def forward(self, coefficients: Tensor, bits: Tensor) -> Tensor:
        """Evaluates the polynomial at given bits.

        Args:
            coefficients: Shape ``(..., P)``, in the order of ``monomials``.
            bits: Zeros and ones, shape ``(..., variables)``; leading dimensions broadcast.

        Returns:
            The values ``phi(bits)``, shape ``(...)``.

        Raises:
            ValueError: If a last dimension is of the wrong size.
        """
        self._check_size(coefficients)
        if bits.shape[-1] != self.variables:
            raise ValueError(
                f"bits must have {self.variables} in their last dimension, got shape "
                f"{tuple(bits.shape)}"
            )
        values = bits.to(coefficients.dtype)
        products = [values[..., list(monomial)].prod(-1) for monomial in self.monomials]
        return (coefficients * torch.stack(products, -1)).sum(-1)

    def table(self, coefficients: Tensor) -> Tensor:
        """Evaluates the polynomial at all bit patterns.

        Args:
            coefficients: Shape ``(..., P)``, in the order of ``monomials``.

        Returns:
            Shape ``(..., 2**variables)``; the entry of index x is the value at the bits of x,
            variable 0 the most significant.

        Raises:
            ValueError: If the last dimension is of the wrong size.
        """
        self._check_size(coefficients)
        return self._table.table(coefficients, self._cells)

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        return f"variables={self.variables}, degree={self.degree}"

    def _check_size(self, coefficients: Tensor) -> None:
        if coefficients.shape[-1:] != (self.size,):
            raise ValueError(
                f"coefficients must have {self.size} in their last dimension (one for each "
                f"monomial), got shape {tuple(coefficients.shape)}"
            )


class PolynomialTable(nn.Module):
    r"""Evaluates Boolean polynomials of some degree at all bit patterns.

    The variables are split into the first few, or none, and the others. Every monomial is a product
    of one in the former and one in the latter, hence ``table = first.T @ coefficients @ second``,
    where the rows of ``first`` and ``second`` are the values of all monomials of each part. With
    many variables that is about ``2**m * comb(m/2, degree)`` multiplications in matrix products,
    with nothing larger than the table in memory, where the matrix of all monomials would take
    ``2**m * comb(m, degree)``.

    Attributes:
        variables: Number of bits m.
        degree: Largest number of variables in one monomial.
    """

    _first: Tensor
    _second: Tensor
    _first_rows: Tensor
    _second_rows: Tensor

    def __init__(
        self,
        variables: int,
        degree: int,
        *,
        most_values: int = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        """Splits the variables where that costs the fewest multiplications.

        Args:
            variables: Number of bits, at least 0.
            degree: Largest number of variables in one monomial, at least 1; a degree beyond
                ``variables`` allows no more monomials.
            most_values: Up to so many values of all monomials, nothing is split.
            dtype: Type of the tables, by default torch's default type.
            device: Where the tables live.

        Raises:
            ValueError: If ``variables`` or ``degree`` is out of range.
        """
        super().__init__()
        if variables < 0:
            raise ValueError(f"variables must be at least 0, got {variables}")
        if degree < 1:
            raise ValueError(f"degree must be at least 1, got {degree}")
        self.variables = variables
        self.degree = degree
        first = 0
        if self._count(variables) << variables > most_values:
            first = min(range(variables + 1), key=self._multiplications)
        self._second_variables = variables - first
        for name, part in (("_first", first), ("_second", variables - first)):
            values, rows = _monomial_values(part, degree)
            values = values.to(device, dtype or torch.get_default_dtype())
            self.register_buffer(name, values, persistent=False)
            self.register_buffer(f"{name}_rows", rows.to(device), persistent=False)

    def cells(self, patterns: Tensor) -> Tensor:
        """Finds where the coefficients of some monomials go.

        Args:
            patterns: Monomials of at most ``degree`` variables, named as in
                :attr:`BooleanPolynomial.patterns`, int64, shape ``(P,)``.

        Returns:
            Their positions, int64, shape ``(P,)``, for :meth:`table`.
        """
        first = self._first_rows[patterns >> self._second_variables]
        second = self._second_rows[patterns & (2**self._second_variables - 1)]
        return first * len(self._second) + second

    def table(self, coefficients: Tensor, cells: Tensor | None) -> Tensor:
        """Evaluates polynomials at all bit patterns; differentiable in the coefficients.

        Args:
            coefficients: Shape ``(..., P)``.
            cells: From :meth:`cells`; the coefficients of a monomial that occurs twice add up.
                ``None`` stands for all cells in order.

        Returns:
            Shape ``(..., 2**variables)``; the entry of index x is the value at the bits of x,
            variable 0 the most significant.
        """
        lead, first, second = coefficients.shape[:-1], self._first, self._second
        if cells is not None:
            matrix = coefficients.new_zeros(*lead, len(first) * len(second))
            coefficients = matrix.index_add(-1, cells, coefficients)
        second = second.to(coefficients.dtype)
        if len(first) == 1:
            return coefficients @ second
        matrix = coefficients.reshape(*lead, len(first), len(second))
        return (first.T.to(matrix.dtype) @ (matrix @ second)).flatten(-2)

    def _count(self, variables: int) -> int:
        """How many monomials there are in some of the variables."""
        return sum(comb(variables, size) for size in range(min(self.degree, variables) + 1))

    def _multiplications(self, first: int) -> int:
        second = self.variables - first
        return self._count(first) * ((1 << self.variables) + (self._count(second) << second))


def _monomial_values(variables: int, degree: int) -> tuple[Tensor, Tensor]:
    """The values of all monomials, a row for each, and the row of each pattern.

    The monomials are in the order of :attr:`BooleanPolynomial.monomials`.
    """
    patterns = torch.arange(2**variables)
    sizes = sum((patterns >> variable & 1 for variable in range(variables)), 0 * patterns)
    monomials = (sizes * 2**variables - patterns).argsort()
    monomials = monomials[sizes[monomials] <= degree]
    rows = torch.zeros_like(patterns)
    rows[monomials] = torch.arange(len(monomials))
    return (patterns & monomials[:, None]) == monomials[:, None], rows
