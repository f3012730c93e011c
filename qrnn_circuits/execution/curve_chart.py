"""The logged curves of a run as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

Curves = Mapping[str, Sequence[tuple[int, float]]]

_LOSS, _ERROR = "loss", "validation error"
# Panels, and the curves in each with their words and styles, told apart in grey as well.
_PANELS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    _LOSS: {
        "train/loss": ("training", {"color": "#b3b3b3", "linewidth": 1}),
        "validation/loss": ("validation", {"color": "black", "linewidth": 1.6}),
    },
    _ERROR: {
        "validation/error": ("most probable answer", {"color": "black", "linewidth": 1.6}),
        "validation/sampled_error": (
            "one measurement",
            {"color": "#d95f02", "linewidth": 1.6, "linestyle": "--"},
        ),
    },
    "log10 of the acceptance": {
        "validation/log10_acceptance": ("", {"color": "#1f78b4", "linewidth": 1.6}),
    },
}


def curve_figure(curves: Curves, error: str = "validation error") -> Figure:
    """Draws loss, errors and acceptance by optimiser step, a panel for each that was logged.

    Args:
        curves: Pairs of step and value by name, as
            :func:`~qrnn_circuits.training.read_scalars` gives them; one at least.
        error: What the error is that was validated.

    Example:
        >>> figure = curve_figure({"train/loss": [(1, 2.0), (2, 1.0)]})
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss']
    """
    panels = {
        label: {name: style for name, style in styles.items() if name in curves}
        for label, styles in _PANELS.items()
    }
    panels = {label: styles for label, styles in panels.items() if styles}
    figure = Figure(figsize=(5.8, 2.2 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (label, styles) in zip(rows, panels.items(), strict=True):
        for name, (words, style) in styles.items():
            # A point alone has no line.
            marker = "o" if len(curves[name]) < 30 else ""
            steps, values = zip(*curves[name], strict=True)
            axes.plot(steps, values, label=words, marker=marker, markersize=3, **style)
        axes.set_ylabel(error if label == _ERROR else label)
        positive = all(value > 0 for name in styles for _, value in curves[name])
        if label == _LOSS and positive:
            axes.set_yscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        if len(styles) > 1:
            axes.legend(frameon=False, fontsize=9)
    rows[-1].set_xlabel("optimiser step")
    return figure
