"""Forecasts of a trained layer whose circuits run on a device, beside the exact ones."""

import time
from typing import Any

import pennylane as qml
import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.checks import check_integer
from qrnn_circuits.execution.forecast_plan import ForecastPlan, only_cell
from qrnn_circuits.execution.forecast_report import ForecastReport, make_forecast_report
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.training import TrainedRun
from qrnn_circuits.training.validation import judged


def window_circuit(
    run: TrainedRun[Any, Any], window: int = 0
) -> tuple[RecurrentNetwork, Tensor, list[int | None]]:
    """What the circuit of a test window is compiled from, as :func:`run_forecast` runs it.

    Args:
        run: A forecast by the cell ``"qrnn"``, of one layer in one direction.
        window: Of the test, from 0; its scaled values are in the angles of the gates.

    Returns:
        The cell as a network, the features of the steps, shape ``(T, F)``, and their outcomes:
        every step but the last is unread, and the last is sampled.

    Raises:
        FileNotFoundError: If the task's file is missing.
        TypeError: If the window is not an integer.
        ValueError: If the network is another, or there is no such window.
    """
    cell, test = only_cell(run), run.task.test()
    check_integer("sequence", window, 0, len(test) - 1)
    inputs = test.inputs[window].to(run.model.head.weight.dtype)
    return RecurrentNetwork(cell), inputs, [UNREAD] * (len(inputs) - 1) + [None]


def run_forecast(
    plan: ForecastPlan,
    run: TrainedRun[Any, Any],
    device: "qml.devices.Device",
    *,
    title: str | None = None,
) -> ForecastReport:
    """Forecasts windows on a device, and waits for it.

    Args:
        plan: The windows.
        run: What it was made of.
        device: A PennyLane device.
        title: What the report calls it, by default by its name.

    Raises:
        ValueError: If the layer cannot be run so; and whatever the device raises.
    """
    layer: Any = run.model.layer
    inputs = run.task.test().rows(torch.tensor(plan.rows)).inputs
    options = {} if plan.realisation is None else {"realisation": plan.realisation}
    start = time.perf_counter()
    with torch.no_grad(), judged(run.model), qml.Tracker(device) as tracker:
        on_device = layer.on(device, shots=plan.shots, **options)
        outputs, _ = on_device(inputs.to(run.model.head.weight))
    return make_forecast_report(
        plan,
        outputs[:, -1],
        device=device.name if title is None else title,
        seconds=time.perf_counter() - start,
        kept=tracker.history.get("kept_shots"),
    )
