"""Trains networks that keep their shots, and runs them as circuits with shots and with noise.

    python examples/demo.py --out demo

1. Reads handwritten zeros and ones, 64 pixels each, and answers once at the end: nothing is
   postselected. Prints the test error, runs some answers as circuits with shots on Qiskit Aer, and
   draws the loss curve and these answers beside the exact ones.
2. Trains two networks for a chip, on digits by two principal components and on XOR, and runs both
   as circuits: with shots beside the exact answers, then under a chip's noise. Draws a step of the
   one, and answers of the other.
"""

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pennylane as qml
from rich.console import Console

from qrnn_circuits.circuits.draw import draw_step
from qrnn_circuits.circuits.encoding import Encoding
from qrnn_circuits.circuits.inspection import inspect_circuit
from qrnn_circuits.circuits.sequence import compile_circuit
from qrnn_circuits.execution import Report, make_report, plan_run, question, run_plan
from qrnn_circuits.execution.report_chart import draw_report
from qrnn_circuits.tasks import Digits
from qrnn_circuits.training import (
    RunConfig,
    TrainedRun,
    Trainer,
    evaluate,
    load_run,
    progress_for,
    read_scalars,
)

SHOWN_DIGITS, SHOWN_ANSWERS = 4, 8
CHIP = "fake_fez"
SHOTS = 1000
# Rotations of the circuits for the chip that are smaller, in radians, are left out.
TOLERANCE = 0.05


def train(task: str, folder: Path, console: Console, **options: Any) -> TrainedRun:  # noqa: ANN401
    """Trains a task from scratch with its recipe for a chip and loads its best checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
    config = RunConfig.resolve(task, {"task_options": options}, recipe="chip")
    Trainer.start(config, folder).run(progress_for(console))
    run = load_run(folder)
    result = evaluate(run)
    console.print(
        f"Test error: {result.test_error:.1%} by the most probable answer, "
        f"{result.sampled_error:.1%} by one measurement ({result.count:,} "
        f"{result.unit.replace('_', ' ')})."
    )
    return run


def draw(run: TrainedRun, folder: Path, report: Report, picture: Path) -> None:
    """Saves the loss curve, and the digits of a report with exact answers and those of shots."""
    task = run.task
    if not isinstance(task, Digits):
        raise TypeError(f"run must be of the task digits, got {task.name}")
    rows = [circuit.planned.sequence for circuit in report.circuits]
    images = task.images(task.test().inputs[rows][:, : task.data_steps])

    figure = plt.figure(figsize=(10, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, len(rows), height_ratios=[1.6, 1])
    curve = figure.add_subplot(grid[0, :])
    curve.plot(*zip(*read_scalars(folder, "train/loss"), strict=True), lw=1, label="training")
    validation = read_scalars(folder, "validation/loss")
    curve.plot(*zip(*validation, strict=True), "o-", ms=3, label="validation")
    curve.set(xlabel="step", ylabel="negative log-likelihood", yscale="log")
    curve.legend()
    for column, (image, circuit) in enumerate(zip(images, report.circuits, strict=True)):
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        exact, shots = circuit.planned.exact, circuit.distribution
        axes.set_title(
            "\n".join(
                f"p({digit}) = {exact[digit]:.2f}, shots {shots[digit]:.2f}" for digit in (0, 1)
            ),
            fontsize=9,
            color="black" if circuit.correct else "tab:red",
        )
        axes.set(xticks=[], yticks=[])
    figure.savefig(picture, dpi=150)
    plt.close(figure)


def answers(
    run: TrainedRun,
    *,
    sequences: int,
    steps: int | None = None,
    tolerance: float = 0.0,
    encoding: Encoding = "lane",
    noise: str | None = None,
) -> Report:
    """Runs some test sequences on Qiskit Aer."""
    plan = plan_run(
        run,
        realisation="multiplexed",
        sequences=sequences,
        steps=steps,
        shots=SHOTS,
        tolerance=tolerance,
        encoding=encoding,
    )
    device = qml.device("qrnn.aer", wires=plan.wires, noise=noise, seed=0)
    return make_report(plan, run_plan(plan, device), device="qrnn.aer")


def show_answers(report: Report, name: str, console: Console) -> None:
    """Prints the shares of right answers beside the exact ones."""
    circuits = report.circuits
    kept = "" if report.kept_share is None else f", {report.kept_share:.1%} of the shots kept"
    console.print(
        f"{name}: {len(circuits)} answers of {SHOTS:,} shots, {report.accuracy:.1%} right by their "
        f"majority (exactly {report.exact_accuracy:.1%}), {report.sampled_accuracy:.1%} of "
        f"the single shots (exactly {report.exact_sampled_accuracy:.1%}){kept}.",
        highlight=False,
    )


def run_on_chip(
    run: TrainedRun, console: Console, *, sequences: int, steps: int | None = None
) -> Report:
    """Runs a network with shots, without noise and with that of a chip: the report on the last."""
    asked = question(run.task, 0, steps)
    with console.status(f"transpiling a circuit to {CHIP}"):
        inspection = inspect_circuit(
            run.model,
            asked.inputs,
            asked.outcomes,
            realisations=["multiplexed"],
            target=CHIP,
            tolerance=TOLERANCE,
            encoding="angles",
        )
    (entry,) = inspection.realisations
    if entry.transpiled is not None:
        console.print(
            f"The circuit up to the last answer, after {len(asked.inputs)} steps, on {CHIP}: "
            f"{entry.transpiled.qubits} qubits, {entry.transpiled.two_qubit_gates:,} two-qubit "
            "gates.",
            highlight=False,
        )
    for noise, name in ((None, "qrnn.aer"), (CHIP, f"qrnn.aer with the noise of {CHIP}")):
        with console.status(f"running {sequences} test sequences on {name}"):
            report = answers(
                run,
                sequences=sequences,
                steps=steps,
                tolerance=TOLERANCE,
                encoding="angles",
                noise=noise,
            )
        show_answers(report, name, console)
    return report


def main() -> None:
    """Tells the whole story."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for all output")
    out: Path = parser.parse_args().out
    console = Console()
    started = time.monotonic()

    console.print(
        "Three small networks learn exactly, on this computer, and then answer as circuits: what "
        "one measurement (a shot) says, and what most of them say."
    )
    console.rule("Handwritten digits 0 and 1, 64 pixels, two bits a step, one readout")
    run = train("digits", out / "digits", console, data="embedded")
    with console.status(f"running {SHOWN_DIGITS} test sequences on qrnn.aer"):
        report = answers(run, sequences=SHOWN_DIGITS)
    show_answers(report, "qrnn.aer", console)
    draw(run, out / "digits", report, out / "digits.png")
    console.print(f"Loss curve and answers: {out / 'digits.png'}")

    console.rule("Digits by two principal components, for a chip")
    run = train("digits", out / "components", console, data="embedded", reduce="pca")
    run_on_chip(run, console, sequences=30)
    asked = question(run.task, 0)
    circuit = compile_circuit(
        run.model, asked.inputs, asked.outcomes, tolerance=TOLERANCE, encoding="angles"
    )
    draw_step(circuit, len(asked.inputs) - 1).savefig(out / "step.png", dpi=150)
    console.print(f"The last step as a circuit: {out / 'step.png'}")

    console.rule("XOR, for a chip")
    run = train("xor", out / "xor", console)
    report = run_on_chip(run, console, sequences=10, steps=12)
    first = report.circuits[:SHOWN_ANSWERS]
    shown = replace(report, circuits=first, device=f"qrnn.aer with the noise of {CHIP}")
    draw_report(shown).savefig(out / "answers.png", dpi=150)
    console.print(f"Answers under the noise beside the exact ones: {out / 'answers.png'}")
    console.rule()
    console.print(
        f"Done in {time.monotonic() - started:.0f} s. {out / 'xor'}, {out / 'digits'} and "
        f"{out / 'components'} are folders as of qrnn train, for every command that takes one: "
        f".venv/bin/qrnn report {out / 'xor'} writes a page about the one that was trained last.",
        highlight=False,
    )


if __name__ == "__main__":
    main()
