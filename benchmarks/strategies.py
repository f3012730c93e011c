"""Times both strategies of a network on a grid of sizes, beside the one that "auto" takes.

Each row is one forward and backward pass on random symbols with every step scored, or only the last
one: the median of several, both strategies in turn, on one thread. Rows in which one strategy would
take far longer than the limits below are left out. The last line counts how often "auto" is as
fast as the faster one. Prints Markdown; takes about ten minutes, ``--quick`` one.

    python -m benchmarks.strategies [--repeats 5] [--lane 2] [--stages 2] [--scored all] [--quick]
"""

import argparse
import statistics
from functools import partial
from itertools import product

import torch

from benchmarks.interleaved import interleaved_seconds, summary
from qrnn_circuits import QRNN

STRATEGIES = ("transfer", "state")
# Of the states of all steps, of the operators, and of the gates of all steps.
MOST_AMPLITUDES = 2**21
MOST_ENTRIES = 2**25
MOST_GATES = 60_000


def step(model: QRNN, strategy: str, symbols: torch.Tensor, scored: torch.Tensor) -> None:
    """One forward and backward pass."""
    model.strategy = strategy
    model.loss(symbols, symbols, scored).backward()


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--lane", type=int, default=2)
    parser.add_argument("--stages", type=int, default=2)
    parser.add_argument("--scored", choices=("all", "last"), default="all")
    parser.add_argument("--quick", action="store_true", help="a small part of the grid")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lane, stages = arguments.lane, arguments.stages
    wires = (2, 5, 8, 9, 10) if arguments.quick else range(2, 15)
    decades = (1, 10, 100) if arguments.quick else (1, 10, 100, 1000)
    print(f"I = {lane}, {stages} stages, degree 2, {arguments.scored} steps scored, one thread\n")
    print("| W | B | T | transfer [ms] | state [ms] | auto takes | slower than the faster by |")
    print("| ---: | ---: | ---: | ---: | ---: | --- | ---: |")
    excesses = []
    for workspace, batch, steps in product(wires, decades, decades):
        gates = workspace * (1 + 2 * stages)
        if (
            batch * steps << workspace > MOST_AMPLITUDES
            or 1 << 2 * workspace + lane > MOST_ENTRIES
            or steps * gates > MOST_GATES
        ):
            continue
        model = QRNN(lane=lane, workspace=workspace, stages=stages)
        generator = torch.Generator().manual_seed(0)
        symbols = torch.randint(2**lane, (batch, steps), generator=generator)
        scored = torch.full_like(symbols, arguments.scored == "all", dtype=torch.bool)
        scored[:, -1] = True
        ways = {
            strategy: partial(step, model, strategy, symbols, scored) for strategy in STRATEGIES
        }
        runs = interleaved_seconds(ways, arguments.repeats, most=2)
        times = {way: statistics.median(seconds) for way, seconds in runs.items()}
        model.strategy = "auto"
        auto = model.chosen_strategy(batch, steps)
        excesses.append(times[auto] / min(times.values()) - 1)
        milliseconds = " | ".join(f"{1e3 * times[strategy]:.1f}" for strategy in STRATEGIES)
        print(
            f"| {workspace} | {batch} | {steps} | {milliseconds} | {auto} | {excesses[-1]:.0%} |",
            flush=True,
        )
    print(f"\n{summary(excesses)}")


if __name__ == "__main__":
    main()
