"""A report as a bar chart."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qrnn_circuits.execution.plan import Plan
from qrnn_circuits.execution.report import CircuitReport, Report

# From ColorBrewer's qualitative palette Paired.
_EXACT_COLOUR, _DEVICE_COLOUR, _RIGHT_COLOUR = "#b3b3b3", "#1f78b4", "#33a02c"
_WIDTH, _LEAST_WIDTH, _MOST_PANELS = 12.0, 5.5, 24
# Of the names below a panel: longer ones are cut, and more letters stand upright.
_LONGEST_NAME, _MOST_LETTERS = 12, 24


def draw_report(report: Report) -> Figure:
    """Exact and device distributions side by side, a panel for each circuit.

    A line of panels is a sequence, where it fits. Bars of a device with shots have an error bar of
    one standard error. Of more circuits than fit, the first are shown.
    """
    shown = report.circuits[:_MOST_PANELS]
    width = max(1.9, 0.3 * len(shown[0].distribution) + 0.5)
    first = [circuit.planned.sequence == shown[0].planned.sequence for circuit in shown]
    columns = min(max(1, int(_WIDTH / width)), sum(first) if sum(first) > 1 else len(shown))
    lines = -(-len(shown) // columns)
    size = (max(_LEAST_WIDTH, width * columns), 2.1 * lines + 1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    called = "class" if report.plan.class_names else "symbol"
    for panel, circuit in zip(axes.flat, shown, strict=False):
        _draw_circuit(panel, circuit, report.plan)
        panel.set_xlabel(called, fontsize=8)
    for panel in axes.flat[len(shown) :]:
        panel.set_axis_off()
    for panel in axes[:, 0]:
        panel.set_ylabel("probability", fontsize=8)
    figure.suptitle(_title(report, len(shown)), fontsize=9, parse_math=False)
    handles, _ = axes[0, 0].get_legend_handles_labels()
    handles.append(Patch(fill=False, edgecolor=_RIGHT_COLOUR, label=f"right {called}"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _draw_circuit(axes: Axes, circuit: CircuitReport, plan: Plan) -> None:
    planned = circuit.planned
    places = np.arange(len(planned.exact))
    device = np.array(circuit.distribution)
    error = None
    if circuit.kept is not None:
        error = np.sqrt(device * (1 - device) / circuit.kept)
    axes.bar(places - 0.2, planned.exact, 0.4, label="exact", color=_EXACT_COLOUR)
    axes.bar(
        places + 0.2,
        device,
        0.4,
        yerr=error,
        label="device",
        color=_DEVICE_COLOUR,
        error_kw={"elinewidth": 1, "capsize": 2},
    )
    axes.set_ylim(0, 1.05)
    names = [_shortened(plan.name_of(place)) for place in range(len(places))]
    upright = sum(map(len, names)) > _MOST_LETTERS
    axes.set_xticks(places, names, rotation=90 if upright else 0, parse_math=False)
    axes.tick_params(labelsize=8, labelbottom=True)
    axes.get_xticklabels()[planned.right].set_bbox(
        {"edgecolor": _RIGHT_COLOUR, "facecolor": "none", "boxstyle": "square,pad=0.25"}
    )
    axes.spines[["top", "right"]].set_visible(False)
    by_chance = "" if circuit.kept is None else f" (by chance {circuit.noise:.3f})"
    axes.set_title(
        f"sequence {planned.sequence}, step {planned.step}\nTVD {circuit.distance:.3f}{by_chance}",
        fontsize=8,
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _title(report: Report, shown: int) -> str:
    plan = report.plan
    text = f"{plan.task} on {report.device}\n{plan.realisation}, {plan.sampling}: "
    text += f"{report.accuracy:.1%} right"
    if shown < len(report.circuits):
        text += f" (shown: {shown} of {len(report.circuits)} circuits)"
    return text
