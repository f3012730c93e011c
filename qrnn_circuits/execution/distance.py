"""How far apart two distributions are, and how far shot noise alone puts them."""

from collections.abc import Sequence
from math import exp, floor, lgamma, log, log1p


def total_variation_distance(first: Sequence[float], second: Sequence[float]) -> float:
    """Half the sum of absolute differences: the greatest difference in any event's probability."""
    return sum(abs(p - q) for p, q in zip(first, second, strict=True)) / 2


def expected_distance(probabilities: Sequence[float], shots: int) -> float:
    """Mean total variation distance between a distribution and a sample of it.

    Each count is binomial, and its mean absolute deviation from ``n p`` is
    ``2 k C(n, k) p**k (1 - p)**(n - k + 1)`` with ``k = floor(n p) + 1`` (De Moivre; Diaconis and
    Zabell, Statistical Science 6 (1991) 284). Half their sum, divided by n, is exact.

    Args:
        probabilities: The distribution.
        shots: Size n of the sample, at least 1.
    """
    return sum(_mean_deviation(p, shots) for p in probabilities) / (2 * shots)


def _mean_deviation(p: float, n: int) -> float:
    """Mean of ``|X - n p|`` for a binomial X."""
    if not 0 < p < 1:
        return 0.0
    k = floor(n * p) + 1
    log_choose = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return 2 * k * exp(log_choose + k * log(p) + (n - k + 1) * log1p(-p))
