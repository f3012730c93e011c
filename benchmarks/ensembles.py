"""Times training steps of many seeds together against the same steps of one seed after another.

A step is what a run of ``qrnn train`` does between two validations: it draws a batch, computes loss
and gradient, takes the step of the optimiser and checks that all is finite. Both ways take turns in
one process, which keeps freed memory as ``qrnn train --seeds`` does, on networks and batches of the
same seeds; told is the median of the processor's time over the turns, and the ratio of the two
medians.

The configurations are the paper's, but for the one that says otherwise. Digits come from ``--data``
or the environment variable QRNN_DATA_DIR, and are left out without either. Prints Markdown.

    python -m benchmarks.ensembles [--seeds 32] [--turns 5] [--only xor ...] [--data DIR]
"""

import argparse
import os
import statistics
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.interleaved import interleaved_seconds
from benchmarks.tables import print_head, print_row
from qrnn_circuits.training import Progress, RunConfig, Trainer
from qrnn_circuits.training.determinism import deterministic
from qrnn_circuits.training.freed_memory import keep_freed_memory
from qrnn_circuits.training.joint_steps import JointSteps

MOST_SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        name: As it is printed.
        task: Name of the task.
        recipe: Of the task.
        options: Of the task.
        settings: Of the run.
        needs_data: Whether the task reads prepared digits.
        steps: Steps of a turn.
    """

    name: str
    task: str
    recipe: str = "paper"
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    needs_data: bool = False
    steps: int = 30


# A curriculum would begin with short sequences.
_FULL_LENGTH = {"curriculum": None}
_UMAP = {"digits": "0-9", "reduce": "umap"}

CASES = (
    Case("memorise", "memorise"),
    Case("xor", "xor"),
    Case("xor, default recipe", "xor", recipe="default", settings=_FULL_LENGTH),
    Case("dna, T = 50", "dna", options={"length": 50}, steps=4),
    Case(
        "dna, T = 50, default recipe",
        "dna",
        recipe="default",
        options={"length": 50},
        settings=_FULL_LENGTH,
    ),
    Case("digits by UMAP", "digits", options=_UMAP, needs_data=True, steps=4),
    Case(
        "digits by UMAP, default recipe",
        "digits",
        recipe="default",
        options=_UMAP,
        needs_data=True,
        steps=4,
    ),
    Case("Henon map, batches", "forecast", recipe="batches", options={"series": "henon"}),
    Case(
        "Henon map, batches, QLSTM",
        "forecast",
        recipe="batches",
        options={"series": "henon"},
        settings={"cell": "qlstm,linear=True,qubits=4"},
        steps=4,
    ),
    Case("MNIST pair", "digits", options={"digits": "0,1"}, needs_data=True, steps=1),
)


def configuration(case: Case, data: str | None) -> RunConfig:
    """The settings of a case."""
    options = case.options | ({"data": data} if case.needs_data else {})
    return RunConfig.resolve(
        case.task, {"task_options": options, **case.settings}, recipe=case.recipe
    )


def one_after_another(trainers: list[Trainer], steps: int) -> None:
    """Steps of each seed by itself."""
    for trainer in trainers:
        for _ in range(steps):
            value, _ = trainer.optimise(trainer.begin_step(Progress()))
            trainer.end_step()
            finite = [bool(p.isfinite().all()) for p in trainer.model.parameters()]
            trainer.check_finite(value.item(), all(finite))


def together(joint: JointSteps, trainers: list[Trainer], steps: int) -> None:
    """Steps of all seeds at once."""
    for _ in range(steps):
        joint.take(trainers, [trainer.begin_step(Progress()) for trainer in trainers])


def compare(case: Case, data: str | None, seeds: int, turns: int) -> list[str]:
    """A row of the table."""
    config = configuration(case, data)
    with tempfile.TemporaryDirectory() as folder, deterministic(torch.device(config.device)):
        ways: list[list[Trainer]] = []
        like: Trainer | None = None
        for _ in range(2):
            trainers = []
            for seed in range(seeds):
                like = Trainer(replace(config, seed=seed), Path(folder), like=like)
                trainers.append(like)
            ways.append(trainers)
        joint = JointSteps(config)
        seconds = interleaved_seconds(
            {
                "alone": lambda: one_after_another(ways[0], case.steps),
                "together": lambda: together(joint, ways[1], case.steps),
            },
            turns,
            MOST_SECONDS,
        )
    alone, jointly = (statistics.median(seconds[way]) for way in ("alone", "together"))
    size = f"W {config.workspace}, {config.batch_size} sequences"
    each = [1000 * total / case.steps / seeds for total in (alone, jointly)]
    return [case.name, size, *(f"{spent:.2f}" for spent in each), f"{alone / jointly:.1f}"]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [case.name for case in CASES]
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, default=names)
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--data", default=os.environ.get("QRNN_DATA_DIR"))
    options = parser.parse_args()
    keep_freed_memory()
    print(f"Milliseconds of a step of one seed, {options.seeds} seeds:\n")
    print_head(["task", "network", "one after another", "together", "ratio"], texts=2)
    for case in CASES:
        if case.name in options.only and not (case.needs_data and options.data is None):
            print_row(compare(case, options.data, options.seeds, options.turns))


if __name__ == "__main__":
    main()
