"""A picture of forecasts beside what came."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from qrnn_circuits.execution.chart import check_chart_path
from qrnn_circuits.training.forecast_evaluation import Forecasts

# More points of a series than this would be a band of ink.
_SHOWN = 120
_MARKS: dict[str, Any] = {
    "color": "#d95f02",
    "linestyle": "none",
    "marker": "o",
    "markerfacecolor": "none",
    "markersize": 3,
}


def draw_forecasts(forecasts: Forecasts, names: tuple[str, ...], title: str, path: Path) -> None:
    """Draws the last points of a test with their forecasts, and all forecasts against the truth.

    Args:
        forecasts: In order of time.
        names: Of the targets.
        title: Of the picture.
        path: Of the file; its ending is that of a format that matplotlib writes.

    Raises:
        OSError: If it cannot be written.
        ValueError: If matplotlib does not write such files.

    Example:
        >>> import numpy as np
        >>> truth = np.sin(np.arange(30.0))[:, None]
        >>> found = Forecasts(truth + 0.1, truth)
        >>> draw_forecasts(found, ("x",), "A sine", Path("forecasts.png"))
        >>> Path("forecasts.png").exists()
        True
    """
    check_chart_path(path)
    forecast_figure(forecasts, names, title).savefig(path, dpi=150)


def forecast_figure(forecasts: Forecasts, names: tuple[str, ...], title: str) -> Figure:
    """The picture that :func:`draw_forecasts` writes; names and title are shown as they are.

    Args:
        forecasts: In order of time.
        names: Of the targets.
        title: Of the picture.
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
        right.set_ylabel(f"forecast of {name}", parse_math=False)
    axes[-1, 0].set_xlabel("test window")
    axes[-1, 1].set_xlabel("truth")
    lines, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=2)
    return figure
