"""Phases of fixed-point amplitude amplification, for success amplitudes of at least 1/sqrt(2)."""

from functools import lru_cache
from itertools import pairwise
from math import acosh, atan, cosh, pi, sqrt, tan

import numpy as np
from numpy.typing import NDArray

# The least success amplitude of an order 1 circuit: cos**4 + sin**4 is at least 1/2.
_LEAST_AMPLITUDE = sqrt(0.5)

# Of qml.poly_to_angles(polynomial * (1 - 1e-6), "QSVT", angle_solver="iterative"), which takes
# seconds: at exactly 1 in absolute value a polynomial has no phases that it finds.
REAL_PART_PHASES = {
    3: (-1.2604224635900816, 0.6231292510441069, 0.623129251044107, 0.31037386320481475),
    5: (
        *(-4.861172627783831, 2.019158339340694, 0.4865178529658736),
        *(0.4865178529658707, 2.0191583393406938, -0.14878364739913885),
    ),
    7: (
        *(-1.4948891618826616, 1.3210699286092742, 2.153045469511814, 0.3988624956047879),
        *(0.39886249560478815, 2.153045469511812, 1.3210699286092744, 0.0759071649122347),
    ),
}
"""Phases of the singular value transformation whose real part is :func:`flat_polynomial`.

By its length, ``length + 1`` phases p, each of ``exp(i p Z)`` on the ancilla that reads 0 on
success: one before, between and after ``length`` circuits and inverses in turn.
"""


@lru_cache(maxsize=8)
def flat_polynomial(length: int) -> tuple[NDArray[np.float64], float]:
    """The odd polynomial within [-1, 1] that is nearest to 1 where success amplitudes lie.

    Found by the Remez exchange algorithm: the error takes its largest value with alternating signs
    at one point more than there are coefficients.

    Args:
        length: Its degree, odd.

    Returns:
        Its coefficients, lowest power first, shape ``(length + 1,)``, and the largest distance to 1
        on ``[1/sqrt(2), 1]``.
    """
    powers = np.arange(1, length + 1, 2)
    count = len(powers)
    signs = (-1.0) ** np.arange(count + 1)
    # Chebyshev points, so that the ends, where the error is largest, are hit.
    grid = 1 - (1 - _LEAST_AMPLITUDE) * (1 + np.cos(np.linspace(0, pi, 20001))) / 2
    values = grid[:, None] ** powers
    points = np.linspace(0, len(grid) - 1, count + 1).round().astype(int)
    while True:
        *solution, error = np.linalg.solve(
            np.column_stack((values[points], signs)), np.ones(count + 1)
        )
        distance = 1 - values @ solution
        ends = [0, *(np.flatnonzero(np.diff(np.sign(distance))) + 1), len(grid)]
        extrema = np.array(
            [start + np.argmax(np.abs(distance[start:stop])) for start, stop in pairwise(ends)]
        )
        if (extrema == points).all():
            break
        points = extrema
    # The polynomial wavers around 1: it is scaled to stay below.
    scale = 1 + abs(error)
    coefficients = np.zeros(length + 1)
    coefficients[1::2] = np.array(solution) / scale
    return coefficients, float(2 * abs(error) / scale)


@lru_cache(maxsize=8)
def fixed_point_phases(length: int) -> tuple[float, ...]:
    """Phases of the fixed-point search of Yoder, Low and Chuang, arXiv:1409.3305.

    Success comes nearer to certain than with :data:`REAL_PART_PHASES`, but every success amplitude
    gets a phase of its own. That suits a rotation that is later undone.

    Args:
        length: Number of circuits and inverses in turn, odd.

    Returns:
        ``length - 1`` phases p, each of ``exp(i p Z)`` on the ancilla that reads 0 on success.
    """
    largest = cosh(length * acosh(1 / _LEAST_AMPLITUDE))
    gamma = 1 / cosh(acosh(largest) / length)
    half = (length - 1) // 2
    # arccot(x) in (0, pi).
    alphas = [
        pi - 2 * atan(tan(2 * pi * j / length) * sqrt(1 - gamma * gamma))
        for j in range(1, half + 1)
    ]
    phases: list[float] = []
    for alpha, beta in zip(alphas, reversed(alphas), strict=True):
        phases += [-beta / 2, -alpha / 2]
    return tuple(phases)
