"""Trains MNIST pixel by pixel from nothing, times it, and tests what has been learnt.

The run is that of ``qrnn train digits --digits 0,1 --data DIR``: 10x10 pixels of two bits are read
in 100 steps, and the lane is only measured for the label, after the last one, so that nothing is
postselected; ``--recipe conditioned`` is for the paper's network, whose every step is. Then the
best checkpoint is read back and tested on all test images. Each seed is a fresh process and a fresh
folder, and the clock runs from the start of the process to the last test image, so that it counts
imports, loading the data, validations, checkpoints and logs. The processor time of the process
tells what the run takes where others keep the machine busy.

The test error goes by the most probable label; the sampled error is what one measurement of each
image gives. Prints Markdown.

    python -m benchmarks.digits_end_to_end --data DIR [--digits 0,1] [--recipe conditioned]
        [--seeds 0 1 2] [--set steps=600 basis="'monomials'" ...]
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.settings import SET_HELP, python_values
from benchmarks.tables import print_head, print_row


@dataclass(frozen=True)
class Outcome:
    """How a run went.

    Attributes:
        step: Of the best checkpoint.
        validation_error: Of the best checkpoint.
        test_error: By the most probable label.
        sampled_error: By one measurement of each image.
        images: Number of test images.
        seconds: Wall-clock times of importing, loading, training and testing.
        processor_seconds: Processor time of the process up to its last test image.
    """

    step: int
    validation_error: float
    test_error: float
    sampled_error: float
    images: int
    seconds: tuple[float, float, float, float]
    processor_seconds: float


def train_and_test(recipe: str, settings: dict[str, Any], folder: Path) -> Outcome:
    """Trains in a folder and tests the best checkpoint.

    Args:
        recipe: Name of the recipe.
        settings: Fields of :class:`~qrnn_circuits.training.RunConfig`.
        folder: Of the run, empty.

    Raises:
        RuntimeError: If the run was interrupted.
    """
    times = [time.perf_counter()]
    from qrnn_circuits.training import RunConfig, Trainer, evaluate, load_run

    times.append(time.perf_counter())
    trainer = Trainer.start(RunConfig.resolve("digits", settings, recipe=recipe), folder)
    times.append(time.perf_counter())
    result = trainer.run()
    times.append(time.perf_counter())
    best = result.standing.best
    if result.reason is None or best is None:
        raise RuntimeError(f"the run was interrupted after step {result.step}")
    evaluation = evaluate(load_run(folder))
    times.append(time.perf_counter())
    importing, loading, training, testing = (end - start for start, end in pairwise(times))
    return Outcome(
        step=best.step,
        validation_error=best.error,
        test_error=evaluation.test_error,
        sampled_error=evaluation.sampled_error,
        images=evaluation.count,
        seconds=(importing, loading, training, testing),
        processor_seconds=time.process_time(),
    )


def timed_run(recipe: str, settings: dict[str, Any]) -> tuple[float, Outcome]:
    """Seconds from the start of a fresh process to its result, and the result."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            outcome = pool.submit(train_and_test, recipe, settings, Path(folder)).result()
            return time.perf_counter() - start, outcome


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with MNIST files")
    parser.add_argument("--digits", default="0,1", help="the two digits to tell apart")
    parser.add_argument("--recipe", default="default", help="default or conditioned")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help=SET_HELP)
    arguments = parser.parse_args()

    settings: dict[str, Any] = {
        "task_options": {"digits": arguments.digits, "data": str(arguments.data.resolve())},
        **python_values(arguments.set),
    }
    columns = [
        "seed",
        "seconds",
        "processor seconds",
        "import, load, train, test [s]",
        "best at step",
        "validation error",
        "test error",
        "sampled error",
    ]
    print_head(columns, texts=0)
    runs = []
    for seed in arguments.seeds:
        seconds, outcome = timed_run(arguments.recipe, {**settings, "seed": seed})
        cells = [
            str(seed),
            f"{seconds:.1f}",
            f"{outcome.processor_seconds:.1f}",
            ", ".join(f"{part:.1f}" for part in outcome.seconds),
            str(outcome.step),
            f"{outcome.validation_error:.2%}",
            f"{outcome.test_error:.2%}",
            f"{outcome.sampled_error:.2%}",
        ]
        print_row(cells)
        runs.append((seconds, outcome))
    outcomes = [outcome for _, outcome in runs]
    print(
        f"\nMedians: {statistics.median(seconds for seconds, _ in runs):.1f} s, "
        f"{statistics.median(outcome.test_error for outcome in outcomes):.2%} test error, "
        f"{statistics.median(outcome.sampled_error for outcome in outcomes):.2%} sampled error; "
        f"{outcomes[0].images:,} test images"
    )


if __name__ == "__main__":
    main()
