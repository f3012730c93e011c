"""How many of ten seeds reach the goal of a recipe, also from initial parameters moved by 1e-6.

A recipe that works for one seed may work by luck: training is chaotic, and another processor rounds
otherwise. Every seed is trained twice, as it is and with its initial parameters moved by normal
numbers of standard deviation 1e-6, in place of another machine. The figures are those of the best
checkpoint on the task's test set. Prints Markdown, a row for each recipe.

    python -m benchmarks.seeds [--recipes xor:default digits:chip] [--seeds 10] [--processes 2]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# Largest accepted test error of each task and recipe, by the most probable answer, and the options
# of the task.
GOALS: dict[str, tuple[float, dict[str, Any]]] = {
    "xor:default": (0.0, {}),
    "xor:paper": (0.0, {}),
    "xor:chip": (0.0, {}),
    "digits:default": (1 / 90, {}),
    "digits:default+pca": (1 / 90, {"reduce": "pca"}),
    "digits:chip": (1 / 90, {}),
    "digits:chip+pca": (1 / 90, {"reduce": "pca"}),
    "memorise:default": (0.0, {}),
    "letters:default": (0.0, {}),
    "dna:default": (0.0, {}),
    "quotes:default": (0.0, {}),
}
PERTURBATION = 1e-6


@dataclass(frozen=True)
class Outcome:
    """What a seed has led to.

    Attributes:
        test_error: By the most probable answer.
        sampled_error: By one measurement.
        log10_acceptance: Decimal logarithm of the share of shots kept, on the validation set.
        semantics: Of the recipe's neurons.
        seconds: Wall time of the training.
    """

    test_error: float
    sampled_error: float
    log10_acceptance: float
    semantics: str
    seconds: float


def train(name: str, options: dict[str, Any], seed: int, perturbation: float) -> Outcome:
    """Trains one seed in a folder that does not stay.

    Args:
        name: ``task:recipe``, with anything after a plus sign.
        options: Of the task.
        seed: Of the run.
        perturbation: Standard deviation of what is added to the initial parameters.
    """
    import torch

    from qrnn_circuits.training import RunConfig, Trainer, evaluate, load_run

    torch.set_num_threads(1)
    task, recipe = name.split("+")[0].split(":")
    settings = {"seed": seed, "task_options": options}
    config = RunConfig.resolve(task, settings, recipe=recipe)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        trainer = Trainer.start(config, Path(folder) / "run")
        perturb(trainer.model, seed, perturbation)
        best = trainer.run().standing.best
        seconds = time.perf_counter() - start
        found = evaluate(load_run(Path(folder) / "run"))
    if best is None:
        raise RuntimeError(f"the run of {name} was interrupted")
    return Outcome(
        found.test_error, found.sampled_error, best.log10_acceptance, config.semantics, seconds
    )


def perturb(model: Any, seed: int, deviation: float) -> None:  # noqa: ANN401
    """Moves all parameters of a network by normal numbers.

    Args:
        model: The network.
        seed: Of the numbers.
        deviation: Their standard deviation.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(noise, alpha=deviation)


def row(name: str, goal: float, outcomes: Sequence[Outcome]) -> str:
    """The figures of a recipe as a row of a table."""
    errors = [outcome.test_error for outcome in outcomes]
    sampled = [outcome.sampled_error for outcome in outcomes]
    reached = sum(error <= goal for error in errors)
    kept = min(outcome.log10_acceptance for outcome in outcomes)
    seconds = statistics.median(outcome.seconds for outcome in outcomes)
    task, recipe = name.split(":")
    cells = [
        task,
        recipe,
        outcomes[0].semantics,
        f"{goal:.1%}",
        f"{reached} of {len(outcomes)}",
        f"{max(errors):.2%}",
        f"{statistics.median(errors):.2%}",
        f"{statistics.median(sampled):.2%}",
        f"{kept:.1f}",
        f"{seconds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Trains all seeds of the recipes and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--seeds", type=int, default=10, help="how many, from 0")
    parser.add_argument("--processes", type=int, default=1, help="runs at the same time")
    arguments = parser.parse_args()
    heads = ["task", "recipe", "semantics", "goal", "seeds", "worst", "median", "sampled"]
    heads += ["log10 of least share kept", "seconds"]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}", flush=True)
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        for name in arguments.recipes:
            goal, options = GOALS[name]
            jobs = [
                pool.submit(train, name, options, seed, perturbation)
                for seed in range(arguments.seeds)
                for perturbation in (0.0, PERTURBATION)
            ]
            print(row(name, goal, [job.result() for job in jobs]), flush=True)


if __name__ == "__main__":
    main()
