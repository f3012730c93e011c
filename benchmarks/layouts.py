"""Times the layouts of the transfer strategy's recurrence beside the one that is taken.

Each row is one forward and backward pass on random symbols with every step scored: the median of
several, all layouts in turn, on one thread. The layouts are those of qrnn_circuits/layouts.py, with
the quickest of the sizes of chunks. The last line counts how often the layout taken is as fast as
the fastest one. Prints Markdown; takes about a minute.

    python -m benchmarks.layouts [--repeats 5] [--lane 2]
"""

import argparse
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any
from unittest import mock

import torch

from benchmarks.interleaved import interleaved_seconds
from qrnn_circuits import QRNN
from qrnn_circuits.simulation.costs import (
    CHUNK_SIZES,
    LayoutChoice,
    worthwhile_layout,
)
from qrnn_circuits.simulation.transfer import plan as batch_plan
from qrnn_circuits.simulation.transfer.layouts import tokens_of
from qrnn_circuits.simulation.transfer.products import OperatorSequences

# Of the states of all steps.
MOST_AMPLITUDES = 2**20
# Of the operators that all rows or chunks of all steps copy.
MOST_ROW_ENTRIES, MOST_CHUNK_ENTRIES = 2**25, 2**26
TOLERANCE = 0.2


@contextmanager
def layout_taken(choice: LayoutChoice) -> Iterator[None]:
    """Runs the transfer strategy in some layout, whatever it costs."""

    def choose(sequences: OperatorSequences, symbols: int, size: int) -> Any:  # noqa: ANN401
        return *choice, tokens_of(sequences, symbols)

    # Plans of other layouts must not be remembered.
    with mock.patch.multiple(batch_plan, worthwhile_layout=choose, MOST_REMEMBERED_SYMBOLS=0):
        yield


def train(model: QRNN, choice: LayoutChoice | None, inputs: torch.Tensor) -> None:
    """One forward and backward pass in some layout, or with the state strategy."""
    model.strategy = "state" if choice is None else "transfer"
    with layout_taken(choice or ("grouped", 0)):
        model.loss(inputs, inputs.flip(1)).backward()


def taken(model: QRNN, inputs: torch.Tensor) -> LayoutChoice:
    """The layout that the network takes."""
    found: list[LayoutChoice] = []

    def note(sequences: OperatorSequences, symbols: int, size: int) -> Any:  # noqa: ANN401
        kind, chunk, tokens = worthwhile_layout(sequences, symbols, size)
        found.append((kind, chunk))
        return kind, chunk, tokens

    model.strategy = "transfer"
    with (
        mock.patch.multiple(batch_plan, worthwhile_layout=note, MOST_REMEMBERED_SYMBOLS=0),
        torch.no_grad(),
    ):
        model.loss(inputs, inputs.flip(1))
    return found[0]


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
    print("| W | B | T | rows | chunked | of | grouped | taken | slower than the fastest by |")
    print("| ---: " * 7 + "| --- | ---: |")
    excesses = []
    for workspace, batch, steps in product((2, 4, 5, 6, 7, 8, 9), (1, 4, 16, 64, 256), (10, 100)):
        if batch * steps << workspace > MOST_AMPLITUDES:
            continue
        entries = batch * steps << 2 * workspace
        choices: list[LayoutChoice] = [("grouped", 0)]
        if entries <= MOST_ROW_ENTRIES:
            choices.append(("rows", 1))
        if batch > 1 and entries <= MOST_CHUNK_ENTRIES:
            choices += [("chunked", size) for size in CHUNK_SIZES]
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randint(2**lane, (batch, steps), generator=generator)
        model = QRNN(lane=lane, workspace=workspace, generator=generator)
        choice = taken(model, inputs)
        if choice not in choices:
            choices.append(choice)
        ways = {choice: partial(train, model, choice, inputs) for choice in choices}
        runs = interleaved_seconds(ways, arguments.repeats, most=0.5)
        times = {way: statistics.median(seconds) for way, seconds in runs.items()}
        excesses.append(times[choice] / min(times.values()) - 1)
        chunked = {size: time for (kind, size), time in times.items() if kind == "chunked"}
        best = min(chunked, key=lambda size: chunked[size], default=0)
        cells = [
            f"{1e3 * times['rows', 1]:.1f}" if ("rows", 1) in times else "",
            f"{1e3 * chunked[best]:.1f}" if chunked else "",
            f"{best}" if chunked else "",
            f"{1e3 * times['grouped', 0]:.1f}",
            f"{choice[0]}, {choice[1]}" if choice[0] == "chunked" else choice[0],
            f"{excesses[-1]:.0%}",
        ]
        print(f"| {workspace} | {batch} | {steps} | {' | '.join(cells)} |", flush=True)
    near = sum(excess <= TOLERANCE for excess in excesses)
    print(
        f"\n{near} of {len(excesses)} within {TOLERANCE:.0%} of the fastest; at worst "
        f"{max(excesses):.0%} slower"
    )


if __name__ == "__main__":
    main()
