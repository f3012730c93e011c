"""A picture of forecasts beside what came."""

from typing import Any

from matplotlib.figure import Figure

from qrnn_circuits.execution.forecast_report import ForecastReport
from qrnn_circuits.training.forecast_evaluation import Forecasts

# More points of a series than this would be a band of ink.
_SHOWN = 120
# More numbers below a narrow picture would touch, as those of pressures do.
_INTERVALS = 3
_MARKS: dict[str, Any] = {
    "color": "#d95f02",
    "linestyle": "none",
    "marker": "o",
    "markerfacecolor": "none",
    "markersize": 3,
}


def forecast_figure(forecasts: Forecasts, names: tuple[str, ...], title: str) -> Figure:
    """Draws the last points of a test with their forecasts, and all forecasts against the truth.

    Args:
        forecasts: In order of time.
        names: Of the targets, shown as they are.
        title: Of the picture, shown as it is.

    Example:
        >>> import numpy as np
        >>> truth = np.sin(np.arange(30.0))[:, None]
        >>> len(forecast_figure(Forecasts(truth + 0.1, truth), ("x",), "A sine").axes)
        2
    """
    figure = Figure(figsize=(10, 1 + 2.4 * len(names)), layout="constrained")
    figure.suptitle(title, parse_math=False)
    axes = figure.subplots(len(names), 2, squeeze=False, width_ratios=[3, 1])
    first = max(0, len(forecasts.truth) - _SHOWN)
    times = range(first, len(forecasts.truth))
    for (left, right), name, truth, found in zip(
        axes, names, forecasts.truth.T, forecasts.found.T, strict=True
    ):
        left.plot(times, truth[first:], color="black", linewidth=1, label="truth")
        left.plot(times, found[first:], label="forecast", **_MARKS)
        left.set_ylabel(name, parse_math=False)
        low, high = min(truth.min(), found.min()), max(truth.max(), found.max())
        right.plot([low, high], [low, high], color="black", linewidth=1)
        right.plot(truth, found, **_MARKS)
        right.locator_params(axis="x", nbins=_INTERVALS)
        right.set_ylabel(f"forecast of {name}", parse_math=False)
    axes[-1, 0].set_xlabel("test window")
    axes[-1, 1].set_xlabel("truth")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def device_forecast_figure(report: ForecastReport) -> Figure:
    """Draws forecasts on a device beside the exact ones and the truth.

    Example:
        >>> import torch
        >>> report = ForecastReport(
        ...     cell="qrnn", device="qrnn.aer", shots=100, mitigation=None, kept=None, seconds=0.5,
        ...     rows=(0, 9), targets=("x",), scaled_errors=torch.zeros(2, 2),
        ...     forecasts=torch.zeros(3, 2, 1), mean_error=1.0,
        ... )
        >>> device_forecast_figure(report).axes[0].get_ylabel()
        'x'
    """
    figure = Figure(figsize=(7, 1 + 2.4 * len(report.targets)), layout="constrained")
    figure.suptitle(f"Forecasts of {report.cell} on {report.device}", parse_math=False)
    axes = figure.subplots(len(report.targets), 1, squeeze=False)[:, 0]
    for axis, name, (device, exact, truth) in zip(
        axes, report.targets, report.forecasts.permute(2, 0, 1).numpy(), strict=True
    ):
        # Windows are apart: a line between them would be a truth that nobody knows.
        axis.plot(report.rows, truth, "_", color="black", markersize=10, label="truth")
        axis.plot(report.rows, exact, "x", color="#1b9e77", markersize=4, label="exact")
        axis.plot(report.rows, device, label="device", **_MARKS)
        axis.set_ylabel(name, parse_math=False)
    axes[-1].set_xlabel("test window")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
