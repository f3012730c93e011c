"""Boolean polynomials: the angle of a quantum neuron as a function of its control bits."""

from math import comb
from typing import get_args

import torch
from torch import Tensor, nn

from qrnn_circuits.checks import as_integer, check_choice
from qrnn_circuits.choices import Basis
from qrnn_circuits.constants import constant
from qrnn_circuits.polynomial_table import (
    PolynomialTable,
    all_monomials,
    patterns_of,
    times_constant,
)

# Up to so many values of all monomials at all bit patterns, one product with the matrix of these is
# faster than two smaller ones: by 7 to 10 % of a training step of memorise or XOR.
_MOST_VALUES = 2**18
# Up to so many coefficients, one product with a matrix is faster than sums variable by variable,
# and the matrix takes no more than a few MB.
_MOST_IN_MATRIX = 2**9
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
        self.patterns = torch.tensor(patterns_of(variables, degree), device="cpu")
        self._table = PolynomialTable(variables, degree, basis, most_values=_MOST_VALUES)
        self._cells = self._table.cells(self.patterns) if self._table.is_split else None

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
            Shape ``(..., P)``, in the order of ``monomials``.

        Raises:
            ValueError: If the last dimension is of the wrong size.

        Example:
            >>> BooleanPolynomial(1, 1).gradient(torch.tensor([1.0, 2.0]))
            tensor([3., 2.])
        """
        if table.shape[-1:] != (2**self.variables,):
            raise ValueError(
                f"table must have {2**self.variables} in its last dimension (one for each pattern "
                f"of {self.variables} bits), got shape {tuple(table.shape)}"
            )
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
        sizes = self.variables, self.degree
        return (to_parities if basis == "parities" else to_monomials)(coefficients, *sizes)

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        return f"variables={self.variables}, degree={self.degree}, basis={self.basis!r}"

    def _check_size(self, coefficients: Tensor) -> None:
        if coefficients.shape[-1:] != (self.size,):
            raise ValueError(
                f"coefficients must have {self.size} in their last dimension (one for each "
                f"monomial), got shape {tuple(coefficients.shape)}"
            )


def to_parities(coefficients: Tensor, variables: int, degree: int) -> Tensor:
    """Coefficients of parities, from those of monomials.

    A monomial S is the product of ``(1 - (-1)**x_i) / 2`` for i in S: each parity within S gets
    its coefficient over ``2**|S|``, times -1 for each of the parity's variables.

    Args:
        coefficients: Shape ``(..., P)``.
        variables: Number of bits.
        degree: Largest number of variables in one monomial.
    """
    halves, signs = _factors(variables, degree, coefficients.device, coefficients.dtype)
    return superset_sums(coefficients * halves, variables, degree) * signs


def to_monomials(coefficients: Tensor, variables: int, degree: int) -> Tensor:
    """Coefficients of monomials, from those of parities: the inverse of :func:`to_parities`."""
    halves, signs = _factors(variables, degree, coefficients.device, coefficients.dtype)
    return superset_sums(coefficients, variables, degree) * (signs / halves)


def superset_sums(values: Tensor, variables: int, degree: int) -> Tensor:
    """The sum of the values of each set and of all sets around it.

    Args:
        values: Of all sets of up to ``degree`` variables, shape ``(..., P)``.
        variables: Number of bits.
        degree: Largest number of variables in one set.

    Returns:
        Shape ``(..., P)``; differentiable.
    """
    if values.shape[-1] <= _MOST_IN_MATRIX:
        within = _within(variables, degree, values.device, values.dtype)
        return times_constant(values, within)
    for larger, smaller in _pairs_of_sets(variables, degree, values.device):
        values = values.index_add(-1, smaller, values.index_select(-1, larger))
    return values


@constant
def _factors(
    variables: int, degree: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """``2**-|S|`` and ``(-1)**|S|`` of all sets S, shape ``(P,)`` each."""
    sizes = [len(monomial) for monomial in all_monomials(variables, degree)]
    factors = [[base**size for size in sizes] for base in (0.5, -1.0)]
    halves, signs = torch.tensor(factors, dtype=dtype, device=device)
    return halves, signs


@constant
def _within(variables: int, degree: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """1 where the set of a column lies within that of a row, else 0, shape ``(P, P)``."""
    sets = torch.tensor(patterns_of(variables, degree))
    return (sets & ~sets[:, None] == 0).to(device, dtype)


@constant
def _pairs_of_sets(
    variables: int, degree: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """For each variable the sets that hold it, and these without it."""
    sets = torch.tensor(patterns_of(variables, degree))
    in_order, order = sets.sort()
    pairs = []
    for variable in range(variables):
        bit = 1 << variable
        larger = (sets & bit).nonzero()[:, 0]
        smaller = order[torch.searchsorted(in_order, sets[larger] - bit)]
        pairs.append((larger.to(device), smaller.to(device)))
    return pairs


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
