"""How close `qrnn train sequences` comes to the entropy of a text whose source is known.

A line of the text is six words, each one of four with equal probability. What a word is, its first
letters leave open: no prediction of a next letter has a smaller expected loss than one that counts
the words which the letters so far leave. Every seed is trained with the default recipe; the loss of
its best checkpoint on the test lines stands beside the loss of that prediction on the same lines.
Prints Markdown.

    python -m benchmarks.own_text [--seeds 0 1 2] [--lines 400] [--set learning_rate=0.02 ...]
"""

import argparse
import math
import random
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.settings import SET_HELP, python_values
from qrnn_circuits import load_run
from qrnn_circuits.tasks import Sequences
from qrnn_circuits.training import RunConfig, Trainer

WORDS = ("sun", "moon", "mars", "sum")
WORDS_OF_A_LINE = 6
GOAL = 1.05


def write_lines(path: Path, lines: int) -> None:
    """Writes a text of random lines, the same at every call."""
    draw = random.Random(0)
    text = [" ".join(draw.choices(WORDS, k=WORDS_OF_A_LINE)) for _ in range(lines)]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def least_losses(line: str) -> list[float]:
    """The loss of the best prediction of each letter after the first, in nats."""
    losses = []
    begun = ""
    for at, letter in enumerate(line):
        left = [word + " " for word in WORDS if (word + " ").startswith(begun)]
        right = [word for word in left if word.startswith(begun + letter)]
        losses.append(math.log(len(left) / len(right)))
        begun = "" if letter == " " else begun + letter
        assert right, f"{line!r} is no line of the text at letter {at}"
    return losses[1:]


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help=SET_HELP)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    given = python_values(arguments.set)
    print("| seed | loss | least loss | ratio | goal reached | seconds |")
    print("| ---: | ---: | ---: | ---: | --- | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "words.txt"
        write_lines(path, arguments.lines)
        task = Sequences(data=str(path))
        batch = task.test()
        first = task.describe(batch.inputs[:, :1])
        lines = [a + b for a, b in zip(first, task.describe(batch.outcomes), strict=True)]
        losses = [loss for line in lines for loss in least_losses(line)]
        least = sum(losses) / len(losses)
        for seed in arguments.seeds:
            start = time.perf_counter()
            config = RunConfig.resolve(task, {"seed": seed, **given})
            Trainer.start(config, Path(folder) / f"run-{seed}").run()
            seconds = time.perf_counter() - start
            model = load_run(Path(folder) / f"run-{seed}").model
            with torch.no_grad():
                loss = model.loss(batch.inputs, batch.outcomes, batch.scored).item()
            reached = "yes" if loss <= GOAL * least else "no"
            row = f"{seed} | {loss:.4f} | {least:.4f} | {loss / least:.3f} | {reached}"
            print(f"| {row} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
