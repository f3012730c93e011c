"""The error of forecasts by circuits, against the number of shots, without and with a chip's noise.

Trains a small QRNN layer on the Henon map, two points in a window, and runs its forecasts of some
test windows on qrnn.aer: exactly, with shots, and with shots under a chip's noise. A shot reads all
lane wires of a window's last step at once, and nothing is postselected. A chip's noise shrinks what
it returns, which a linear readout can undo: another one is fitted by ridge regression to training
windows that have run there with as many shots. Prints Markdown and draws the errors; a law of
1/shots is drawn through the last point without noise.

    python -m benchmarks.forecast_shots [--windows 40] [--noise fake_fez] [--chart forecast.png]
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.runs import trained
from benchmarks.tables import print_head, print_row
from qrnn_circuits.tasks import SeriesBatch
from qrnn_circuits.training import RunConfig

SETTINGS = {
    "workspace": 2,
    "stages": 1,
    "hidden_size": 4,
    "steps": 40,
    "task_options": {"series": "henon", "window": 2},
}
SHOTS = (100, 400, 1600, 6400, 25600)


def returned(run: Any, batch: SeriesBatch, device: Any, shots: int | None = None) -> torch.Tensor:  # noqa: ANN401
    """What the layer returns of each window's last step on a device, shape ``(B, H)``."""
    with torch.no_grad():
        output: torch.Tensor = run.model.layer.on(device, shots=shots)(batch.inputs)[0][:, -1]
    return output


def error(run: Any, values: torch.Tensor, batch: SeriesBatch) -> float:  # noqa: ANN401
    """The mean squared error of the trained readout of such values."""
    with torch.no_grad():
        return float((run.model.head(values) - batch.targets).square().mean())


def refitted_error(
    fitted: tuple[torch.Tensor, SeriesBatch], values: torch.Tensor, batch: SeriesBatch
) -> float:
    """The mean squared error of a readout that is fitted to other values and their targets."""
    from sklearn.linear_model import RidgeCV

    ridge = RidgeCV(alphas=[10.0**power for power in range(-6, 2)])
    ridge.fit(fitted[0].numpy(), fitted[1].targets.numpy())
    found = torch.from_numpy(ridge.predict(values.numpy()))
    return float((found - batch.targets).square().mean())


def main() -> None:
    """Prints the table, each row as soon as it is known, and draws it."""
    import pennylane as qml

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--fitted", type=int, default=150, help="training windows to fit to")
    parser.add_argument("--noise", default="fake_fez")
    parser.add_argument("--chart", type=Path, default=Path("forecast_shots.png"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    run = trained(RunConfig.resolve("forecast", SETTINGS, {"seed": arguments.seed}))
    batch = run.task.test().rows(slice(arguments.windows))
    spread = float(batch.targets.var(0, correction=0).mean())
    with torch.no_grad():
        exact = float(run.model.loss(*batch.tensors))
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    print(f"Henon map, {arguments.windows} test windows, {parameters} parameters.")
    print(f"Mean squared error of the exact model {exact:.2e}; of their mean {spread:.2e}.\n")
    noisy = f"under {arguments.noise}"
    rows: dict[str, list[float]] = {"qrnn.aer": [], noisy: [], f"{noisy}, fitted there": []}
    print_head(["shots", *rows, "seconds"])
    without = error(run, returned(run, batch, "qrnn.aer"), batch)
    print_row(["exact", f"{without:.2e}", "", "", ""])
    quiet = qml.device("qrnn.aer", seed=1)
    chip = qml.device("qrnn.aer", noise=arguments.noise, seed=1)
    training = run.task.training().rows(slice(arguments.fitted))
    for shots in SHOTS:
        started = time.perf_counter()
        values = returned(run, batch, chip, shots)
        fitted = returned(run, training, chip, shots), training
        errors = (
            error(run, returned(run, batch, quiet, shots), batch),
            error(run, values, batch),
            refitted_error(fitted, values, batch),
        )
        for row, found in zip(rows.values(), errors, strict=True):
            row.append(found)
        shown = [f"{found:.2e}" for found in errors]
        print_row([f"{shots:,}", *shown, f"{time.perf_counter() - started:.0f}"])
    draw(rows, exact, spread, arguments.chart)
    print(f"\nDrawn in {arguments.chart}.")


def draw(rows: dict[str, list[float]], exact: float, spread: float, path: Path) -> None:
    """Draws errors against shots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for (name, errors), style in zip(rows.items(), ("o-", "s--", "^--"), strict=True):
        axes.loglog(SHOTS, errors, style, label=name)
    ideal = [(rows["qrnn.aer"][-1] - exact) * SHOTS[-1] / shots for shots in SHOTS]
    axes.loglog(SHOTS, ideal, ":", color="grey", label="shot noise, 1/shots")
    axes.axhline(exact, color="black", linewidth=1, label="exact model")
    axes.axhline(spread, color="grey", linewidth=1, linestyle="-.", label="mean of the truth")
    axes.set_xlabel("shots of each window")
    axes.set_ylabel("mean squared error (scaled values)")
    axes.set_title("Forecasts of the Henon map by circuits")
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
