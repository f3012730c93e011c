"""What networks of the recipes for a chip do under the noise of one, for ten seeds.

Trains every seed of a recipe `chip`, tests it exactly, counts its longest circuit on a Heron chip
(fake_fez) before and after Qiskit's transpilation, and runs the answers to some test sequences on
qrnn.aer with the noise of that chip. "Single" is the share of single shots that are right, "right"
that of the majorities over all shots of an answer; of each figure the table has the median and, in
brackets, the worst. With --perturbed, seeds start from initial parameters that are moved by 1e-6,
in place of another machine. Prints Markdown, and each seed to standard error.

    python -m benchmarks.chip [--goals xor:12 xor:36 digits mnist] [--encodings lane angles]
        [--seeds 10] [--perturbed]
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pennylane as qml
import torch

from benchmarks.perturbation import PerturbedConfig
from benchmarks.runs import trained
from benchmarks.tables import print_head, print_row
from qrnn_circuits.circuits.inspection import inspect_circuit
from qrnn_circuits.execution import plan_run
from qrnn_circuits.execution.run import run_and_report
from qrnn_circuits.execution.verdict import question
from qrnn_circuits.training import RunConfig, TrainedRun, evaluate

CHIP = "fake_fez"
TOLERANCE = 0.05


@dataclass(frozen=True)
class Goal:
    """A task on the chip.

    Attributes:
        task: Its name.
        options: Of the task.
        steps: Of each sequence that are run; None for all.
        sequences: Of the test set; None for all.
        shots: Of each answer.
    """

    task: str
    options: dict[str, Any]
    steps: int | None
    sequences: int
    shots: int


GOALS = {
    "xor:12": Goal("xor", {}, 12, 50, 1000),
    "xor:36": Goal("xor", {}, None, 10, 1000),
    "digits": Goal("digits", {"reduce": "pca", "data": "embedded"}, None, 90, 200),
    "mnist": Goal("digits", {"reduce": "pca"}, None, 200, 200),
}
ENCODINGS = ("lane", "angles")


@dataclass(frozen=True)
class Figures:
    """Of one seed: exact errors, two-qubit gates on paper and on the chip, and right shares."""

    error: float
    sampled: float
    gates: int
    chip_gates: int
    single: float
    right: float


def trained_for(goal: Goal, seed: int, perturbed: bool) -> TrainedRun:
    """A network of the recipe for a chip."""
    from qrnn_circuits.training.task_options import environment_options

    options = environment_options(goal.task) | goal.options
    settings = {"seed": seed, "task_options": options}
    kind = PerturbedConfig if perturbed else RunConfig
    config = kind.resolve(goal.task, settings, recipe="chip")
    return trained(config)


def measure(goal: Goal, run: TrainedRun, encoding: Any) -> Figures:  # noqa: ANN401
    """Counts the longest circuit and runs all answers."""
    found = evaluate(run)
    asked = question(run.task, 0, goal.steps)
    options: dict[str, Any] = {"tolerance": TOLERANCE, "encoding": encoding}
    (counted,) = inspect_circuit(
        run.model,
        asked.inputs,
        asked.outcomes,
        target=CHIP,
        realisations=["multiplexed"],
        **options,
    ).realisations
    plan = plan_run(run, sequences=goal.sequences, steps=goal.steps, shots=goal.shots, **options)
    device = qml.device("qrnn.aer", wires=plan.wires, noise=CHIP, seed=0)
    report = run_and_report(plan, device, "qrnn.aer")
    chip_gates = 0 if counted.transpiled is None else counted.transpiled.two_qubit_gates
    return Figures(
        found.test_error,
        found.sampled_error,
        counted.resources.two_qubit_gates,
        chip_gates,
        report.sampled_accuracy,
        report.accuracy,
    )


def cells(name: str, encoding: str, seeds: Sequence[Figures]) -> list[str]:
    """A row of the table: the median of all seeds, and the worst in brackets."""

    def cell(values: Sequence[float], form: str, worst: Any) -> str:  # noqa: ANN401
        return f"{statistics.median(values):{form}} ({worst(values):{form}})"

    return [
        name,
        encoding,
        str(len(seeds)),
        cell([seed.error for seed in seeds], ".1%", max),
        cell([seed.sampled for seed in seeds], ".1%", max),
        cell([seed.gates for seed in seeds], ".0f", max),
        cell([seed.chip_gates for seed in seeds], ".0f", max),
        cell([seed.single for seed in seeds], ".1%", min),
        cell([seed.right for seed in seeds], ".1%", min),
    ]


def main() -> None:
    """Trains and measures all seeds, and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--goals", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--encodings", nargs="+", choices=ENCODINGS, default=list(ENCODINGS))
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0")
    parser.add_argument("--perturbed", action="store_true", help="train all from moved parameters")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs: dict[tuple[str, str, int], TrainedRun] = {}
    heads = [
        "task",
        "inputs on",
        "seeds",
        "error",
        "sampled error",
        "CNOTs",
        f"on {CHIP}",
        "single",
        "right",
    ]
    print_head(heads, texts=2)
    for name in arguments.goals:
        goal = GOALS[name]
        for encoding in arguments.encodings:
            seeds = []
            for seed in range(arguments.seeds):
                key = (goal.task, str(goal.options), seed)
                if key not in runs:
                    runs[key] = trained_for(goal, seed, arguments.perturbed)
                seeds.append(measure(goal, runs[key], encoding))
                print(f"{name}, inputs on {encoding}, seed {seed}: {seeds[-1]}", file=sys.stderr)
            print_row(cells(name, encoding, seeds))


if __name__ == "__main__":
    main()
