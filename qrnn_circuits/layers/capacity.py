"""What the features of a reservoir tell of the inputs that it was driven by."""

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import ArrayLike, NDArray

from qrnn_circuits.checks import check_integer, check_number
from qrnn_circuits.layers.real_arrays import real_array

Values = NDArray[np.float64]


def memory_capacity(
    features: ArrayLike,
    inputs: ArrayLike,
    *,
    longest_delay: int,
    interval: tuple[float, float] = (0.0, 1.0),
    penalty: float = 1e-8,
    significance: float = 1e-4,
) -> Values:
    """How well linear readouts tell the input of each delay (Jaeger 2001).

    The sum is the short-term memory capacity: the number of past inputs that features hold, the
    present one among them.

    Args:
        features: Of a reservoir, shape ``(T, N)``, without its washout.
        inputs: What drove it, independent and uniform in ``interval``, shape ``(T,)``.
        longest_delay: D; 0 is the input of the same step.
        interval: Bounds of the inputs.
        penalty: Of ridge regression.
        significance: Probability with which a capacity of 0 is told to be more.

    Returns:
        The capacity of each delay, from 0 to 1, shape ``(D + 1,)``.

    Raises:
        TypeError: If a number is of a wrong type, or an array holds anything but real numbers.
        ValueError: If a shape is wrong, or a number is not finite or out of range.

    Example:
        >>> inputs = np.random.default_rng(0).uniform(size=2000)
        >>> line = np.stack([np.roll(inputs, delay) for delay in range(3)], axis=1)
        >>> memory_capacity(line[10:], inputs[10:], longest_delay=5).round(2)
        array([1., 1., 1., 0., 0., 0.])
    """
    check_integer("longest_delay", longest_delay, 0)
    capacities = information_processing_capacity(
        features,
        inputs,
        longest_delays=[longest_delay],
        interval=interval,
        penalty=penalty,
        significance=significance,
    )
    return np.array(list(capacities.values()))


def information_processing_capacity(
    features: ArrayLike,
    inputs: ArrayLike,
    *,
    longest_delays: Sequence[int],
    interval: tuple[float, float] = (0.0, 1.0),
    penalty: float = 1e-8,
    significance: float = 1e-4,
) -> dict[tuple[int, ...], float]:
    """How well linear readouts tell polynomials of past inputs (Dambre et al. 2012).

    The polynomials are products of Legendre polynomials of inputs at different delays, which are
    orthogonal, so that the sum of all capacities is at most the number of features that are
    linearly independent, and equal to it for a reservoir that forgets and has no noise of its own.
    A capacity is the squared correlation of a polynomial and its prediction by ridge regression on
    the same steps. Features that tell nothing reach about ``N / T`` by chance: what is below the
    quantile of that distribution, chi-squared with N degrees of freedom over T, is set to 0. Take a
    series of T far above N.

    Args:
        features: Of a reservoir, shape ``(T, N)``, without its washout.
        inputs: What drove it, independent and uniform in ``interval``, shape ``(T,)``.
        longest_delays: For each degree from 1 on, the longest delay; 0 is the input of the same
            step.
        interval: Bounds of the inputs.
        penalty: Of ridge regression.
        significance: Probability with which a capacity of 0 is told to be more.

    Returns:
        The capacity of each polynomial, from 0 to 1, by its delays, each as often as its degree:
        ``(0, 3, 3)`` is the first Legendre polynomial of the present input times the second of the
        one three steps ago.

    Raises:
        TypeError: If a number is of a wrong type, or an array holds anything but real numbers.
        ValueError: If a shape is wrong, or a number is not finite or out of range.

    Example:
        >>> inputs = np.random.default_rng(0).uniform(size=2000)
        >>> product = (inputs[1:] - 0.5) * (inputs[:-1] - 0.5)
        >>> capacities = information_processing_capacity(
        ...     product[:, None], inputs[1:], longest_delays=[3, 3]
        ... )
        >>> [delays for delays, capacity in capacities.items() if capacity > 0.5]
        [(0, 1)]
    """
    rows, drive = real_array("features", features), real_array("inputs", inputs)
    _check_series(rows, drive, interval)
    if not len(longest_delays):
        raise ValueError("longest_delays must have a delay for each degree from 1 on, got none")
    for place, longest in enumerate(longest_delays):
        check_integer(f"longest_delays[{place}]", longest, 0)
    check_number("penalty", penalty)
    if not 0 < significance < 1:
        raise ValueError(f"significance must be between 0 and 1, got {significance!r}")
    past = max(longest_delays)
    steps, size = len(rows) - past, rows.shape[1]
    if steps <= size + 1:
        raise ValueError(
            f"features must have more than {past + size + 1} steps, for the longest delay {past} "
            f"and {size} features, got {len(rows)}: take a longer series"
        )
    from scipy.stats import chi2
    from sklearn.linear_model import Ridge

    low, high = interval
    scaled = 2 * (drive - low) / (high - low) - 1
    chance = chi2.isf(significance, size) / steps
    capacities: dict[tuple[int, ...], float] = {}
    for degree, longest in enumerate(longest_delays, 1):
        names = list(combinations_with_replacement(range(longest + 1), degree))
        targets = np.stack(list(_polynomials(scaled, names, past)), axis=1)
        regression = Ridge(alpha=penalty, solver="svd").fit(rows[past:], targets)
        told = _squared_correlations(targets, regression.predict(rows[past:]).reshape(steps, -1))
        capacities |= dict(zip(names, np.where(told > chance, told, 0).tolist(), strict=True))
    return capacities


def _polynomials(scaled: Values, names: list[tuple[int, ...]], past: int) -> Iterator[Values]:
    """Products of Legendre polynomials of a series in [-1, 1], without its first steps."""
    degrees = range(len(names[0]) + 1)
    legendre = [legval(scaled, [0] * degree + [1]) for degree in degrees]
    for delays in names:
        product = np.ones(len(scaled) - past)
        for delay in set(delays):
            product *= legendre[delays.count(delay)][past - delay : len(scaled) - delay]
        yield product


def _squared_correlations(targets: Values, told: Values) -> Values:
    """Of each column; 0 where one does not vary."""
    targets, told = targets - targets.mean(0), told - told.mean(0)
    norms = (targets**2).sum(0) * (told**2).sum(0)
    products: Values = (targets * told).sum(0) ** 2
    return products / np.where(norms > 0, norms, 1)


def _check_series(features: Values, inputs: Values, interval: tuple[float, float]) -> None:
    if features.ndim != 2 or not features.size or inputs.shape != features.shape[:1]:
        raise ValueError(
            "features must be of shape (T, N) and inputs of shape (T,), got "
            f"{features.shape} and {inputs.shape}"
        )
    low, high = interval
    if not (low < high and low <= inputs.min() and inputs.max() <= high):
        raise ValueError(
            f"inputs must be uniform in interval={interval!r}, but are from {inputs.min():.3g} to "
            f"{inputs.max():.3g}: give their bounds"
        )
