"""From the coefficients of Boolean polynomials to the angles of gates, in any interface."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pennylane as qml
from numpy.typing import NDArray
from pennylane.typing import TensorLike

from qrnn_circuits.synthesis import (
    Parity,
    parities_up_to,
    polynomial_to_parities,
    table_to_parities,
)


class Spectrum(NamedTuple):
    """An angle as a sum over parities S of the controls x: of ``angles[S] * (-1)**(S.x)``.

    Attributes:
        parities: P sets of controls, each as sorted positions.
        angles: In radians, shape ``(P,)`` or ``(B, P)``.
    """

    parities: tuple[Parity, ...]
    angles: TensorLike


def coefficient_count(controls: int, degree: int) -> int:
    """Number P of coefficients of a polynomial.

    Raises:
        ValueError: If there is no polynomial of this degree in this many variables.
    """
    if not 1 <= degree <= controls:
        raise ValueError(
            f"degree must be between 1 and the number of controls ({controls}), got {degree}"
        )
    return len(parities_up_to(controls, degree))


def control_count(coefficients: TensorLike, degree: int) -> int:
    """Number of controls of the polynomial of a degree that has these coefficients.

    Args:
        coefficients: Shape ``(P,)`` or ``(B, P)``.
        degree: Degree of the polynomial.
    """
    size = qml.math.shape(coefficients)[-1]
    return next(m for m in range(degree, size) if coefficient_count(m, degree) == size)


def parity_angles(coefficients: TensorLike, controls: int, degree: int) -> TensorLike:
    """The angles of all parities of at most ``degree`` controls.

    Args:
        coefficients: Shape ``(P,)`` or ``(B, P)``, numpy, torch or any other interface.
        controls: Number of control wires.
        degree: Degree of the polynomial.

    Returns:
        Of the shape and interface of ``coefficients``, in the order of
        :func:`~qrnn_circuits.synthesis.parities_up_to`.
    """
    return _linear_map(_polynomial_to_parities(controls, degree), coefficients)


def polynomial_spectrum(coefficients: TensorLike, controls: int, degree: int) -> Spectrum:
    """All parities of at most ``degree`` controls, with the angles of :func:`parity_angles`."""
    angles = parity_angles(coefficients, controls, degree)
    return Spectrum(parities_up_to(controls, degree), angles)


def select_angles(
    angles: TensorLike, parities: Sequence[Parity], selected: Sequence[Parity]
) -> TensorLike:
    """The angles of some of the parities, in the order of these.

    Args:
        angles: Shape ``(P,)`` or ``(B, P)``.
        parities: All P of them.
        selected: Some of them.

    Raises:
        ValueError: If one of those selected is not among them.
    """
    place = {parity: index for index, parity in enumerate(parities)}
    for parity in selected:
        if parity not in place:
            raise ValueError(f"parities must be some of the neuron's {len(place)}, got {parity}")
    return angles[..., [place[parity] for parity in selected]]


def parity_table(angles: TensorLike, parities: Sequence[Parity], controls: int) -> TensorLike:
    """The sum of parities at all control patterns, shape ``(2**m,)`` or ``(B, 2**m)``.

    Args:
        angles: Shape ``(P,)`` or ``(B, P)``.
        parities: The P parities.
        controls: Number m of controls; control 0 is the most significant bit of a pattern.
    """
    masks = np.array([sum(1 << controls - 1 - i for i in parity) for parity in parities], int)
    signs = (-1.0) ** np.bitwise_count(np.arange(2**controls)[:, None] & masks)
    return _linear_map(signs, angles)


def angle_table(coefficients: TensorLike, controls: int, degree: int) -> TensorLike:
    """The polynomial at all control patterns, shape ``(2**m,)`` or ``(B, 2**m)``.

    Control 0 is the most significant bit of a pattern.
    """
    return _linear_map(_evaluation(controls, degree), coefficients)


def activation_table(
    coefficients: TensorLike, controls: int, degree: int, order: int
) -> TensorLike:
    """The angle ``f`` with ``tan(f/2) = tan(phi/2)**(2**order)``, for all control patterns.

    Args:
        coefficients: Of ``phi``, shape ``(P,)`` or ``(B, P)``.
        controls: Number m of control wires.
        degree: Degree of ``phi``.
        order: Order of the neuron.

    Returns:
        Angles in [0, pi], of order 0 ``phi`` to a multiple of 4 pi, shape ``(2**m,)`` or
        ``(B, 2**m)``.
    """
    half = angle_table(coefficients, controls, degree) / 2
    cos, sin = qml.math.cos(half) ** 2**order, qml.math.sin(half) ** 2**order
    return 2 * qml.math.arctan2(sin, cos)


def table_parity_angles(table: TensorLike, controls: int) -> TensorLike:
    """The angles of all ``2**m`` parities that give each control pattern its angle.

    Args:
        table: Shape ``(2**m,)`` or ``(B, 2**m)``.
        controls: Number m of control wires.
    """
    return _linear_map(_table_to_parities(controls), table)


def multiplexed_matrix(table: TensorLike) -> TensorLike:
    """The matrix of the rotation by ``table[x]`` for each control pattern x.

    Args:
        table: Angles, shape ``(2**m,)`` or ``(B, 2**m)``.

    Returns:
        Shape ``(2**(m+1), 2**(m+1))`` or with a leading B; the target is the last wire.
    """
    *lead, patterns = qml.math.shape(table)
    half = qml.math.reshape(table, (*lead, patterns, 1, 1, 1)) / 2
    # Axes: pattern and bit of the target after the rotation, and before it.
    keep = np.einsum("xy,ab->xayb", np.eye(patterns), np.eye(2))
    turn = np.einsum("xy,ab->xayb", np.eye(patterns), np.array([[0.0, -1.0], [1.0, 0.0]]))
    keep, turn = (
        qml.math.cast_like(qml.math.convert_like(each, half), half) for each in (keep, turn)
    )
    matrix = qml.math.cos(half) * keep + qml.math.sin(half) * turn
    return qml.math.reshape(matrix, (*lead, 2 * patterns, 2 * patterns))


def _linear_map(matrix: NDArray[np.float64], vectors: TensorLike) -> TensorLike:
    """``matrix @ vector`` for one vector or a batch of them."""
    transposed = qml.math.convert_like(matrix.T, vectors)
    return qml.math.tensordot(vectors, qml.math.cast_like(transposed, vectors), [[-1], [0]])


_polynomial_to_parities = lru_cache(maxsize=64)(polynomial_to_parities)
_table_to_parities = lru_cache(maxsize=8)(table_to_parities)


@lru_cache(maxsize=64)
def _evaluation(controls: int, degree: int) -> NDArray[np.float64]:
    bits = np.arange(2**controls)[:, None] >> np.arange(controls)[::-1] & 1
    monomials = parities_up_to(controls, degree)
    columns = [bits[:, list(monomial)].all(1) for monomial in monomials]
    return np.stack(columns, 1).astype(np.float64)
