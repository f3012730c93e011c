"""Tables of Boolean polynomials: their values at all bit patterns, by products of matrices."""

from itertools import combinations
from math import comb
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.choices import Basis
from qrnn_circuits.constants import constant
from qrnn_circuits.tracing import full_precision, is_autocast, is_joint, is_traced


class PolynomialTable:
    r"""Evaluates Boolean polynomials of some degree at all bit patterns.

    The variables are split into the first few, or none, and the others. Every monomial is a product
    of one in the former and one in the latter, hence ``table = first.T @ coefficients @ second``,
    where the rows of ``first`` and ``second`` are the values of all monomials of each part. With
    many variables that is about ``2**m * comb(m/2, degree)`` multiplications in matrix products,
    with nothing larger than the table in memory, where the matrix of all monomials would take
    ``2**m * comb(m, degree)``. Both follow from the sizes alone and are no buffers of a module,
    which would lose them where it is made without memory and filled later.

    Attributes:
        variables: Number of bits m.
        degree: Largest number of variables in one monomial.
        basis: ``"monomials"``, or ``"parities"``, which are products as well.
    """

    def __init__(
        self, variables: int, degree: int, basis: Basis = "monomials", *, most_values: int = 0
    ) -> None:
        """Splits the variables where that costs the fewest multiplications.

        Args:
            variables: Number of bits, at least 0.
            degree: Largest number of variables in one monomial, at least 1; a degree beyond
                ``variables`` allows no more monomials.
            basis: ``"monomials"`` or ``"parities"``.
            most_values: Up to so many values of all monomials, nothing is split.

        Raises:
            ValueError: If ``variables`` or ``degree`` is out of range.
        """
        if variables < 0:
            raise ValueError(f"variables must be at least 0, got {variables}")
        if degree < 1:
            raise ValueError(f"degree must be at least 1, got {degree}")
        self.variables = variables
        self.degree = degree
        self.basis: Basis = basis
        first = 0
        if self._count(variables) << variables > most_values:
            first = min(range(variables + 1), key=self._multiplications)
        self._second_variables = variables - first
        self._first_rows = _rows(first, degree)[1]
        self._second_rows = _rows(variables - first, degree)[1]
        self._second_count = self._count(variables - first)

    @property
    def is_split(self) -> bool:
        """Whether both parts have variables; else all monomials of the table are in their order."""
        return 0 < self._second_variables < self.variables

    def cells(self, patterns: Tensor) -> Tensor:
        """Finds where the coefficients of some monomials go.

        Args:
            patterns: Monomials of at most ``degree`` variables, named as in
                :attr:`BooleanPolynomial.patterns`, int64, shape ``(P,)``, on the CPU.

        Returns:
            Their positions, int64, shape ``(P,)``, for :meth:`table`.
        """
        first = self._first_rows[patterns >> self._second_variables]
        second = self._second_rows[patterns & (2**self._second_variables - 1)]
        return first * self._second_count + second

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
        lead = coefficients.shape[:-1]
        first, second = self._factors(coefficients)
        if cells is not None:
            matrix = coefficients.new_zeros(*lead, len(first) * len(second))
            coefficients = matrix.index_add(-1, cells.to(coefficients.device), coefficients)
        if len(first) == 1:
            return times_constant(coefficients, second)
        matrix = coefficients.reshape(*lead, len(first), len(second))
        return times_constant(times_constant(matrix, second).mT, first).mT.flatten(-2)

    def gradient(self, table: Tensor, cells: Tensor | None) -> Tensor:
        """The gradient of coefficients, from that of their table.

        Args:
            table: By each value, shape ``(..., 2**variables)``.
            cells: From :meth:`cells`, or ``None`` for all cells in order.

        Returns:
            Shape ``(..., P)``.
        """
        first, second = self._factors(table)
        with full_precision(table.device):
            if len(first) == 1:
                matrix = table @ second.T
            else:
                matrix = (first @ table.unflatten(-1, (first.shape[1], -1)) @ second.T).flatten(-2)
        return matrix if cells is None else matrix.index_select(-1, cells.to(matrix.device))

    def _factors(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Values of all monomials in the first variables, and in the others."""
        first = self.variables - self._second_variables
        kind = self.degree, self.basis, like.device, like.dtype
        return _values(first, *kind), _values(self._second_variables, *kind)

    def _count(self, variables: int) -> int:
        """How many monomials there are in some of the variables."""
        return sum(comb(variables, size) for size in range(min(self.degree, variables) + 1))

    def _multiplications(self, first: int) -> int:
        second = self.variables - first
        return self._count(first) * ((1 << self.variables) + (self._count(second) << second))


def times_constant(matrix: Tensor, constant: Tensor) -> Tensor:
    """A product of matrices in full precision, there and back."""
    own = is_joint() or torch.compiler.is_compiling()
    # Without gradients there is no way back; torch.jit.trace compares what it records with them to
    # what it records without them.
    own = own or not (torch.is_grad_enabled() or is_traced())
    if own and not is_autocast(matrix.device):
        # A rule for several networks would cost more than such a product, and no compiler follows
        # derivatives in forward mode of a function of ours.
        return matrix @ constant
    product: Tensor = _Product.apply(matrix, constant)  # type: ignore[no-untyped-call]
    return product


class _Product(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(matrix: Tensor, constant: Tensor) -> Tensor:
        with full_precision(matrix.device):
            return matrix @ constant

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ANN401
        ctx.save_for_backward(inputs[1])
        ctx.save_for_forward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (constant,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            # With a derivative of its own, in full precision as well.
            return times_constant(gradient, constant.T), None
        with full_precision(gradient.device):
            return gradient @ constant.T, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:  # noqa: ANN401
        (constant,) = ctx.saved_tensors
        return times_constant(tangent, constant)


@constant
def _values(
    variables: int, degree: int, basis: Basis, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """The values of all monomials, or parities, at all bit patterns, a row for each of them."""
    monomials, _ = _rows(variables, degree)
    common = torch.arange(2**variables) & monomials[:, None]
    if basis == "monomials":
        return (common == monomials[:, None]).to(device, dtype)
    return signs(common).to(device, dtype)


def signs(patterns: Tensor) -> Tensor:
    """1 where a pattern has an even number of ones, else -1, int64, of the shape of patterns."""
    for shift in (32, 16, 8, 4, 2, 1):
        patterns = patterns ^ (patterns >> shift)
    return 1 - 2 * (patterns & 1)


def all_monomials(variables: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """See :class:`BooleanPolynomial`; of a degree beyond the variables there are no more."""
    sizes = range(min(degree, variables) + 1)
    return tuple(monomial for size in sizes for monomial in combinations(range(variables), size))


def patterns_of(variables: int, degree: int) -> list[int]:
    """See :class:`BooleanPolynomial`."""
    monomials = all_monomials(variables, degree)
    return [sum(1 << (variables - 1 - i) for i in monomial) for monomial in monomials]


@constant
def _rows(variables: int, degree: int) -> tuple[Tensor, Tensor]:
    """The pattern of each monomial, and the row of each pattern.

    The monomials are in the order of ``BooleanPolynomial.monomials``.
    """
    monomials = torch.tensor(patterns_of(variables, degree))
    rows = torch.zeros(2**variables, dtype=torch.int64)
    rows[monomials] = torch.arange(len(monomials))
    return monomials, rows
