"""Time series to forecast: chaotic maps and flows, driven averages, oscillations.

Each generator is a function of the number of points and a seed, which those without randomness
leave aside, and returns a :class:`GeneratedSeries`; :data:`GENERATORS` has them by name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.optional_packages import require_modules

Values = NDArray[np.float64]

# What the benchmark of Fellner et al. (arXiv:2504.12416) generates before it cuts out its points:
# the integrator chooses its steps by the whole interval.
_GENERATED = 10_000
_LORENZ_TRANSIENT = 500
# Of the random history of a delayed feedback: reservoirpy's default, which a program can change.
_HISTORY_SEED = 5555
# Points of a driven average that depend on where it starts.
_TRANSIENT = 200
_DRIVE = 0.5


@dataclass(frozen=True)
class GeneratedSeries:
    """A series of which some columns are known and some are to be forecast.

    Attributes:
        inputs: What is known at each time, shape ``(N, F)``.
        targets: What is to be forecast, shape ``(N, K)``; often the same columns.
        input_names: A name for each input column.
        target_names: A name for each target column.
    """

    inputs: Values
    targets: Values
    input_names: tuple[str, ...]
    target_names: tuple[str, ...]


def henon(length: int, seed: int = 0) -> GeneratedSeries:
    """The map of Henon (1976), ``x' = 1 - 1.4 x**2 + y``, ``y' = 0.3 x``, from the origin.

    Args:
        length: Number N of points.
        seed: Not used.

    Raises:
        ImportError: If reservoirpy is not installed, with the command that installs it.
    """
    require_modules("reservoirpy")
    from reservoirpy import datasets

    return _autonomous(datasets.henon_map(length), "x", "y")


def lorenz(length: int, seed: int = 0) -> GeneratedSeries:
    """The flow of Lorenz (1963) in steps of 0.03, without its first 500 points.

    Args:
        length: Number N of points.
        seed: Not used.

    Raises:
        ImportError: If reservoirpy is not installed, with the command that installs it.
    """
    require_modules("reservoirpy")
    from reservoirpy import datasets

    points = datasets.lorenz(max(_GENERATED, _LORENZ_TRANSIENT + length))
    return _autonomous(points[_LORENZ_TRANSIENT : _LORENZ_TRANSIENT + length], "x", "y", "z")


def mackey_glass(length: int, seed: int = 0) -> GeneratedSeries:
    """The delayed feedback of Mackey and Glass (1977) with a delay of 17, in steps of 1.

    Args:
        length: Number N of points.
        seed: Not used.

    Raises:
        ImportError: If reservoirpy is not installed, with the command that installs it.
    """
    require_modules("reservoirpy")
    from reservoirpy import datasets

    points = datasets.mackey_glass(max(_GENERATED, length), seed=_HISTORY_SEED)
    return _autonomous(points[:length], "x")


def narma(length: int, order: int, seed: int = 0) -> tuple[Values, Values]:
    """A nonlinear average that is driven by noise (Atiya and Parlos 2000).

    ``y(t) = .3 y(t-1) + .05 y(t-1) sum_i y(t-1-i) + 1.5 u(t-n) u(t-1) + .1``, where i counts from 0
    to n - 1, and u is uniform in [0, .5). The first 200 points are left out.

    Args:
        length: Number N of points.
        order: The memory n, at least 1.
        seed: Of the noise.

    Returns:
        The noise u and the average y, each of shape ``(N,)``.

    Example:
        >>> noise, average = narma(5, order=10)
        >>> noise.shape, average.shape
        ((5,), (5,))
    """
    # Orders above 10 can run away, so that a draw is taken again until one does not.
    rng = np.random.default_rng(seed)
    while True:
        noise = rng.uniform(0, _DRIVE, _TRANSIENT + length)
        average = np.zeros(_TRANSIENT + length)
        with np.errstate(over="ignore", invalid="ignore"):
            for t in range(order, len(noise)):
                last, summed = average[t - 1], average[t - order : t].sum()
                product = noise[t - order] * noise[t - 1]
                average[t] = 0.3 * last + 0.05 * last * summed + 1.5 * product + 0.1
        if np.abs(average).max() < 10:
            return noise[_TRANSIENT:], average[_TRANSIENT:]


def narma5(length: int, seed: int = 0) -> GeneratedSeries:
    """The driven average :func:`narma` of order 5: to be told from the noise alone."""
    return _driven(*narma(length, 5, seed))


def narma10(length: int, seed: int = 0) -> GeneratedSeries:
    """The driven average :func:`narma` of order 10: to be told from the noise alone."""
    return _driven(*narma(length, 10, seed))


def damped_oscillation(length: int, seed: int = 0) -> GeneratedSeries:
    """Position and velocity of a pendulum of small angle: 20 points a period, 4 % lost in each.

    Args:
        length: Number N of points.
        seed: Not used.
    """
    decay = -np.log(0.96) / 20
    exponent = complex(-decay, 2 * np.pi / 20)
    motion = np.exp(exponent * np.arange(length))
    return _autonomous(
        np.stack([motion.real, (exponent * motion).real], axis=1), "position", "velocity"
    )


def bessel(length: int, seed: int = 0) -> GeneratedSeries:
    """The Bessel function of the first kind and order 2, in steps of 0.3 from 0.

    Args:
        length: Number N of points.
        seed: Not used.
    """
    from scipy.special import jv

    return _autonomous(jv(2, 0.3 * np.arange(length))[:, None], "x")


def sines(length: int, seed: int = 0) -> GeneratedSeries:
    """The sum of three sine waves of random periods from 8 to 40 points and random phases.

    Args:
        length: Number N of points.
        seed: Of periods and phases.
    """
    rng = np.random.default_rng(seed)
    periods, phases = rng.uniform(8, 40, 3), rng.uniform(0, 2 * np.pi, 3)
    waves = np.sin(2 * np.pi * np.arange(length)[:, None] / periods + phases)
    return _autonomous(waves.sum(1, keepdims=True), "x")


def _autonomous(columns: Values, *names: str) -> GeneratedSeries:
    """A series that is forecast from its own past."""
    columns = np.ascontiguousarray(columns, dtype=np.float64)
    return GeneratedSeries(columns, columns, names, names)


def _driven(noise: Values, average: Values) -> GeneratedSeries:
    return GeneratedSeries(noise[:, None], average[:, None], ("u",), ("y",))


GENERATORS: dict[str, Callable[[int, int], GeneratedSeries]] = {
    function.__name__.replace("_", "-"): cast(Callable[[int, int], GeneratedSeries], function)
    for function in (
        henon,
        lorenz,
        mackey_glass,
        narma5,
        narma10,
        damped_oscillation,
        bessel,
        sines,
    )
}
"""Every generator by its name on the command line."""
