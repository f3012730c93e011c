r"""The parity basis, in which a controlled angle is a sum of signs.

``phi(x) = sum over S of a_S * (-1)**(sum of x_i for i in S)``: the Walsh-Fourier transform of the
angle. A Boolean polynomial of degree d needs only the parities with ``|S| <= d``.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Parity = tuple[int, ...]
"""A set of controls, in ascending order: the parity of their bits."""


def parities_up_to(controls: int, degree: int) -> tuple[Parity, ...]:
    """The sets of at most ``degree`` controls, in the order of a polynomial's monomials.

    Args:
        controls: Number of control wires m, at least 1.
        degree: From 0 to ``controls``.

    Returns:
        Sorted tuples of wire positions, smaller ones first, then in lexicographic order.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> parities_up_to(3, 2)
        ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    """
    if controls < 1:
        raise ValueError(f"controls must be at least 1, got {controls}")
    if not 0 <= degree <= controls:
        raise ValueError(f"degree must be between 0 and controls ({controls}), got {degree}")
    return tuple(
        parity for size in range(degree + 1) for parity in combinations(range(controls), size)
    )


def polynomial_to_parities(controls: int, degree: int) -> NDArray[np.float64]:
    """The linear map from a polynomial's coefficients to the angles of its parities.

    Each monomial is a product of ``(1 - (-1)**x_i) / 2``, so the coefficient of S contributes
    ``(-1)**|T| / 2**|S|`` to every parity ``T`` within S.

    Args:
        controls: Number of control wires m, at least 1.
        degree: From 0 to ``controls``.

    Returns:
        Shape ``(P, P)``, with ``parity_angles = matrix @ coefficients``; rows and columns in the
        order of :func:`parities_up_to`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        ``0.4 + x`` is ``0.9 - 0.5 * (-1)**x``:

        >>> polynomial_to_parities(controls=1, degree=1) @ [0.4, 1.0]
        array([ 0.9, -0.5])
    """
    sets = parities_up_to(controls, degree)
    row = {parity: index for index, parity in enumerate(sets)}
    matrix = np.zeros((len(sets), len(sets)))
    for column, monomial in enumerate(sets):
        for size in range(len(monomial) + 1):
            for parity in combinations(monomial, size):
                matrix[row[parity], column] = (-1.0) ** size / 2 ** len(monomial)
    return matrix


def table_to_parities(controls: int) -> NDArray[np.float64]:
    """The linear map from the angles of all control patterns to the angles of all parities.

    Args:
        controls: Number of control wires m, at least 1.

    Returns:
        Shape ``(2**m, 2**m)``, with ``parity_angles = matrix @ angles``. Columns: control patterns,
        control 0 the most significant bit. Rows: ``parities_up_to(m, m)``.

    Raises:
        ValueError: If ``controls`` is below 1.

    Example:
        The angles 0.4 (control reads 0) and 1.4 (it reads 1) are ``0.9 - 0.5 * (-1)**x``:

        >>> table_to_parities(controls=1) @ [0.4, 1.4]
        array([ 0.9, -0.5])
    """
    sets = parities_up_to(controls, controls)
    bits = np.arange(2**controls)[:, None] >> np.arange(controls)[::-1] & 1
    members = np.array([[wire in parity for wire in range(controls)] for parity in sets])
    return np.asarray((-1.0) ** (members @ bits.T) / 2**controls, dtype=np.float64)
