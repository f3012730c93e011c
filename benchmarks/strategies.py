"""Times both strategies of a network on a grid of sizes, beside the one that "auto" takes.

Each row is one forward and backward pass, the median of several, both strategies in turn.

    python benchmarks/strategies.py [--repeats 5]
"""

import argparse
import statistics
import time
from itertools import product

import torch
from rich.console import Console
from rich.table import Table

from qrnn_circuits import QRNN
from qrnn_circuits.strategy import Strategy, cheaper_strategy

LANE, STAGES = 2, 2
# The state strategy keeps every amplitude of every gate for the backward pass.
MOST_AMPLITUDES = 2**28


def seconds(model: QRNN, strategy: Strategy, symbols: torch.Tensor) -> float:
    """Wall-clock time of one forward and backward pass."""
    model.strategy = strategy
    start = time.perf_counter()
    model.loss(symbols, symbols).backward()
    return time.perf_counter() - start


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    table = Table("W", "B", "T", "transfer [ms]", "state [ms]", "auto takes", "slower than best by")
    for workspace, batch, steps in product((2, 4, 6, 8, 10), (1, 10, 100), (1, 10, 100)):
        gates = workspace * (1 + 2 * STAGES)
        if gates * steps * batch * 2**workspace > MOST_AMPLITUDES:
            continue
        model = QRNN(lane=LANE, workspace=workspace, stages=STAGES)
        symbols = torch.randint(2**LANE, (batch, steps))
        times = {}
        for strategy in ("transfer", "state"):
            seconds(model, strategy, symbols)
        runs = [
            (seconds(model, "transfer", symbols), seconds(model, "state", symbols))
            for _ in range(repeats)
        ]
        for strategy, column in zip(("transfer", "state"), zip(*runs, strict=True), strict=True):
            times[strategy] = statistics.median(column)
        auto = cheaper_strategy(
            gates=gates, symbols=2**LANE, workspace=workspace, batch=batch, steps=steps
        )
        table.add_row(
            *map(str, (workspace, batch, steps)),
            *(f"{1000 * times[strategy]:.1f}" for strategy in ("transfer", "state")),
            auto,
            f"{times[auto] / min(times.values()) - 1:.0%}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
