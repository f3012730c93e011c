"""Times one training step (forward, backward, Adam) against the paper's code and against the floor.

Eight configurations: six that the paper trained or searched, a DNA sequence of 1,000 steps, and the
generator of digits. The published times are those of the code released with Bausch,
arXiv:2006.14619, on a machine with two cores (forward and backward, without the optimiser); they
are figures here, that code does not run. The target is the time that each step is to stay below.

The floor is that of the plain transfer algorithm: the FLOPs of its matrix products at the rate of
the fastest product of these sizes on this machine, and the bytes that its gates must pass over at
the bandwidth of a copy, both measured in the same run. See :func:`plain_work` for the counts. An
algorithm that takes a common beginning of several sequences once can be below it. The last column
is the time of the recurrence's 2 * T products alone, each waiting for the one before: what is below
that takes several steps in one product.

Sequences that begin alike or hold few different symbols may be faster than others. By default the
batches are the tasks' own. Digits come from ``--data``; without it, from stand-ins of the same
shape: scikit-learn's 8x8 digits with a border of one pixel, and their two principal components for
the embedding. ``--symbols random`` takes random inputs and outcomes throughout: the worst case.

Takes a minute or two on two cores. Prints Markdown.

    python -m benchmarks.training_step [--repeats 30] [--data DIR] [--symbols random] [--threads 2]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.tables import print_head, print_row
from qrnn_circuits import QRNN
from qrnn_circuits.tasks import Batch, Digits, Dna, Memorise, Task, Xor
from qrnn_circuits.tasks.digit_data import EMBEDDED_SIDE, DigitSplit, load_embedded
from qrnn_circuits.tasks.images import scan, unscan
from qrnn_circuits.threads import worthwhile_threads

WARM_UP = 10
# Training does not see the same batch twice in a row.
BATCHES = 4


@dataclass(frozen=True)
class Configuration:
    """A network and its batches.

    Attributes:
        name: As it is printed.
        task: Makes the task from the folder of the digits.
        workspace: Number W of workspace wires.
        stages: Number of work stages.
        degree: Degree of the neurons' polynomials.
        batch: Number B of sequences.
        target: Milliseconds that a step is to stay below.
        published: Milliseconds of the paper's code, forward and backward.
    """

    name: str
    task: Callable[[str], Task]
    workspace: int
    stages: int
    degree: int
    batch: int
    target: float | None = None
    published: float | None = None


CONFIGURATIONS = (
    Configuration("memorise", lambda _: Memorise(), 5, 2, 3, 2, 2.8, 277),
    Configuration("xor", lambda _: Xor(), 4, 1, 3, 8, 3.5, 345),
    Configuration("xor-large", lambda _: Xor(), 6, 3, 4, 8, 10, 996),
    Configuration("dna-50", lambda _: Dna(length=50), 5, 1, 3, 128, 40, 8300),
    Configuration("mnist-pair", lambda data: Digits(data=data), 8, 2, 2, 100, 150, 21800),
    Configuration(
        "mnist-umap",
        # Five bits of each coordinate and two symbols of a label: six steps.
        lambda data: Digits(digits="0-9", reduce="umap", resolution=5, data=data),
        6,
        2,
        3,
        160,
        7,
        702,
    ),
    Configuration("dna-1000", lambda _: Dna(length=1000), 5, 1, 3, 128),
    Configuration("mnist-generate", lambda data: Digits(generate=True, data=data), 10, 2, 2, 50),
)


@dataclass(frozen=True)
class Work:
    """What an algorithm has to do at least.

    Attributes:
        flops: Of matrix products.
        bytes: Read or written.
    """

    flops: int
    bytes: int


def plain_work(*, workspace: int, lane: int, stages: int, batch: int, steps: int) -> Work:
    """The work of one forward and backward pass of the plain transfer algorithm in float32.

    With ``N = 2**W`` amplitudes and ``S = 2**I`` input symbols:

    - Building the S operators pushes S identities of ``N**2`` entries through ``W * (1 + stages)``
      neurons and ``W * stages`` rotations. Each gate reads and writes all entries, once forward,
      and backward once for the operators, which it undoes, and once for their gradients: six
      passes over ``S * N**2`` entries.
    - Each of B * T steps is a product of a state and an operator, ``2 * N**2`` FLOPs. Backward one
      with the transposed operator makes the state's gradient, and an outer product the operator's:
      ``6 * N**2`` in all.
    - The states are written forward and read backward; so are their gradients, which the operators'
      gradients need: four passes over ``B * T * N`` entries.

    The polynomials' tables, the readout and the optimiser are left out: they are small beside it.

    Args:
        workspace: Number W of workspace wires.
        lane: Number I of lane wires.
        stages: Number of work stages.
        batch: Number B of sequences.
        steps: Number T of steps.
    """
    size = 2**workspace
    gates = workspace * (1 + 2 * stages)
    entries = 6 * gates * 2**lane * size**2 + 4 * batch * steps * size
    return Work(flops=6 * batch * steps * size**2, bytes=4 * entries)


def median_seconds(action: Callable[[], object]) -> float:
    """Median time of one call of seven repeats, each of as many calls as fill 2 ms."""
    action()
    start = time.perf_counter()
    action()
    calls = max(1, round(2e-3 / (time.perf_counter() - start)))

    def one_repeat() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            action()
        return (time.perf_counter() - start) / calls

    return statistics.median(one_repeat() for _ in range(7))


def product_seconds(symbols: int, rows: int, size: int) -> float:
    """Time of products of ``rows`` states with one operator for each input symbol."""
    states, operators = torch.randn(symbols, rows, size), torch.randn(symbols, size, size)
    out = torch.empty_like(states)
    return median_seconds(lambda: torch.bmm(states, operators, out=out))


def floor_seconds(work: Work, symbols: int, rows: int, size: int) -> float:
    """Time of this work, at the rate of the fastest product and of a copy of the operators."""
    rates = [
        2 * symbols * many * size**2 / product_seconds(symbols, many, size)
        for many in {rows, size, 4 * size}
    ]
    source = torch.randn(symbols, size, size)
    target = torch.empty_like(source)
    copied = 2 * source.nbytes / median_seconds(lambda: target.copy_(source))
    return work.flops / max(rates) + work.bytes / copied


def step_seconds(model: QRNN, batches: list[Batch], repeats: int) -> list[float]:
    """Times of training steps."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    times = []
    for repeat in range(WARM_UP + repeats):
        batch = batches[repeat % len(batches)]
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = model.loss(batch.inputs, batch.outcomes, batch.scored)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - start)
    return times[WARM_UP:]


def draw_batches(task: Task, size: int, symbols: str) -> list[Batch]:
    """Batches of the task, or of random symbols with the task's scored steps."""
    generator = torch.Generator().manual_seed(0)
    batches = [task.batch(size, generator) for _ in range(BATCHES)]
    if symbols == "task":
        return batches

    def random(like: torch.Tensor) -> torch.Tensor:
        return torch.randint(2**task.lane, like.shape, generator=generator)

    return [Batch(random(b.inputs), random(b.outcomes), b.scored) for b in batches]


def write_stand_ins(folder: Path) -> None:
    """Writes scikit-learn's digits as files of the names and shapes of the prepared MNIST files."""
    from sklearn.decomposition import PCA

    splits = load_embedded()
    named = {"train": splits.train, "validate": splits.validation, "test": splits.test}

    def images(split: DigitSplit) -> NDArray[np.bool_]:
        ink = unscan(split.features, EMBEDDED_SIDE).numpy() < 0.5
        return np.pad(ink, ((0, 0), (1, 1), (1, 1)))

    digits = {f"y_{name}": split.digits.numpy().astype(np.uint8) for name, split in named.items()}
    # The files pack a third scan, which is unused, into the lowest bit.
    pixels = {f"x_{name}": scan(images(split)).numpy() << 1 for name, split in named.items()}
    np.savez(folder / "mnist-10x10.npz", allow_pickle=False, **pixels, **digits)
    plane = PCA(2).fit(images(splits.train).reshape(len(splits.train.digits), -1))
    points = {
        name: plane.transform(images(split).reshape(len(split.digits), -1))
        for name, split in named.items()
    }
    least, greatest = points["train"].min(0), points["train"].max(0)
    coordinates = {
        f"x_{name}": (255 * (point - least) / (greatest - least)).clip(0, 255).astype(np.uint8)
        for name, point in points.items()
    }
    np.savez(folder / "mnist-umap-2.npz", allow_pickle=False, **coordinates, **digits)


def measure(configuration: Configuration, task: Task, arguments: argparse.Namespace) -> None:
    """Measures one configuration and prints its row."""
    workspace, lane, stages = configuration.workspace, task.lane, configuration.stages
    model = QRNN(
        lane=lane,
        workspace=workspace,
        stages=stages,
        degree=configuration.degree,
        generator=torch.Generator().manual_seed(0),
    )
    batches = draw_batches(task, configuration.batch, arguments.symbols)
    steps = batches[0].inputs.shape[1]
    symbols, size = 2**lane, 2**workspace
    rows = -(-configuration.batch // symbols)
    work = plain_work(
        workspace=workspace, lane=lane, stages=stages, batch=configuration.batch, steps=steps
    )
    given = arguments.threads is not None
    with nullcontext() if given else worthwhile_threads(model, configuration.batch, steps):
        threads = torch.get_num_threads()
        times = step_seconds(model, batches, arguments.repeats)
        floor = 1e3 * floor_seconds(work, symbols, rows, size)
        products = 1e3 * 2 * steps * product_seconds(min(symbols, configuration.batch), rows, size)
    low, median, high = (1e3 * quartile for quartile in statistics.quantiles(times, n=4))
    target, published = configuration.target, configuration.published
    cells = [
        configuration.name,
        f"{workspace}, {lane}, {stages}, {configuration.degree}",
        f"{configuration.batch}, {steps}",
        f"{threads}",
        f"{median:.2f}",
        f"{low:.2f} to {high:.2f}",
        "" if target is None else f"{target:g}",
        "" if published is None else f"{published:,.0f}",
        "" if published is None else f"{published / median:.0f}x",
        f"{floor:.3g}",
        f"{median / floor:.1f}x",
        f"{products:.3g}",
    ]
    print_row(cells)


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [configuration.name for configuration in CONFIGURATIONS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=30, help="timed steps, at least 2")
    parser.add_argument("--data", type=Path, help="folder with the prepared MNIST files")
    parser.add_argument("--symbols", choices=("task", "random"), default="task")
    parser.add_argument("--threads", type=int, help="of torch; by default as many as pay off")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"--repeats must be at least 2, got {arguments.repeats}")
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)

    digits = "stand-ins" if arguments.data is None else "MNIST"
    print(
        f"{os.cpu_count()} cores, at most {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {sys.version.split()[0]}, float32, "
        f"{arguments.repeats} steps; "
        + ("random symbols" if arguments.symbols == "random" else f"digits: {digits}")
        + "\n"
    )
    columns = [
        "step",
        "W, I, stages, degree",
        "B, T",
        "threads",
        "median [ms]",
        "quartiles [ms]",
        "target [ms]",
        "paper's code [ms]",
        "ratio",
        "floor [ms]",
        "above the floor",
        "2T products [ms]",
    ]
    print_head(columns, texts=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data
        if folder is None:
            folder = Path(temporary)
            write_stand_ins(folder)
        for configuration in CONFIGURATIONS:
            if configuration.name in arguments.only:
                measure(configuration, configuration.task(str(folder)), arguments)


if __name__ == "__main__":
    main()
