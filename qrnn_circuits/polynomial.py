"""Boolean polynomials: the angle of a quantum neuron as a function of its control bits."""

from itertools import combinations

import torch
from torch import Tensor, nn

# Values of all monomials at all bit patterns are kept where they are no more than this.
_MOST_VALUES = 2**20


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
    """

    _patterns: Tensor
    _values: Tensor | None

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
        # A monomial's own pattern: exactly its variables are 1. Variable 0 is the most significant.
        patterns = [sum(1 << (variables - 1 - i) for i in monomial) for monomial in self.monomials]
        self.register_buffer("_patterns", torch.tensor(patterns), persistent=False)
        values = None
        if len(patterns) * 2**variables <= _MOST_VALUES:
            # A monomial is 1 where all bits of its own pattern are set.
            own, all_patterns = self._patterns[:, None], torch.arange(2**variables)
            values = ((own & all_patterns) == own).to(torch.get_default_dtype())
        self.register_buffer("_values", values, persistent=False)

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
        if self._values is not None:
            return coefficients @ self._values.to(coefficients.dtype)
        lead = coefficients.shape[:-1]
        table = coefficients.new_zeros(*lead, 2**self.variables)
        table = table.index_copy(-1, self._patterns, coefficients)
        # Sum over subsets, one variable after another: 2**m * m additions instead of 2**m * P.
        for variable in range(self.variables):
            absent, present = table.reshape(*lead, 2**variable, 2, -1).unbind(-2)
            table = torch.stack((absent, absent + present), -2)
        return table.reshape(*lead, -1)

    def extra_repr(self) -> str:
        """Shows the sizes in ``repr``."""
        return f"variables={self.variables}, degree={self.degree}"

    def _check_size(self, coefficients: Tensor) -> None:
        if coefficients.shape[-1:] != (self.size,):
            raise ValueError(
                f"coefficients must have {self.size} in their last dimension (one for each "
                f"monomial), got shape {tuple(coefficients.shape)}"
            )
