"""The error of forecasts by circuits, against the number of shots, without and with a chip's noise.

Trains a small QRNN layer on the Henon map, two points in a window, and runs its forecasts of some
test windows on qrnn.aer: exactly, with shots, and with shots under a chip's noise. A shot reads all
lane wires of a window's last step at once, and nothing is postselected. Prints Markdown and draws
the errors; a law of 1/shots is drawn through the last point without noise.

    python -m benchmarks.forecast_shots [--windows 40] [--noise fake_fez] [--chart forecast.png]
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from qrnn_circuits import load_run
from qrnn_circuits.tasks import SeriesBatch
from qrnn_circuits.training import RunConfig, Trainer

SETTINGS = {
    "workspace": 2,
    "stages": 1,
    "hidden_size": 4,
    "steps": 40,
    "task_options": {"series": "henon", "window": 2},
}
SHOTS = (100, 400, 1600, 6400, 25600)


def error(run: Any, batch: SeriesBatch, **device: Any) -> float:  # noqa: ANN401
    """The mean squared error of forecasts of a batch by circuits on a device."""
    layer = run.model.layer.on(device.pop("name"), **device)
    with torch.no_grad():
        found = run.model.head(layer(batch.inputs)[0][:, -1])
    return float((found - batch.targets).square().mean())


def main() -> None:
    """Prints the table, each row as soon as it is known, and draws it."""
    import pennylane as qml

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=40)
    parser.add_argument("--noise", default="fake_fez")
    parser.add_argument("--chart", type=Path, default=Path("forecast_shots.png"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig.resolve("forecast", SETTINGS, {"seed": arguments.seed})
        Trainer.start(config, Path(folder) / "run").run()
        run = load_run(Path(folder) / "run")
    batch = run.task.test().rows(slice(arguments.windows))
    spread = float(batch.targets.var(0, correction=0).mean())
    with torch.no_grad():
        exact = float(run.model.loss(*batch.tensors))
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    print(f"Henon map, {arguments.windows} test windows, {parameters} parameters.")
    print(f"Mean squared error of the exact model {exact:.2e}; of their mean {spread:.2e}.\n")
    print(f"| shots | qrnn.aer | under {arguments.noise} | seconds |")
    print("| --- | --- | --- | --- |")
    without = error(run, batch, name="qrnn.aer")
    print(f"| exact | {without:.2e} | | |", flush=True)
    devices = {
        "qrnn.aer": qml.device("qrnn.aer", seed=1),
        f"under {arguments.noise}": qml.device("qrnn.aer", noise=arguments.noise, seed=1),
    }
    rows: dict[str, list[float]] = {name: [] for name in devices}
    for shots in SHOTS:
        started = time.perf_counter()
        for name, device in devices.items():
            rows[name].append(error(run, batch, name=device, shots=shots))
        shown = " | ".join(f"{rows[name][-1]:.2e}" for name in devices)
        print(f"| {shots:,} | {shown} | {time.perf_counter() - started:.0f} |", flush=True)
    draw(rows, exact, spread, arguments.chart)
    print(f"\nDrawn in {arguments.chart}.")


def draw(rows: dict[str, list[float]], exact: float, spread: float, path: Path) -> None:
    """Draws errors against shots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for (name, errors), style in zip(rows.items(), ("o-", "s--"), strict=True):
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
