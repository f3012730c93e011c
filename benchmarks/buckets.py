"""Times either kind of buckets of the transfer strategy beside the one that is taken.

Each row is one forward and backward pass on random symbols with every step scored: the median of
several, both kinds in turn, on one thread. The kinds are those of
qrnn_circuits/simulation/transfer/buckets.py: a bucket for each row, or one for each operator. The
last line counts how often the kind taken is as fast as the faster one. Prints Markdown; takes about
a minute.

    python -m benchmarks.buckets [--repeats 5] [--lane 2]
"""

import argparse
import statistics
from functools import partial
from itertools import product
from unittest import mock

import torch

from benchmarks.interleaved import interleaved_seconds, summary
from qrnn_circuits import QRNN
from qrnn_circuits.simulation.transfer import batch_plan
from qrnn_circuits.simulation.transfer.buckets import OperatorBuckets
from qrnn_circuits.simulation.transfer.costs import BucketKind

# Of the states of all steps.
MOST_AMPLITUDES = 2**20
# Of the operators that all rows of all steps meet.
MOST_ROW_ENTRIES = 2**28


def train(model: QRNN, kind: BucketKind | None, inputs: torch.Tensor) -> None:
    """One forward and backward pass in some kind of buckets, or with the state strategy."""
    model.strategy = "state" if kind is None else "transfer"
    # Plans of the other kind must not be remembered.
    with mock.patch.multiple(
        batch_plan, worthwhile_buckets=lambda *_: kind, MOST_REMEMBERED_SYMBOLS=0
    ):
        model.loss(inputs, inputs.flip(1)).backward()


def taken(inputs: torch.Tensor, symbols: int, size: int) -> BucketKind:
    """The kind of buckets that a network takes."""
    plan = batch_plan.batch_plan(
        inputs, inputs.flip(1), None, symbols=symbols, size=size, scale_every=1
    )
    return "operator" if isinstance(plan.buckets, OperatorBuckets) else "row"


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--lane", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lane = arguments.lane
    print(f"I = {lane}, one stage, degree 2, one thread; milliseconds\n")
    print("| W | B | T | row | operator | taken | slower than the faster by |")
    print("| ---: " * 5 + "| --- | ---: |")
    excesses = []
    for workspace, batch, steps in product((2, 4, 5, 6, 7, 8, 9), (1, 4, 16, 64, 256), (10, 100)):
        if batch * steps << workspace > MOST_AMPLITUDES:
            continue
        entries = batch * steps << 2 * workspace
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randint(2**lane, (batch, steps), generator=generator)
        model = QRNN(lane=lane, workspace=workspace, generator=generator)
        kind = taken(inputs, 2**lane, 2**workspace)
        kinds: set[BucketKind] = {"operator", kind}
        if entries <= MOST_ROW_ENTRIES:
            kinds.add("row")
        ways = {way: partial(train, model, way, inputs) for way in sorted(kinds)}
        runs = interleaved_seconds(ways, arguments.repeats, most=0.5)
        times = {way: statistics.median(seconds) for way, seconds in runs.items()}
        excesses.append(times[kind] / min(times.values()) - 1)
        row = f"{1e3 * times['row']:.1f}" if "row" in times else ""
        print(
            f"| {workspace} | {batch} | {steps} | {row} | {1e3 * times['operator']:.1f} | {kind} | "
            f"{excesses[-1]:.0%} |",
            flush=True,
        )
    print(f"\n{summary(excesses)}")


if __name__ == "__main__":
    main()
