"""Measures quantum reservoirs beside ridge regression on windows of the same inputs.

Three kinds of features, equally many of each: the populations of a frozen recurrent circuit of
random angles (the default cell of QuantumReservoir), exact and estimated from shots, with inputs
brought to [0, scale]; the last inputs; and the last few inputs with all products of two. Each is
read out by ridge regression whose penalty is chosen by leaving one step out. Test error over
variance (NMSE) on NARMA-5 and NARMA-10, from the noise alone, and on Mackey-Glass 70 steps ahead,
after 200 steps of washout, 2,000 of training and 1,000 of test; and the capacities for polynomials
of degree 1 (the short-term memory capacity), 2 and 3 of uniform inputs, on 4,000 steps. Each seed
draws a circuit and the series. Prints the median of all seeds and the worst one, in Markdown; takes
about twenty minutes.

    python -m benchmarks.reservoir [--features 64 128] [--scales 0.1 0.3] [--shots 10000]
        [--seeds 10]
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import PolynomialFeatures

from benchmarks.tables import print_head, print_row
from qrnn_circuits import QuantumReservoir, RecurrentCircuitLayer
from qrnn_circuits.layers import information_processing_capacity
from qrnn_circuits.tasks.series_generators import mackey_glass, narma

Values = NDArray[np.float64]
Features = Callable[[list[Values], int], list[Values]]

WASHOUT, TRAINING, TEST, HORIZON = 200, 2000, 1000, 70
LENGTH = WASHOUT + TRAINING + TEST
LONGEST_DELAYS, CAPACITY_STEPS = (130, 25, 10), 4000
COLUMNS = ("NARMA-5", "NARMA-10", "Mackey-Glass", "degree 1", "degree 2", "degree 3", "all")


def populations(size: int, scale: float) -> Features:
    """The features of a reservoir, with inputs brought from [0, 1] to [0, scale]."""

    def features(inputs: list[Values], seed: int) -> list[Values]:
        layer = RecurrentCircuitLayer(
            1,
            size,
            depth=3,
            readout="populations",
            generator=torch.Generator().manual_seed(seed),
            dtype=torch.float64,
        )
        return list(QuantumReservoir(layer).transform([scale * one[:, None] for one in inputs]))

    return features


def sampled(exact: Values, shots: int, seed: int) -> Values:
    """Populations as so many shots of each step's circuit estimate them."""
    rows = np.maximum(exact, 0)
    rows /= rows.sum(1, keepdims=True)
    return np.random.default_rng([seed, 2]).multinomial(shots, rows) / shots


def window(size: int) -> Features:
    """The last inputs."""

    def features(inputs: list[Values], seed: int) -> list[Values]:
        padded = [np.concatenate((np.zeros(size - 1), one)) for one in inputs]
        return [np.lib.stride_tricks.sliding_window_view(one, size) for one in padded]

    return features


def products(size: int) -> Features:
    """The last inputs and their products: the longest window with at most so many features."""
    longest = 1
    while (longest + 1) * (longest + 4) // 2 <= size:
        longest += 1

    def features(inputs: list[Values], seed: int) -> list[Values]:
        of_two = PolynomialFeatures(2, include_bias=False)
        return [of_two.fit_transform(rows) for rows in window(longest)(inputs, seed)]

    return features


def series(seed: int) -> list[tuple[Values, Values]]:
    """Inputs in [0, 1] and targets of each task."""
    tasks = []
    for order in (5, 10):
        noise, average = narma(LENGTH, order, seed)
        tasks.append((2 * noise, average))
    feedback = mackey_glass(LENGTH + HORIZON).inputs[:, 0]
    least, greatest = feedback[: WASHOUT + TRAINING].min(), feedback[: WASHOUT + TRAINING].max()
    scaled = ((feedback - least) / (greatest - least)).clip(0, 1)
    tasks.append((scaled[:LENGTH], feedback[HORIZON:]))
    return tasks


def error(features: Values, targets: Values) -> float:
    """Mean squared error on the test steps over their variance."""
    seen, test = slice(WASHOUT, WASHOUT + TRAINING), slice(WASHOUT + TRAINING, None)
    readout = RidgeCV(alphas=np.logspace(-10, 2, 13)).fit(features[seen], targets[seen])
    missed = readout.predict(features[test]) - targets[test]
    return float((missed**2).mean() / targets[test].var())


def capacities(features: Values, inputs: Values) -> list[float]:
    """Those of each degree, and the sum."""
    found = information_processing_capacity(
        features[WASHOUT:], inputs[WASHOUT:], longest_delays=LONGEST_DELAYS
    )
    degrees = range(1, len(LONGEST_DELAYS) + 1)
    sums = [sum(of for delays, of in found.items() if len(delays) == one) for one in degrees]
    return [*sums, sum(sums)]


def measure(features: Features, seed: int, shots: Sequence[int]) -> list[list[float]]:
    """The figures of one seed, exactly, and with each number of shots."""
    tasks = series(seed)
    drive = np.random.default_rng([seed, 1]).uniform(size=WASHOUT + CAPACITY_STEPS)
    exact = features([*(inputs for inputs, _ in tasks), drive], seed)
    ways = [exact, *([sampled(rows, number, seed) for rows in exact] for number in shots)]
    return [
        [
            *(error(rows, targets) for rows, (_, targets) in zip(way[:-1], tasks, strict=True)),
            *capacities(way[-1], drive),
        ]
        for way in ways
    ]


def cell(values: Values, *, is_error: bool) -> str:
    """The median and the worst."""
    worst = values.max() if is_error else values.min()
    numbers = np.median(values), worst
    return "{} ({})".format(
        *(f"{number:.2g}" if is_error else f"{number:.1f}" for number in numbers)
    )


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--shots", type=int, nargs="*", default=[10_000])
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_head(["Features", *COLUMNS])
    for size in arguments.features:
        kinds = {
            **{
                f"populations, inputs to {scale:g}": populations(size, scale)
                for scale in arguments.scales
            },
            "last inputs": window(size),
            "products": products(size),
        }
        for name, features in kinds.items():
            shots = arguments.shots if name.startswith("populations") else []
            names = [f"{size} {name}", *(f"{size} {name}, {number:,} shots" for number in shots)]
            runs = np.array([measure(features, seed, shots) for seed in range(arguments.seeds)])
            for place, row in enumerate(names):
                shown = [
                    cell(runs[:, place, column], is_error=column < len(COLUMNS) - 4)
                    for column in range(len(COLUMNS))
                ]
                print_row([row, *shown])


if __name__ == "__main__":
    main()
