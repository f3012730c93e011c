"""Boolean polynomials: the angle of a quantum neuron as a function of its control bits."""

from itertools import combinations
from math import comb
from typing import Any, get_args

import torch
from torch import Tensor, nn

from qrnn_circuits.checks import as_integer, check_choice
from qrnn_circuits.choices import Basis
from qrnn_circuits.constants import constant
from qrnn_circuits.synthesis import polynomial_to_parities
from qrnn_circuits.tracing import full_precision, is_joint, is_traced

# Up to so many values of all monomials at all bit patterns, one product with the matrix of these is
# faster than two smaller ones: by 7 to 10 % of a training step of memorise or XOR.
_MOST_VALUES = 2**18
MOST_MONOMIALS = 2**20
"""Coefficients of an angle: listing more would take minutes and gigabytes."""
MOST_BITS = 62
"""Variables of a polynomial, whose patterns are integers of 64 bits."""


class BooleanPolynomial(nn.Module):
    r"""A polynomial in ``variables`` bits in which every variable has power 0 or 1.

    ``phi(x) = sum over S, |S| <= degree, of coefficients[S] * prod(x_i for i in S)``: the angle of
    a quantum neuron (Bausch, arXiv:2006.14619, section 3). The coefficients are arguments, not
    parameters, so that one polynomial serves any number of neurons at once.

    They may be those of parities in place of monomials, ``(-1)**(sum of x_i for i in S)`` for the
    same sets S: each then changes the value at every pattern by as much, while a monomial of r
    variables changes it at one in ``2**r`` patterns and that of all ones sums up all coefficients.

    Attributes:
        variables: Number of bits m.
        degree: Largest number of variables in one monomial.
        basis: ``"monomials"`` or ``"parities"``: what the coefficients are of.
        monomials: The sets S as sorted tuples, smaller sets first, then in lexicographic order.
            The first is the empty set, whose coefficient is the bias.
        patterns: The pattern of each: the integer in whose bits exactly its variables are 1,
            variable 0 the most significant, int64, shape ``(P,)``, on the CPU.

    Example:
        >>> polynomial = BooleanPolynomial(variables=2, degree=2)
        >>> polynomial.monomials
        ((), (0,), (1,), (0, 1))
        >>> polynomial.table(torch.tensor([0.5, 1.0, 2.0, -3.0]))
        tensor([0.5000, 2.5000, 1.5000, 0.5000])
        >>> BooleanPolynomial(1, 1, "parities").table(torch.tensor([0.9, -0.5]))
        tensor([0.4000, 1.4000])
    """

    def __init__(self, variables: int, degree: int, basis: Basis = "monomials") -> None:
        """Lists the monomials.

        Args:
            variables: Number of bits, from 1 to ``MOST_BITS``.
            degree: Largest number of variables in one monomial, from 1 to ``variables``.
            basis: ``"monomials"`` or ``"parities"``.

        Raises:
            ValueError: If ``variables`` or ``degree`` is out of range, or there is no such basis.
        """
        super().__init__()
        variables = as_integer("variables", variables, 1, MOST_BITS)
        degree = check_degree(variables, degree)
        check_choice("basis", basis, get_args(Basis))
        self.variables = variables
        self.degree = degree
        self.basis: Basis = basis
        self.monomials = all_monomials(variables, degree)
        self.patterns = torch.tensor(_patterns(variables, degree), device="cpu")
        self._table = PolynomialTable(variables, degree, basis, most_values=_MOST_VALUES)
        cells = self._table.cells(self.patterns)
        in_order = cells.tolist() == list(range(len(cells)))
        self._cells: Tensor | None = None if in_order else cells

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
        if self.basis == "parities":
            values = 1 - 2 * values
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

    def gradient(self, table: Tensor) -> Tensor:
        """The gradient of coefficients, from that of their table.

        Args:
            table: By each value of :meth:`table`, shape ``(..., 2**variables)``.

        Returns:
            Shape ``(..., P)``; not differentiable.

        Example:
            >>> BooleanPolynomial(1, 1).gradient(torch.tensor([1.0, 2.0]))
            tensor([3., 2.])
        """
        return self._table.gradient(table, self._cells)

    def in_basis(self, coefficients: Tensor, basis: Basis) -> Tensor:
        """The coefficients of the same polynomial in a basis.

        Args:
            coefficients: In the basis of this polynomial, shape ``(..., P)``.
            basis: ``"monomials"`` or ``"parities"``.

        Returns:
            Shape ``(..., P)``, in the order of ``monomials``; differentiable.

        Raises:
            ValueError: If the last dimension is of the wrong size, or there is no such basis.

        Example:
            >>> BooleanPolynomial(1, 1).in_basis(torch.tensor([0.4, 1.0]), "parities")
            tensor([ 0.9000, -0.5000])
        """
        self._check_size(coefficients)
        check_choice("basis", basis, get_args(Basis))
        if basis == self.basis:
            return coefficients
        to_parities, to_monomials = changes_of_basis(self.variables, self.degree)
        change = to_parities if basis == "parities" else to_monomials
        return _times(coefficients, change.to(coefficients).T)

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        return f"variables={self.variables}, degree={self.degree}, basis={self.basis!r}"

    def _check_size(self, coefficients: Tensor) -> None:
        if coefficients.shape[-1:] != (self.size,):
            raise ValueError(
                f"coefficients must have {self.size} in their last dimension (one for each "
                f"monomial), got shape {tuple(coefficients.shape)}"
            )


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
            return _times(coefficients, second)
        matrix = coefficients.reshape(*lead, len(first), len(second))
        return _times(_times(matrix, second).mT, first).mT.flatten(-2)

    @torch.no_grad()
    def gradient(self, table: Tensor, cells: Tensor | None) -> Tensor:
        """The gradient of coefficients, from that of their table.

        Args:
            table: By each value, shape ``(..., 2**variables)``.
            cells: From :meth:`cells`, or ``None`` for all cells in order.

        Returns:
            Shape ``(..., P)``; not differentiable.
        """
        first, second = self._factors(table)
        with full_precision(table.device):
            if len(first) > 1:
                table = first @ table.unflatten(-1, (first.shape[1], -1))
            matrix = table @ second.T
        if len(first) > 1:
            matrix = matrix.flatten(-2)
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


def _times(matrix: Tensor, constant: Tensor) -> Tensor:
    """A product of matrices in full precision, there and back."""
    own = is_joint() or torch.compiler.is_compiling()
    own = own or not (torch.is_grad_enabled() or is_traced())
    if own and not torch.is_autocast_enabled(matrix.device.type):
        # A rule for several networks would cost more than such a product, no compiler follows
        # derivatives in forward mode of a function of ours, and without gradients there is no way
        # back.
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
            return _times(gradient, constant.T), None
        with full_precision(gradient.device):
            return gradient @ constant.T, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:  # noqa: ANN401
        (constant,) = ctx.saved_tensors
        return _times(tangent, constant)


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


@constant
def changes_of_basis(variables: int, degree: int) -> tuple[Tensor, Tensor]:
    """The maps of coefficients from monomials to parities and back, float64, ``(P, P)`` each."""
    sets = torch.tensor(_patterns(variables, degree))
    # The parity of T is the product of 1 - 2 x_i for i in T.
    factors = [(-2.0) ** len(monomial) for monomial in all_monomials(variables, degree)]
    within = sets[:, None] & ~sets == 0
    to_monomials = within * torch.tensor(factors, dtype=torch.float64)[:, None]
    return torch.from_numpy(polynomial_to_parities(variables, degree)), to_monomials


def check_degree(bits: int, degree: int, features: int = 0) -> int:
    """Raises where no monomial has so many variables, or there are too many; returns the degree."""
    degree = as_integer("degree", degree, -(2**63))
    variables = bits + features
    if not 1 <= degree <= variables:
        which = "controls and features" if features else "controls"
        raise ValueError(
            f"degree must be between 1 and the number of variables (here {variables}: the "
            f"{which} of one neuron), got {degree}"
        )
    # Degree by degree, up to those that are too many.
    count = 0
    for size in range(degree + 1):
        count += comb(variables, size)
        if count > MOST_MONOMIALS:
            raise ValueError(
                f"an angle must have at most {MOST_MONOMIALS} coefficients, but has more of "
                f"{variables} variables, bits and features in all, from degree {size} on, got "
                f"degree {degree}: take fewer variables or a smaller degree"
            )
    return degree


def all_monomials(variables: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """See :class:`BooleanPolynomial`; of a degree beyond the variables there are no more."""
    sizes = range(min(degree, variables) + 1)
    return tuple(monomial for size in sizes for monomial in combinations(range(variables), size))


def _patterns(variables: int, degree: int) -> list[int]:
    """See :class:`BooleanPolynomial`."""
    monomials = all_monomials(variables, degree)
    return [sum(1 << (variables - 1 - i) for i in monomial) for monomial in monomials]


@constant
def _rows(variables: int, degree: int) -> tuple[Tensor, Tensor]:
    """The pattern of each monomial, and the row of each pattern.

    The monomials are in the order of ``BooleanPolynomial.monomials``.
    """
    monomials = torch.tensor(_patterns(variables, degree))
    rows = torch.zeros(2**variables, dtype=torch.int64)
    rows[monomials] = torch.arange(len(monomials))
    return monomials, rows
