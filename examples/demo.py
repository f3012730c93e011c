"""Learns to tell handwritten zeros from ones, then runs a trained cell as a gate-level circuit.

    python examples/demo.py --out demo

Trains a QRNN on the digits that come with scikit-learn, one pixel at a time, prints its test error
and draws its loss curve and some of its answers. Then trains a small cell on the XOR sequence, runs
it gate by gate on PennyLane's default.qubit, and compares every distribution with the fast path.
"""

import argparse
import shutil
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from rich.console import Console

from qrnn_circuits import RecurrentNetwork
from qrnn_circuits.circuits import compile_circuit, registers
from qrnn_circuits.tasks import Digits, Xor
from qrnn_circuits.training import (
    RunConfig,
    TrainedRun,
    Trainer,
    evaluate,
    load_run,
    progress_for,
    read_scalars,
)

SHOWN_DIGITS = 8
CIRCUIT_STEPS = 6


def train(task: str, folder: Path, console: Console, **options: object) -> TrainedRun:
    """Trains a task from scratch and loads its best checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
    trainer = Trainer.start(RunConfig.resolve(task, options), folder)
    trainer.run(progress_for(console))
    return load_run(folder)


def draw(run: TrainedRun, task: Digits, folder: Path, picture: Path) -> None:
    """Saves the loss curve and some test digits with their predicted probabilities."""
    test = task.test()
    rows = torch.linspace(0, len(test) - 1, SHOWN_DIGITS).long()
    with torch.no_grad():
        output = run.model(test.inputs[rows], test.outcomes[rows])
    probabilities = output.log_probs[:, -1].exp()
    images = task.images(test.inputs[rows][:, : task.data_steps])

    figure = plt.figure(figsize=(10, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, SHOWN_DIGITS, height_ratios=[1.6, 1])
    curve = figure.add_subplot(grid[0, :])
    curve.plot(*zip(*read_scalars(folder, "train/loss"), strict=True), lw=1, label="training")
    validation = read_scalars(folder, "validation/loss")
    curve.plot(*zip(*validation, strict=True), "o-", ms=3, label="validation")
    curve.set(xlabel="step", ylabel="negative log-likelihood", yscale="log")
    curve.legend()
    labels = test.outcomes[rows][:, -1].tolist()
    for column, (image, row, label) in enumerate(zip(images, probabilities, labels, strict=True)):
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        wrong = int(row.argmax()) != label
        axes.set_title(
            f"p(0) = {row[0]:.2f}\np(1) = {row[1]:.2f}",
            fontsize=9,
            color="tab:red" if wrong else "black",
        )
        axes.set_axis_off()
    figure.savefig(picture, dpi=150)
    plt.close(figure)


def largest_difference(model: RecurrentNetwork, task: Xor) -> float:
    """Compares the circuit with the fast path: the distributions of the steps of one sequence."""
    batch = task.test()
    inputs, outcomes = batch.inputs[:1, :CIRCUIT_STEPS], batch.outcomes[:1, :CIRCUIT_STEPS]
    with torch.no_grad():
        fast = model(inputs, outcomes).log_probs[0].exp()
        found: list[torch.Tensor] = []
        for step in range(CIRCUIT_STEPS):
            symbols, conditions = inputs[0, : step + 1].tolist(), outcomes[0, :step].tolist()
            found += compile_circuit(model, symbols, conditions).qnode()()
    return float((torch.stack(found) - fast).abs().max())


def main() -> None:
    """Runs both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for all output")
    out: Path = parser.parse_args().out
    console = Console()
    started = time.monotonic()

    console.rule("Handwritten digits 0 and 1, 8x8 pixels, two bits a step")
    run = train("digits", out / "digits", console, task_options={"data": "embedded"})
    result = evaluate(run)
    picture = out / "digits.png"
    draw(run, Digits(), out / "digits", picture)
    console.print(
        f"Test error on {result.count} images: {result.test_error:.1%} "
        f"+- {result.standard_error:.1%} (most probable label), {result.sampled_error:.1%} "
        f"(one measurement). Test accuracy: {1 - result.test_error:.1%}. Picture: {picture}"
    )

    console.rule("XOR: a trained cell as a gate-level circuit")
    run = train("xor", out / "xor", console, workspace=3, dtype="float64", stop_error=0.0)
    cell = run.model.cell
    difference = largest_difference(run.model, Xor())
    console.print(
        f"Test error: {evaluate(run).test_error:.1%}. Circuit of {registers(cell).ancillas.stop} "
        f"wires, {CIRCUIT_STEPS} steps on default.qubit: largest difference of a probability from "
        f"the fast path {difference:.1e}"
    )
    console.print(f"Done in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
