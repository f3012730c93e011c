"""Measures time and peak memory of a training step against the workspace, the steps and the batch.

Each point is a fresh process: a network with a lane of two wires, one work stage, order 2 and
degree 2 is trained on random symbols (loss, backward, Adam). The time is the median of several
steps after a first one. The memory is the highest resident size of the process less that after a
step of the smallest network, so that it holds parameters, tables and states, but not torch. Beside
it stands the size of one float32 state for each sequence and step.

Prints Markdown, each row as soon as it is known; draws scaling.png into ``--out``. The full grid
takes up to an hour, ``--quick`` one or two minutes.

    python benchmarks/scaling.py --out DIR [--quick] [--strategy auto] [--repeats 5] [--timeout 300]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

LANE = 2
MEBIBYTE = 2**20
# Below this the resident size changes from run to run.
LEAST_MEBIBYTES = 0.25

Strategy = Literal["auto", "transfer", "state"]


@dataclass(frozen=True)
class Point:
    """One size of network and batch.

    Attributes:
        workspace: Number W of workspace wires.
        batch: Number B of sequences.
        steps: Number T of steps.
    """

    workspace: int
    batch: int
    steps: int

    @property
    def states(self) -> float:
        """Mebibytes of one state for each sequence and step."""
        return 4 * self.batch * self.steps * (1 << self.workspace) / MEBIBYTE


@dataclass(frozen=True)
class Measurement:
    """What a training step takes.

    Attributes:
        milliseconds: Median over several steps.
        mebibytes: Peak memory.
    """

    milliseconds: float
    mebibytes: float


@dataclass(frozen=True)
class Sweep:
    """Points of which one size varies, for one curve of a plot.

    Attributes:
        axis: The size that varies.
        name: Of the curve.
        points: In order.
    """

    axis: Literal["workspace", "steps", "batch"]
    name: str
    points: list[Point]


LABELS = {"workspace": "workspace wires W", "steps": "steps T", "batch": "sequences B"}


def sweeps(*, quick: bool) -> list[Sweep]:
    """The grid."""
    wires = (1, 4, 8, 12) if quick else (1, *range(2, 21, 2))
    decades = (10, 100, 1000) if quick else (10, 30, 100, 300, 1000, 3000, 10_000)
    batches = (1, 10, 100) if quick else (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
    sizes = (4,) if quick else (4, 8)
    return [
        Sweep("workspace", "B = 1, T = 10", [Point(wire, 1, 10) for wire in wires]),
        *(Sweep("steps", f"W = {w}, B = 10", [Point(w, 10, t) for t in decades]) for w in sizes),
        *(Sweep("batch", f"W = {w}, T = 20", [Point(w, b, 20) for b in batches]) for w in sizes),
    ]


def take_steps(point: Point, strategy: Strategy, repeats: int) -> list[float]:
    """Trains for one step and some more, in this process.

    Returns:
        The seconds of each step but the first.
    """
    import torch

    from qrnn_circuits import QRNN

    generator = torch.Generator().manual_seed(0)
    model = QRNN(lane=LANE, workspace=point.workspace, strategy=strategy, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, fused=True)
    inputs, outcomes = torch.randint(2**LANE, (2, point.batch, point.steps), generator=generator)
    times = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        optimizer.zero_grad()
        model.loss(inputs, outcomes).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return times[1:]


def peak_mebibytes() -> float:
    """Highest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MEBIBYTE if sys.platform == "darwin" else 1024)


def measure_here(point: Point, strategy: Strategy, repeats: int) -> Measurement:
    """Measures a point in this process, which should be a fresh one."""
    take_steps(Point(1, 1, 2), strategy, 1)
    before = peak_mebibytes()
    seconds = statistics.median(take_steps(point, strategy, repeats))
    return Measurement(1000 * seconds, peak_mebibytes() - before)


def measure(point: Point, strategy: Strategy, repeats: int, timeout: float) -> Measurement | str:
    """Measures a point in a fresh process, or says why there is no measurement."""
    job = json.dumps({"point": asdict(point), "strategy": strategy, "repeats": repeats})
    command = [sys.executable, __file__, "--job", job]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"> {timeout:g} s"
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return reason[0]
    return Measurement(**json.loads(done.stdout))


def draw(curves: list[tuple[Sweep, list[tuple[Point, Measurement]]]], path: Path) -> None:
    """Draws time and memory against each of the three sizes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        2, 3, figsize=(12, 7), sharex="col", sharey="row", layout="constrained"
    )
    for column, (axis, label) in enumerate(LABELS.items()):
        upper, lower = axes[:, column]
        group = [(sweep, found) for sweep, found in curves if sweep.axis == axis and found]
        for position, (sweep, found) in enumerate(group):
            style = {"color": f"C{position}", "markersize": 4, "label": sweep.name}
            sizes = [getattr(point, axis) for point, _ in found]
            times = [measurement.milliseconds for _, measurement in found]
            upper.plot(sizes, times, "o-", **style)
            memory = [max(measurement.mebibytes, LEAST_MEBIBYTES) for _, measurement in found]
            lower.plot(sizes, memory, "o-", **style)
            states = [point.states for point, _ in found]
            lower.plot(sizes, states, ":", color=style["color"])
            if axis != "workspace":
                linear = [times[-1] * size / sizes[-1] for size in sizes]
                upper.plot(sizes, linear, "--", color="0.6", linewidth=1, zorder=0)
        if axis != "workspace":
            upper.plot([], [], "--", color="0.6", linewidth=1, label="linear")
            upper.set_xscale("log")
        lower.plot([], [], ":", color="0.3", label="one state a sequence and step")
        lower.set_xlabel(label)
        for part in (upper, lower):
            part.set_yscale("log")
            part.yaxis.set_major_formatter("{x:,g}")
            part.grid(True, linewidth=0.4, color="0.85")
            part.legend(frameon=False, fontsize=8, loc="upper left")
    axes[0, 0].set_xticks(range(0, 21, 4))
    fastest = min(
        (measurement.milliseconds for _, found in curves for _, measurement in found), default=1
    )
    axes[0, 0].set_ylim(bottom=fastest / 2)
    axes[0, 0].set_ylabel("time of a training step [ms]")
    axes[1, 0].set_ylabel("peak memory [MiB]")
    axes[1, 0].set_ylim(bottom=LEAST_MEBIBYTES)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    """Prints the table and draws the plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the plots")
    parser.add_argument("--quick", action="store_true", help="a small part of the grid")
    parser.add_argument("--strategy", choices=("auto", "transfer", "state"), default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each point")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job is not None:
        job = json.loads(arguments.job)
        measured = measure_here(Point(**job["point"]), job["strategy"], job["repeats"])
        print(json.dumps(asdict(measured)))
        return

    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"Strategy {arguments.strategy}, {os.environ.get('OMP_NUM_THREADS', 'all')} threads\n")
    print("| varied | W | B | T | time [ms] | memory [MiB] | one state a step [MiB] |")
    print("| --- " + "| ---: " * 6 + "|")
    curves = []
    for sweep in sweeps(quick=arguments.quick):
        found = []
        for point in sweep.points:
            result = measure(point, arguments.strategy, arguments.repeats, arguments.timeout)
            if isinstance(result, Measurement):
                found.append((point, result))
                cells = f"{result.milliseconds:,.1f} | {result.mebibytes:,.1f}"
            else:
                cells = f"{result} | "
            print(
                f"| {LABELS[sweep.axis]} | {point.workspace} | {point.batch:,} | {point.steps:,} | "
                f"{cells} | {point.states:,.1f} |",
                flush=True,
            )
        curves.append((sweep, found))
    draw(curves, arguments.out / "scaling.png")


if __name__ == "__main__":
    main()
