"""Measures the times from which qrnn_circuits/simulation estimates those of whole passes.

Draws sizes of networks and batches of random symbols, times a forward and backward pass of each
strategy, the transfer strategy in either kind of buckets, and fits the time of each part to these,
in relative error, with no time below zero. One thread. Prints the constants as they are written in
qrnn_circuits/simulation/costs.py, and how far the fitted times are from the measured ones.

    python -m benchmarks.fit_costs [--minutes 4] [--seed 0]
"""

import argparse
import random
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.buckets import MOST_ROW_ENTRIES, train
from benchmarks.interleaved import interleaved_seconds
from qrnn_circuits import QRNN
from qrnn_circuits.simulation.costs import SECONDS, Counts
from qrnn_circuits.simulation.strategy import operator_counts, state_counts
from qrnn_circuits.simulation.transfer.buckets import distinct_pairs
from qrnn_circuits.simulation.transfer.costs import (
    MOST_ROW_AMPLITUDES,
    BucketKind,
    bucket_counts,
    recurrence_size,
)
from qrnn_circuits.simulation.transfer.products import operator_sequences

# Sizes beyond these are not drawn.
MOST_AMPLITUDES = 2**20
MOST_ENTRIES = 2**24


def measured(draw: random.Random) -> Iterator[tuple[Counts, float]]:
    """What there is of each part in the passes of a random size, and what they take."""
    workspace, lane, stages = draw.randint(1, 11), draw.choice((1, 2, 2, 3)), draw.randint(1, 3)
    batch, steps = (round(2 ** draw.uniform(0, 10)) for _ in range(2))
    if (
        batch * steps << workspace > MOST_AMPLITUDES
        or 1 << 2 * workspace + lane > MOST_ENTRIES
        or workspace + lane < 3
    ):
        return
    size, symbols = 2**workspace, 2**lane
    generator = torch.Generator().manual_seed(draw.randrange(2**31))
    inputs = torch.randint(symbols, (batch, steps), generator=generator)
    model = QRNN(lane=lane, workspace=workspace, stages=stages, generator=generator)
    kinds: list[BucketKind | None] = [None, "operator"]
    if batch * steps * size**2 <= MOST_ROW_ENTRIES and size <= MOST_ROW_AMPLITUDES:
        kinds.append("row")
    times = interleaved_seconds(
        {kind: partial(train, model, kind, inputs) for kind in kinds},
        repeats=5,
        most=0.5,
    )
    sequences = operator_sequences(
        inputs.numpy(),
        inputs.flip(1).numpy(),
        np.ones((batch, steps), dtype=bool),
        symbols,
        lambda *_: None,
    )
    run = recurrence_size(sequences, len(distinct_pairs(sequences, symbols)[0]), size)
    sizes = {"stages": stages, "symbols": symbols, "workspace": workspace}
    for kind, runs in times.items():
        seconds = min(runs)
        if kind is None:
            yield state_counts(**sizes, batch=batch, steps=steps), seconds
        else:
            counts = operator_counts(**sizes, batch=batch, steps=steps)
            yield counts | bucket_counts(kind, run), seconds


def fit(rows: list[tuple[Counts, float]]) -> tuple[dict[str, float], NDArray[np.float64]]:
    """The time of each part, and the fitted time of each row over the measured one."""
    from scipy.optimize import nnls

    parts = np.array([[counts.get(part, 0) for part in SECONDS] for counts, _ in rows])
    times = np.array([seconds for _, seconds in rows])
    weights = 1 / times
    for _ in range(10):
        found, _ = nnls(parts * weights[:, None], times * weights, maxiter=100_000)
        ratios = parts @ found / times
        # Rows that something else disturbed count by their distance, not by its square.
        distance = np.maximum(np.abs(np.log(np.maximum(ratios, 1e-6))), 0.05)
        weights = 1 / (np.maximum(times, parts @ found) * np.sqrt(distance))
    return dict(zip(SECONDS, found.tolist(), strict=True)), ratios


def main() -> None:
    """Prints the constants."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    draw = random.Random(arguments.seed)
    end = time.monotonic() + 60 * arguments.minutes
    rows: list[tuple[Counts, float]] = []
    while time.monotonic() < end:
        rows += measured(draw)
    constants, ratios = fit(rows)
    print("SECONDS: Mapping[str, float] = {")
    for part, seconds in constants.items():
        print(f'    "{part}": {seconds:.2g},')
    print("}")
    errors = np.quantile(np.maximum(ratios, 1 / ratios) - 1, (0.5, 0.9))
    print(
        f"\n{len(rows)} rows; half within {errors[0]:.0%} of the fit, nine in ten {errors[1]:.0%}"
    )


if __name__ == "__main__":
    main()
