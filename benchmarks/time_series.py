"""The benchmark of 27 forecasts of Fellner et al. (arXiv:2504.12416), for the package's cells.

Mackey-Glass 1, 70 and 140 points ahead, Henon 1, 2 and 4, Lorenz 1, 13 and 25, each from windows
of 4, 8 and 16 points: 1,000 points, every column scaled to [0, 1] over all of them, shared out
60/20/20 in order; Adam with rate 1e-3 and batches of 64. A run ends once the mean validation error
of the last 200 epochs differs from that of the 200 before by less than half its spread, and is
judged by the test error of its best validation. Cells have about as many parameters as theirs had,
up to 531; a linear layer reads the last step. Seeds and horizons of a series and window are trained
together. Finished runs are lines of the results file, and are not repeated.

    python -m benchmarks.time_series [--cells qrnn rnn] [--tasks henon-1-4] [--seeds 3]
        [--processes 2] [--results time_series.jsonl] [--chart time_series.png]

prints Markdown: of each task the median test error (mean squared, of scaled values) over the seeds,
then mean ranks, median seconds and parameters, with the published ranks beside.
"""

import argparse
import itertools
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tables import print_head, print_row

if TYPE_CHECKING:
    from torch import Tensor

SERIES = {"mackey-glass": (1, 70, 140), "henon": (1, 2, 4), "lorenz": (1, 13, 25)}
WINDOWS = (4, 8, 16)
BATCH, RATE = 64, 1e-3
STRETCH = 200

# Name of the row: the cell with its options, and how many values it returns.
CELLS = {
    "qrnn": ("qrnn,workspace=3,stages=0,degree=3", 10),
    "rnn": ("rnn", 8),
    "gru": ("gru", 8),
    "lstm": ("lstm", 8),
    "linear-enhanced QLSTM": ("qlstm,linear=True,qubits=4", 6),
    "qlstm": ("qlstm", 4),
    "qgru": ("qgru", 4),
    "fast-weight programmer": ("fast-weights", 6),
    "recurrent circuit": ("recurrent-circuit,memory=3", 4),
    "staggered circuit": ("recurrent-circuit,memory=3,staggered=True", 4),
}
# For series of one value, where the same sizes would have half the parameters.
OF_ONE_VALUE = {"qrnn": ("qrnn,workspace=4,stages=1,degree=3,feature_spread=0.5", 8)}
PUBLISHED_RANKS = {
    "lstm": 1.78,
    "rnn": 2.70,
    "linear-enhanced QLSTM": 2.85,
    "qlstm": 7.04,
    "qrnn": 7.37,
}


@dataclass(frozen=True)
class Trial:
    """What is trained: a cell on a task, from a seed."""

    cell: str
    series: str
    horizon: int
    window: int
    seed: int

    @property
    def task(self) -> str:
        """Name of the task."""
        return f"{self.series}-{self.horizon}-{self.window}"


def settings_of(cell: str, series: str) -> tuple[str, int]:
    """The cell with its options, and how many values it returns."""
    return OF_ONE_VALUE.get(cell, CELLS[cell]) if series == "mackey-glass" else CELLS[cell]


def described(spec: str, hidden: int) -> str:
    """What tells runs of other settings apart in the results."""
    return f"{spec};hidden={hidden}"


def all_tasks() -> Iterator[tuple[str, int, int]]:
    """Series, horizon and window of each task."""
    for series, horizons in SERIES.items():
        for horizon, window in itertools.product(horizons, WINDOWS):
            yield series, horizon, window


def is_settled(errors: list[float]) -> bool:
    """Whether the validation errors of all epochs so far have come to rest."""
    if len(errors) < 2 * STRETCH:
        return False
    last, before = errors[-STRETCH:], errors[-2 * STRETCH : -STRETCH]
    difference = abs(statistics.fmean(last) - statistics.fmean(before))
    return difference < statistics.stdev(last) / 2


class Member:
    """The training of one trial, which draws its batches and is judged after every epoch.

    Attributes:
        trial: What is trained.
        model: The network.
        errors: Of the validation, after each epoch.
        best: The smallest of them, the test error there and the epoch.
    """

    def __init__(self, trial: Trial, spec: str, hidden: int) -> None:
        """Draws the network.

        Args:
            trial: What is trained.
            spec: The cell and its options.
            hidden: Number of values that it returns.
        """
        import torch

        from qrnn_circuits.forecaster import LAYERS, make_forecaster
        from qrnn_circuits.tasks import Forecast

        self.trial = trial
        task = Forecast(
            series=trial.series, horizon=trial.horizon, window=trial.window, scaling="all"
        )
        parts = [task.training(), task.validation(), task.test()]
        self.training, self.validation, self.test = (
            (batch.inputs.float(), batch.targets.float()) for batch in parts
        )
        self._generator = torch.Generator().manual_seed(trial.seed)
        name, options = LAYERS.parse(spec)
        self.model = make_forecaster(
            name,
            features=task.features,
            targets=len(task.target_names),
            hidden_size=hidden,
            generator=self._generator,
            **options,
        )
        self.left: list[Tensor] = []
        self.errors: list[float] = []
        self.best = (float("inf"), float("inf"), 0)

    def next_rows(self) -> "Tensor":
        """The windows of the next step."""
        import torch

        if not self.left:
            order = torch.randperm(len(self.training[0]), generator=self._generator)
            self.left = list(order.split(BATCH))
        return self.left.pop(0)


def losses(members: list[Member], data: "list[tuple[Tensor, Tensor]]") -> "Tensor":
    """The mean squared error of each network on windows and targets of its own, shape ``(E,)``."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from qrnn_circuits.forecaster_ensemble import forecasts_together

    # Some have fewer: windows of zeros are added, and do not count.
    inputs, targets = (pad_sequence(list(part), True) for part in zip(*data, strict=True))
    counts = torch.tensor([len(own) for own, _ in data])[:, None]
    forecasts = forecasts_together([member.model for member in members], inputs)
    squares = (forecasts - targets).square().mean(2)
    counted = torch.arange(squares.shape[1]) < counts
    return squares.where(counted, 0).sum(1) / counts[:, 0]


def judge(members: list[Member]) -> None:
    """Notes the errors of networks for which an epoch is over."""
    import torch

    with torch.no_grad():
        errors = losses(members, [member.validation for member in members]).tolist()
        for member, error in zip(members, errors, strict=True):
            member.errors.append(error)
        better = [member for member in members if member.errors[-1] < member.best[0]]
        errors = losses(better, [member.test for member in better]).tolist() if better else []
        for member, error in zip(better, errors, strict=True):
            member.best = (member.errors[-1], error, len(member.errors))


def run(trials: list[Trial], spec: str, hidden: int, epochs: int) -> list[dict[str, object]]:
    """Trains networks for windows of one shape together, as the protocol says, and returns results.

    Each has batches, an optimiser and an end of its own; what they share is the computation.
    """
    import torch

    torch.set_num_threads(1)
    members = [Member(trial, spec, hidden) for trial in trials]
    parameters = [parameter for member in members for parameter in member.model.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE, fused=True)
    lines = []
    started, cpu = time.perf_counter(), time.process_time()
    spent = dict.fromkeys(trials, 0.0)
    while members:
        rows = [(member, member.next_rows()) for member in members]
        data = [(member.training[0][own], member.training[1][own]) for member, own in rows]
        optimizer.zero_grad()
        losses(members, data).sum().backward()
        optimizer.step()
        over = [member for member in members if not member.left]
        if over:
            judge(over)
        now = time.process_time()
        for member in members:
            spent[member.trial] += (now - cpu) / len(members)
        cpu = now
        finished = [
            member for member in over if is_settled(member.errors) or len(member.errors) >= epochs
        ]
        for member in finished:
            lines.append(
                {
                    **asdict(member.trial),
                    "spec": described(spec, hidden),
                    "parameters": sum(p.numel() for p in member.model.parameters()),
                    "validation": member.best[0],
                    "test": member.best[1],
                    "best_epoch": member.best[2],
                    "epochs": len(member.errors),
                    "settled": is_settled(member.errors),
                    "together": len(trials),
                    "seconds": time.perf_counter() - started,
                    "cpu_seconds": spent[member.trial],
                }
            )
        # Without gradients, their parameters stay as they are.
        members = [member for member in members if member not in finished]
    return lines


def read_results(path: Path) -> list[dict[str, object]]:
    """The lines of finished runs; one that was cut off by a kill is left out."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def key(line: dict[str, object]) -> tuple[object, ...]:
    """What tells runs apart."""
    return tuple(line[name] for name in ("spec", "series", "horizon", "window", "seed"))


def ranks(medians: dict[str, dict[str, float]], cells: list[str]) -> dict[str, list[int]]:
    """The rank of each cell on every task that all of them have run."""
    found = defaultdict(list)
    for errors in medians.values():
        if set(cells) <= set(errors):
            order = sorted(cells, key=errors.__getitem__)
            for place, cell in enumerate(order, 1):
                found[cell].append(place)
    return found


def report(lines: list[dict[str, object]], cells: list[str]) -> dict[str, dict[str, float]]:
    """Prints the tables and returns the median test error of each task and cell."""
    tests, seconds, sizes = defaultdict(list), defaultdict(list), defaultdict(set)
    unsettled: dict[str, int] = defaultdict(int)
    for line in lines:
        cell, task = str(line["cell"]), f"{line['series']}-{line['horizon']}-{line['window']}"
        tests[task, cell].append(float(line["test"]))  # type: ignore[arg-type]
        seconds[cell].append(float(line["cpu_seconds"]))  # type: ignore[arg-type]
        sizes[cell].add(int(line["parameters"]))  # type: ignore[call-overload]
        unsettled[cell] += not line["settled"]
    medians: dict[str, dict[str, float]] = defaultdict(dict)
    for (task, cell), errors in tests.items():
        medians[task][cell] = statistics.median(errors)
    cells = [cell for cell in cells if seconds[cell]]
    print_head(["task", *cells, "seeds"])
    for series, horizon, window in all_tasks():
        task = f"{series}-{horizon}-{window}"
        if task in medians:
            shown = [
                f"{medians[task][cell]:.1e}" if cell in medians[task] else "" for cell in cells
            ]
            counts = {len(tests[task, cell]) for cell in cells if (task, cell) in tests}
            print_row([task, *shown, min(counts)])
    placed = ranks(medians, cells)
    tasks = max((len(places) for places in placed.values()), default=0)
    print(f"\nRanks over the {tasks} task(s) that all cells of the table have run:\n")
    published = "published (of 8)"
    print_head(["cell", "mean rank", published, "parameters", "processor seconds", "unsettled"])
    for cell in sorted(cells, key=lambda each: statistics.fmean(placed[each] or [0])):
        rank = f"{statistics.fmean(placed[cell]):.2f}" if placed[cell] else ""
        span = f"{min(sizes[cell])}-{max(sizes[cell])}"
        spent = f"{statistics.median(seconds[cell]):.1f}"
        left = f"{unsettled[cell]} of {len(seconds[cell])}"
        print_row([cell, rank, PUBLISHED_RANKS.get(cell, ""), span, spent, left])
    return medians


def draw(medians: dict[str, dict[str, float]], cells: list[str], path: Path) -> None:
    """Draws the median test errors of all tasks."""
    from matplotlib.figure import Figure

    tasks = [f"{s}-{h}-{w}" for s, h, w in all_tasks() if f"{s}-{h}-{w}" in medians]
    figure = Figure(figsize=(5 + 0.3 * len(tasks), 5), layout="constrained")
    axes = figure.subplots()
    for cell, marker in zip(cells, itertools.cycle("os^vDPX*<>"), strict=False):
        places = [place for place, task in enumerate(tasks) if cell in medians[task]]
        errors = [medians[tasks[place]][cell] for place in places]
        if errors:
            axes.semilogy(places, errors, marker, label=cell, markersize=6)
    axes.set_xticks(range(len(tasks)), tasks, rotation=90)
    axes.set_ylabel("median test error (mean squared)")
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Runs what the results file lacks, and prints the tables."""
    from qrnn_circuits.training.freed_memory import keep_freed_memory

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--tasks", nargs="+", help="such as henon-1-4; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3000, help="most epochs of a run")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("time_series.jsonl"))
    parser.add_argument("--chart", type=Path)
    arguments = parser.parse_args()
    done = {key(line) for line in read_results(arguments.results)}
    wanted = [
        Trial(cell, series, horizon, window, seed)
        for seed in range(arguments.seeds)
        for series, horizon, window in all_tasks()
        if arguments.tasks is None or f"{series}-{horizon}-{window}" in arguments.tasks
        for cell in arguments.cells
    ]
    missing: dict[tuple[str, str, int], list[Trial]] = defaultdict(list)
    for trial in wanted:
        spec = described(*settings_of(trial.cell, trial.series))
        line = asdict(trial) | {"spec": spec}
        if key(line) not in done:
            missing[trial.cell, trial.series, trial.window].append(trial)
    with (
        ProcessPoolExecutor(
            arguments.processes, get_context("spawn"), initializer=keep_freed_memory
        ) as pool,
        arguments.results.open("a") as file,
    ):
        futures = [
            pool.submit(run, trials, *settings_of(cell, series), arguments.epochs)
            for (cell, series, _), trials in missing.items()
        ]
        for count, future in enumerate(as_completed(futures), 1):
            for line in future.result():
                file.write(json.dumps(line) + "\n")
                print(
                    f"{count}/{len(missing)} {line['cell']} {line['series']}-{line['horizon']}-"
                    f"{line['window']} seed {line['seed']}: {line['test']:.2e} after "
                    f"{line['epochs']} epochs, {line['cpu_seconds']:.0f} s of the processor",
                    flush=True,
                )
            file.flush()
    current = {
        (cell, series, described(*settings_of(cell, series)))
        for cell, series in itertools.product(CELLS, SERIES)
    }
    lines = [
        line
        for line in read_results(arguments.results)
        if (line["cell"], line["series"], line["spec"]) in current
    ]
    medians = report([line for line in lines if line["cell"] in arguments.cells], arguments.cells)
    if arguments.chart:
        draw(medians, arguments.cells, arguments.chart)


if __name__ == "__main__":
    main()
