"""Forecasts of a trained layer whose circuits run on a device, beside the exact ones."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.checks import check_integer, check_positive_integer
from qrnn_circuits.execution.plan import spread_rows
from qrnn_circuits.forecaster import Forecaster
from qrnn_circuits.layers import QRNNLayer
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import Forecast, SeriesBatch
from qrnn_circuits.training import TrainedRun
from qrnn_circuits.training.validation import forecasts

if TYPE_CHECKING:
    import pennylane as qml


@dataclass(frozen=True)
class ForecastPlan:
    """Test windows that are to be forecast on a device.

    Attributes:
        run: The network and its task.
        rows: Of the windows in the test, from 0.
        batch: The windows and what came.
        shots: Of each circuit, or None.
        realisation: How neurons are built, or None for the layer's own choice.
    """

    run: TrainedRun[Forecast, Forecaster]
    rows: Sequence[int]
    batch: SeriesBatch
    shots: int | None
    realisation: str | None


@dataclass(frozen=True)
class ForecastReport:
    """What a device forecasts, beside the exact network and what came.

    Attributes:
        cell: Name of the layer.
        device: What the device is called.
        shots: Of each circuit, or None.
        kept: The fewest shots that postselection left a circuit; None where that is not known.
        seconds: Wall time on the device.
        rows: Of the windows in the test, from 0.
        targets: Name of each of the K values that are forecast.
        scaled_errors: Mean squared error of each window's scaled values, on the device and exactly,
            shape ``(2, N)``.
        forecasts: In the units of the series: on the device, exactly, and what came, shape
            ``(3, N, K)``.
        mean_error: Mean squared error of the mean of the test taken for every forecast, of scaled
            values.

    Example:
        >>> values = torch.tensor([[[1.0], [2.0]], [[1.0], [1.0]], [[0.0], [1.0]]])
        >>> errors = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
        >>> report = ForecastReport(
        ...     "qrnn", "qrnn.aer", 100, None, 0.5, (0, 9), ("x",), errors, values, 0.8
        ... )
        >>> report.mean_squared_error, report.exact_mean_squared_error
        ((1.0, 0.0), (0.5, 0.5))
        >>> report.remark
        "no better on the device than the test's mean: noise or too few shots hide the forecasts"
    """

    cell: str
    device: str
    shots: int | None
    kept: int | None
    seconds: float
    rows: Sequence[int]
    targets: Sequence[str]
    scaled_errors: Tensor
    forecasts: Tensor
    mean_error: float

    @property
    def remark(self) -> str | None:
        """Why the forecasts of the device are worthless, if they are."""
        if self.mean_squared_error[0] < self.mean_error:
            return None
        if self.exact_mean_squared_error[0] < self.mean_error:
            cause = "noise or too few shots hide the forecasts"
        else:
            cause = "nor is the exact network, which has not learnt"
        return f"no better on the device than the test's mean: {cause}"

    @property
    def mean_squared_error(self) -> tuple[float, float | None]:
        """Of the scaled values on the device, and its standard error, None of a single window."""
        return _mean_and_error(self.scaled_errors[0])

    @property
    def exact_mean_squared_error(self) -> tuple[float, float | None]:
        """The same of the exact network, on the same windows."""
        return _mean_and_error(self.scaled_errors[1])

    @property
    def root_mean_squared_errors(self) -> dict[str, tuple[float, float, float]]:
        """Of each target, in its own units: on the device, exactly, and of device from exact."""
        device, exact, truth = self.forecasts
        pairs = ((device, truth), (exact, truth), (device, exact))
        columns = [(one - other).square().mean(0).sqrt().tolist() for one, other in pairs]
        return dict(zip(self.targets, zip(*columns, strict=True), strict=True))

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        figures: dict[str, Any] = {
            "cell": self.cell,
            "device": self.device,
            "shots": self.shots,
            "fewest_kept": self.kept,
            "seconds": self.seconds,
        }
        for name in ("mean_squared_error", "exact_mean_squared_error"):
            figures[name], figures[f"{name}_error"] = getattr(self, name)
        figures["mean_error"], figures["remark"] = self.mean_error, self.remark
        names = ("device", "exact", "difference")
        figures["root_mean_squared_errors"] = {
            target: dict(zip(names, errors, strict=True))
            for target, errors in self.root_mean_squared_errors.items()
        }
        device, exact, truth = self.forecasts.tolist()
        figures["windows"] = [
            {"window": row, "device": found, "exact": wanted, "truth": right}
            for row, found, wanted, right in zip(self.rows, device, exact, truth, strict=True)
        ]
        return figures


def plan_forecast(
    run: TrainedRun[Any, Any],
    *,
    windows: int | None = None,
    shots: int | None = None,
    realisation: str | None = None,
) -> ForecastPlan:
    """Chooses test windows to be forecast on a device.

    Args:
        run: A network that forecasts real values, and its task.
        windows: How many, spread evenly over the test; None for 10, or for all of a smaller test.
        shots: Of each circuit; None for exact numbers, of simulators.
        realisation: How neurons are built, of layers that have any.

    Raises:
        FileNotFoundError: If the task's file is missing.
        TypeError: If a number is not an integer.
        ValueError: If the layer has no circuits or no neurons, or a number is out of range.
    """
    layer: Any = run.model.layer
    cell = run.config.cell
    if not hasattr(layer, "on"):
        raise ValueError(
            f"a run on a device needs a cell of circuits, but the run has {cell!r}: test it with "
            "qrnn evaluate, or train it again with --cell qrnn"
        )
    if realisation is not None and "realisation" not in signature(layer.on).parameters:
        raise ValueError(
            f"realisation must be left out for the cell {cell!r}, whose circuits have no neurons "
            f"to build, got {realisation!r}"
        )
    if shots is not None:
        check_positive_integer("shots", shots)
    test = run.task.test()
    rows = spread_rows(windows, len(test))
    return ForecastPlan(run, tuple(rows.tolist()), test.rows(rows), shots, realisation)


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
    layer, cell = run.model.layer, run.config.cell
    if not isinstance(layer, QRNNLayer):
        raise ValueError(
            f"the circuit of a window needs the cell 'qrnn', but the run has {cell!r}: its layer "
            "runs on a device with qrnn run, if it has circuits"
        )
    if len(layer.cells) > 1:
        raise ValueError(
            f"the circuit of a window needs one layer in one direction, got {len(layer.cells)} "
            "cells, of which some read what others give: qrnn run runs them on a device"
        )
    test = run.task.test()
    check_integer("sequence", window, 0, len(test) - 1)
    inputs = test.inputs[window].to(run.model.head.weight.dtype)
    (only,) = layer.cells
    return (
        RecurrentNetwork(cast(FeatureQRNNCell, only)),
        inputs,
        [UNREAD] * (len(inputs) - 1) + [None],
    )


def run_forecast(
    plan: ForecastPlan, device: "qml.devices.Device", *, title: str | None = None
) -> ForecastReport:
    """Forecasts windows on a device.

    Args:
        plan: The windows.
        device: A PennyLane device.
        title: What the report calls it, by default by its name.

    Raises:
        ValueError: If the layer cannot be run so; and whatever the device raises.
    """
    import pennylane as qml

    model, batch = plan.run.model, plan.batch
    layer: Any = model.layer
    options = {} if plan.realisation is None else {"realisation": plan.realisation}
    start = time.perf_counter()
    with torch.no_grad(), qml.Tracker(device) as tracker:
        on_device = layer.on(device, shots=plan.shots, **options)
        weight = model.head.weight
        output, _ = on_device(batch.inputs.to(weight))
        found = model.head(output[:, -1]).to(batch.targets)
    seconds = time.perf_counter() - start
    exact = forecasts(model, batch)
    kept = [count for count in tracker.history.get("kept_shots", ()) if count is not None]
    values = torch.stack([found, exact, batch.targets])
    return ForecastReport(
        cell=plan.run.config.cell,
        device=device.name if title is None else title,
        shots=plan.shots,
        kept=min(kept) if kept else None,
        seconds=seconds,
        rows=plan.rows,
        targets=plan.run.task.target_names,
        scaled_errors=(values[:2] - values[2]).square().mean(-1),
        forecasts=plan.run.task.unscaled(values),
        mean_error=float(plan.run.task.test().targets.var(0, correction=0).mean()),
    )


def _mean_and_error(errors: Tensor) -> tuple[float, float | None]:
    """A mean and its standard error."""
    spread = float(errors.std() / len(errors) ** 0.5) if len(errors) > 1 else None
    return float(errors.mean()), spread
