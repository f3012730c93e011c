"""Polynomials in control bits and real features: the angle of a neuron that data shift."""

from functools import reduce
from operator import mul

import torch
from torch import Tensor, nn

from qrnn_circuits.checks import as_integer
from qrnn_circuits.polynomial import BooleanPolynomial, check_degree
from qrnn_circuits.polynomial_table import all_monomials


class FeaturePolynomial(nn.Module):
    r"""A polynomial in which bits and real features have power 0 or 1.

    ``phi(x, u) = sum over S of coefficients[S] * product of the bits and features in S``, with at
    most ``degree`` of both in one monomial. At given features it is a :class:`BooleanPolynomial` in
    the bits, of coefficients that :meth:`restrict` tells, so that a circuit needs no gates for
    features: they are uploaded again into the angles of every neuron (Perez-Salinas et al.,
    arXiv:1907.02085).

    Attributes:
        bits: Number m of bits.
        features: Number F of features.
        degree: Largest number of bits and features in one monomial.
        monomials: The sets S as sorted tuples, in the order of ``BooleanPolynomial.monomials``
            in ``bits + features`` variables; the features come last.
        in_bits: The :class:`BooleanPolynomial` that is left at given features.

    Example:
        >>> polynomial = FeaturePolynomial(bits=1, features=1, degree=2)
        >>> polynomial.monomials
        ((), (0,), (1,), (0, 1))
        >>> coefficients = torch.tensor([[0.5, 1.0, 2.0, -3.0]])
        >>> polynomial.restrict(coefficients, torch.tensor([[0.1]]))
        tensor([[[0.7000, 0.7000]]])
        >>> polynomial.table(coefficients, torch.tensor([[0.1]]))
        tensor([[[0.7000, 1.4000]]])
    """

    def __init__(self, bits: int, features: int, degree: int) -> None:
        """Lists the monomials.

        Args:
            bits: Number of bits, at least 1.
            features: Number of features, at least 1.
            degree: Largest number of both in one monomial, from 1 to ``bits + features``.

        Raises:
            ValueError: If a number is out of range.
        """
        super().__init__()
        bits, features = as_integer("bits", bits, 1), as_integer("features", features, 1)
        degree = check_degree(bits, degree, features)
        self.in_bits = BooleanPolynomial(bits, min(degree, bits))
        self.bits = bits
        self.features = features
        self.degree = degree
        # No table has a value for each pattern of features, of which there may be many.
        self.monomials = all_monomials(bits + features, degree)
        row = {monomial: number for number, monomial in enumerate(self.in_bits.monomials)}
        products: dict[tuple[int, ...], int] = {}
        cells = []
        for monomial in self.monomials:
            of_bits = tuple(i for i in monomial if i < bits)
            of_features = tuple(i - bits for i in monomial if i >= bits)
            product = products.setdefault(of_features, len(products))
            cells.append((product, row[of_bits]))
        self._products = tuple(products)
        # No buffer, which a module made without memory and filled later would lose.
        self._cells = torch.tensor([p * len(row) + r for p, r in cells], device="cpu")

    @property
    def size(self) -> int:
        """Number of coefficients P."""
        return len(self.monomials)

    @property
    def has_feature(self) -> Tensor:
        """Of which monomials a feature is a factor, bool, on the CPU, shape ``(P,)``."""
        found = [any(place >= self.bits for place in each) for each in self.monomials]
        return torch.tensor(found, device="cpu")

    def restrict(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """The coefficients of the polynomials in the bits that are left at given features.

        Args:
            coefficients: Of N polynomials, shape ``(N, P)``.
            features: Shape ``(B, F)``.

        Returns:
            Shape ``(N, B, Q)``, for :attr:`in_bits`; differentiable in both.

        Raises:
            ValueError: If a last dimension is of the wrong size.
        """
        return self._values(features) @ self._by_product(coefficients)

    def table(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Evaluates polynomials at all bit patterns.

        Args:
            coefficients: Of N polynomials, shape ``(N, P)``.
            features: Shape ``(B, F)``.

        Returns:
            Shape ``(N, B, 2**m)``, in which rows of features lie side by side in memory;
            differentiable in coefficients and features.

        Raises:
            ValueError: If a last dimension is of the wrong size.
        """
        tables = self.in_bits.table(self._by_product(coefficients)).mT
        # One product of matrices, and not one for each polynomial.
        values = tables.flatten(0, 1) @ self._values(features).T
        return values.view(*tables.shape[:2], features.shape[0]).mT

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        return f"bits={self.bits}, features={self.features}, degree={self.degree}"

    def _by_product(self, coefficients: Tensor) -> Tensor:
        """A row of coefficients in the bits for each product of features, ``(N, R, Q)``."""
        if coefficients.ndim != 2 or coefficients.shape[1] != self.size:
            raise ValueError(
                f"coefficients must have shape (N, {self.size}), one for each monomial, got "
                f"{tuple(coefficients.shape)}"
            )
        count = len(self._products) * self.in_bits.size
        spread = coefficients.new_zeros(len(coefficients), count)
        spread = spread.index_copy(1, self._cells.to(coefficients.device), coefficients)
        return spread.view(len(coefficients), len(self._products), -1)

    def _values(self, features: Tensor) -> Tensor:
        """The value of each product of features, ``(B, R)``."""
        if features.ndim != 2 or features.shape[1] != self.features:
            raise ValueError(
                f"features must have shape (B, {self.features}), got {tuple(features.shape)}"
            )
        columns = features.unbind(1)
        values = [
            reduce(mul, [columns[i] for i in product]) for product in self._products if product
        ]
        return torch.stack([torch.ones_like(columns[0]), *values], 1)
