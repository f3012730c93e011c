"""The parity spectra of neurons: what their circuits rotate by, to be made small and then zero.

A neuron's angle is a sum of parities of its controls, and its circuit has a rotation for each. Of
order 0 and in postselected neurons these are parities of the polynomial, linear in its
coefficients; a neuron of unitary semantics rotates by those of its activation.
"""

import torch
from torch import Tensor

from qrnn_circuits.neuron import Semantics, block_amplitudes
from qrnn_circuits.polynomial import (
    BooleanPolynomial,
    superset_sums,
    to_monomials,
    to_parities,
)


def parity_angles(
    coefficients: Tensor, polynomial: BooleanPolynomial, *, order: int, semantics: Semantics
) -> Tensor:
    """The angles by which the circuits of some neurons rotate.

    Args:
        coefficients: Of N neurons, shape ``(N, P)``.
        polynomial: That they share, in m controls.
        order: Of the neurons.
        semantics: Of the neurons.

    Returns:
        In radians, shape ``(N, P)``, or ``(N, 2**m)`` for those of an activation; the part that
        depends on no control comes first. Differentiable in the coefficients.

    Example:
        ``0.4 + x`` is ``0.9 - 0.5 * (-1)**x``:

        >>> polynomial = BooleanPolynomial(1, degree=1)
        >>> coefficients = torch.tensor([[0.4, 1.0]])
        >>> parity_angles(coefficients, polynomial, order=0, semantics="unitary")
        tensor([[ 0.9000, -0.5000]])
    """
    if order == 0 or semantics == "postselected":
        return polynomial.in_basis(coefficients, "parities")
    cos, sin = block_amplitudes(polynomial.table(coefficients), order, "postselected")
    values = 2 * torch.atan2(sin, cos)
    for _ in range(polynomial.variables):
        even, odd = values.unflatten(-1, (2, -1)).unbind(-2)
        values = torch.stack((even + odd, even - odd), -1).flatten(-2) / 2
    return values


@torch.no_grad()
def prune(coefficients: Tensor, polynomial: BooleanPolynomial, tolerance: float) -> None:
    """Sets the parities of polynomials to zero whose angle is at most a tolerance.

    Monomials that only those need are dropped first, so that an optimiser which moves each
    coefficient by itself learns the others as if there were none of these.

    Args:
        coefficients: Of N neurons, shape ``(N, P)``, changed in place.
        polynomial: That they share.
        tolerance: In radians.

    Example:
        >>> polynomial = BooleanPolynomial(2, degree=1)
        >>> coefficients = torch.tensor([[1.0, 0.1, 2.0]])
        >>> prune(coefficients, polynomial, 0.1)
        >>> coefficients
        tensor([[1., 0., 2.]])
    """
    kept = polynomial.in_basis(coefficients, "parities").abs() > tolerance
    kept[:, 0] = True
    if polynomial.basis == "parities":
        coefficients.mul_(kept)
        return
    sizes = polynomial.variables, polynomial.degree
    needed = superset_sums(kept.to(coefficients.dtype), *sizes) > 0
    angles = to_parities(coefficients * needed, *sizes)
    coefficients.copy_(to_monomials(angles * kept, *sizes))
