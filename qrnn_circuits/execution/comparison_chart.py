"""The validation curves of several runs in one chart, told apart in grey as well."""

from collections.abc import Sequence
from statistics import median

from matplotlib.figure import Figure

from qrnn_circuits.execution.comparison import Comparison
from qrnn_circuits.execution.run_report import Curve

# Colours of Okabe and Ito, which the colour-blind tell apart, each with a line and a mark.
_STYLES = (
    ("#000000", "-", "o"),
    ("#d55e00", "--", "s"),
    ("#0072b2", "-.", "^"),
    ("#009e73", ":", "D"),
    ("#cc79a7", (0, (5, 1)), "v"),
    ("#e69f00", (0, (3, 1, 1, 1)), "P"),
    ("#56b4e9", (0, (1, 1)), "X"),
)
_PANELS = {"validation/loss": "validation loss", "validation/error": "validation error"}
_MARKS = 8


def comparison_figure(comparison: Comparison) -> Figure | None:
    """Draws validation loss and error of all candidates by optimiser step.

    Of several seeds the line is the median, and the band goes from the least to the greatest.

    Args:
        comparison: The candidates.

    Returns:
        The figure; None where nothing was logged.
    """
    logged = {
        name: [
            (each, curves)
            for each in comparison.candidates
            if (curves := [run[name] for run in each.curves if run.get(name)])
        ]
        for name in _PANELS
    }
    logged = {name: shown for name, shown in logged.items() if shown}
    if not logged:
        return None
    figure = Figure(figsize=(6.4, 2.6 * len(logged)), layout="constrained")
    rows = figure.subplots(len(logged), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, shown) in zip(rows, logged.items(), strict=True):
        positive = True
        for candidate, curves in shown:
            place = comparison.candidates.index(candidate)
            colour, line, mark = _STYLES[place % len(_STYLES)]
            steps, least, middle, greatest = _band(curves)
            positive &= min(least) > 0
            axes.plot(
                steps,
                middle,
                color=colour,
                linestyle=line,
                marker=mark,
                markersize=4,
                markevery=max(1, len(steps) // _MARKS),
                linewidth=1.6,
                label=candidate.letter,
            )
            if len(curves) > 1:
                axes.fill_between(steps, least, greatest, color=colour, alpha=0.15, linewidth=0)
        label = _PANELS[name]
        if comparison.of_series and name == "validation/error":
            label = "normalised validation error"
        axes.set_ylabel(label)
        if name == "validation/loss" and positive:
            axes.set_yscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9, handlelength=4)
    rows[-1].set_xlabel("optimiser step")
    return figure


def _band(
    curves: Sequence[Curve],
) -> tuple[list[int], list[float], list[float], list[float]]:
    """Steps, and the least, middle and greatest value of the runs that have each of them."""
    values: dict[int, list[float]] = {}
    for curve in curves:
        for step, value in curve:
            values.setdefault(step, []).append(value)
    steps = sorted(values)
    found = [values[step] for step in steps]
    return steps, [min(v) for v in found], [median(v) for v in found], [max(v) for v in found]
