"""How many of ten seeds reach the goal of a recipe, also from initial parameters moved by 1e-6.

A recipe that works for one seed may work by luck: training is chaotic, and another processor rounds
otherwise. Every seed is trained twice, as it is and with the initial parameters of each of its
trials moved by normal numbers of standard deviation 1e-6, in place of another machine. The figures
are those of the best checkpoint on the task's test set; *sampled* is the median error of one
measurement, and a circuit that reads the last step keeps the *least share kept*. Prints Markdown,
a row for each recipe. Those of MNIST, which take minutes a seed, need the folder of its files in
the variable QRNN_DATA_DIR and are skipped without it.

    python -m benchmarks.seeds [--recipes xor:default digits:chip] [--seeds 10] [--processes 2]
"""

import argparse
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.settings import TEN_BY_UMAP
from benchmarks.tables import print_head, print_row
from qrnn_circuits.settings.built_in_tasks import DATA_VARIABLE, VARIABLE_FOLDER

if TYPE_CHECKING:
    from qrnn_circuits.training import TrainedRun

# Largest accepted test error of each task and recipe, by the most probable answer, and the options
# of the task.
GOALS: dict[str, tuple[float, dict[str, Any]]] = {
    "memorise:default": (0.0, {}),
    "memorise:paper": (0.0, {}),
    "memorise:chip": (0.0, {}),
    "quotes:default": (0.0, {}),
    "xor:default": (0.0, {}),
    "xor:paper": (0.0, {}),
    "xor:chip": (0.0, {}),
    "letters:default": (0.0, {}),
    "letters:paper": (0.0, {}),
    "dna:default": (0.0, {}),
    "dna:paper": (0.0, {}),
    "dna:chip": (0.0, {}),
    "digits:default": (1 / 90, {}),
    "digits:default+pca": (1 / 90, {"reduce": "pca"}),
    "digits:chip": (1 / 90, {}),
    "digits:chip+pca": (1 / 90, {"reduce": "pca"}),
    "digits:default+mnist": (0.009, {"digits": "0,1", "data": VARIABLE_FOLDER}),
    "digits:default+mnist-3-6": (0.015, {"digits": "3,6", "data": VARIABLE_FOLDER}),
    "digits:default+ten+pca": (0.14, {"digits": "0-9", "reduce": "pca", "dims": 8}),
    "digits:default+ten+umap": (0.05, {**TEN_BY_UMAP, "data": VARIABLE_FOLDER}),
}
# Of the test set, for the share of shots.
SEQUENCES = 128


@dataclass(frozen=True)
class Outcome:
    """What a seed has led to.

    Attributes:
        test_error: By the most probable answer.
        sampled_error: By one measurement.
        log_kept: Logarithm of the mean share of shots that a circuit for the last step keeps, of
            the first test sequences.
        semantics: Of the recipe's neurons.
        seconds: Wall time of the training.
    """

    test_error: float
    sampled_error: float
    log_kept: float
    semantics: str
    seconds: float


def train(name: str, options: dict[str, Any], seed: int, perturbed: bool) -> Outcome:
    """Trains one seed in a folder that does not stay.

    Args:
        name: ``task:recipe``, with anything after a plus sign.
        options: Of the task.
        seed: Of the run.
        perturbed: Whether it begins with its parameters moved.
    """
    import torch

    from benchmarks.perturbation import PerturbedConfig
    from qrnn_circuits.training import RunConfig, Trainer, evaluate, load_run

    torch.set_num_threads(1)
    task, recipe = name.split("+")[0].split(":")
    settings = {"seed": seed, "task_options": options}
    kind = PerturbedConfig if perturbed else RunConfig
    config = kind.resolve(task, settings, recipe=recipe)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        Trainer.start(config, Path(folder) / "run").run()
        seconds = time.perf_counter() - start
        run = load_run(Path(folder) / "run")
    found, log_kept = evaluate(run), log_share(run)
    return Outcome(found.test_error, found.sampled_error, log_kept, config.semantics, seconds)


def log_share(run: "TrainedRun") -> float:
    """Logarithm of the mean share of shots that are left when the last step is read.

    Args:
        run: A trained network and its task.
    """
    import torch

    test = run.task.test()
    inputs, outcomes = (part[:SEQUENCES, :-1] for part in (test.inputs, test.outcomes))
    with torch.no_grad():
        kept = run.model(inputs, outcomes).log_acceptance.double()
    return float(kept.logsumexp(0)) - math.log(len(kept))


def as_share(log_kept: float) -> str:
    """A share as a percentage, or as a power of ten where it is small."""
    power = log_kept / math.log(10)
    return f"{10**power:.1%}" if power > -3 else f"1e{power:.0f}"


def cells(name: str, goal: float, outcomes: Sequence[Outcome]) -> list[str]:
    """The figures of a recipe as a row of a table."""
    errors = [outcome.test_error for outcome in outcomes]
    sampled = [outcome.sampled_error for outcome in outcomes]
    reached = sum(error <= goal for error in errors)
    kept = min(outcome.log_kept for outcome in outcomes)
    seconds = statistics.median(outcome.seconds for outcome in outcomes)
    task, recipe = name.split(":")
    return [
        task,
        recipe,
        outcomes[0].semantics,
        f"{goal:.1%}",
        f"{reached} of {len(outcomes)}",
        f"{max(errors):.2%}",
        f"{statistics.median(errors):.2%}",
        f"{statistics.median(sampled):.2%}",
        as_share(kept),
        f"{seconds:.0f}",
    ]


def main() -> None:
    """Trains all seeds of the recipes and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0")
    parser.add_argument("--processes", type=int, default=1, help="runs at the same time")
    arguments = parser.parse_args()
    heads = ["task", "recipe", "semantics", "goal", "reached", "worst", "median", "sampled"]
    heads += ["least share kept", "seconds"]
    print_head(heads)
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        for name in arguments.recipes:
            goal, options = GOALS[name]
            if "data" in options and DATA_VARIABLE not in os.environ:
                print(f"{name} is skipped: it needs {VARIABLE_FOLDER}", file=sys.stderr, flush=True)
                continue
            jobs = [
                pool.submit(train, name, options, seed, perturbed)
                for seed in range(arguments.seeds)
                for perturbed in (False, True)
            ]
            print_row(cells(name, goal, [job.result() for job in jobs]))


if __name__ == "__main__":
    main()
