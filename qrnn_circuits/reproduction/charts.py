"""Charts of experiments, which are told apart in grey too."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from qrnn_circuits.checks import similar
from qrnn_circuits.reproduction.experiment import Case, ChartSettings, Experiment, row_name
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.reproduction.tables import figure as figure_of
from qrnn_circuits.reproduction.tables import quartiles

Runs = Mapping[tuple[str, int], RunResult]
Results = Sequence[tuple[Experiment, Runs]]

# Of Okabe and Ito, which the colour-blind tell apart; each with a marker and a line of its own.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999999")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":")
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "++", "**")
_WIDTH, _HEIGHT = 6.4, 4.2


def draw(settings: ChartSettings, results: Results) -> Figure | None:
    """Draws a chart of the finished runs.

    Args:
        settings: What is drawn, and how.
        results: The experiment with its finished runs by case and seed; then those that are drawn
            beside it.

    Returns:
        The figure; None where no run has what it shows.

    Raises:
        ValueError: If there is no such kind of chart.

    Example:
        >>> from qrnn_circuits.reproduction.experiment_files import read_experiment
        >>> experiment = read_experiment("dna")
        >>> draw(experiment.charts[0], [(experiment, {})]) is None
        True
    """
    if settings.kind not in _KINDS:
        raise ValueError(f"unknown kind of chart {settings.kind!r}{similar(settings.kind, _KINDS)}")
    drawn = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = drawn.subplots()
    if not _KINDS[settings.kind](axes, settings, results):
        return None
    axes.set_xlabel(settings.x_label)
    if settings.kind != "heat_map":
        axes.set_ylabel(settings.y_label)
        axes.spines[["top", "right"]].set_visible(False)
        if settings.x_log:
            axes.set_xscale("log")
        if settings.y_log:
            axes.set_yscale("log")
    return drawn


def _cases(settings: ChartSettings, experiment: Experiment) -> list[Case]:
    return [
        case
        for case in experiment.cases
        if not settings.cases or case.name in settings.cases or case.entry in settings.cases
    ]


def _own(runs: Runs, cases: Sequence[Case]) -> list[RunResult]:
    keys = [(case.name, seed) for case in cases for seed in range(case.seeds)]
    return [runs[key] for key in keys if key in runs]


def _values(settings: ChartSettings, runs: Runs, cases: Sequence[Case]) -> list[float | None]:
    """The quantity of the finished runs of some cases."""
    values = [figure_of(run, settings.quantity) for run in _own(runs, cases)]
    least = settings.least
    return [
        max(value, least) if value is not None and least is not None else value for value in values
    ]


def _heat_map(axes: Axes, settings: ChartSettings, results: Results) -> bool:
    """Medians over all that is neither on the one axis nor on the other."""
    experiment, runs = results[0]
    cases = _cases(settings, experiment)
    across = list(dict.fromkeys(case.varied[settings.x] for case in cases))
    down = list(dict.fromkeys(_row_value(case, settings) for case in cases))
    grid = np.full((len(down), len(across)), np.nan)
    for row, vertical in enumerate(down):
        for column, horizontal in enumerate(across):
            own = [
                case
                for case in cases
                if (case.varied[settings.x], _row_value(case, settings)) == (horizontal, vertical)
            ]
            values = _values(settings, runs, own)
            median = quartiles(values)[1]
            if median is not None:
                grid[row, column] = median
            elif values:
                axes.text(column, row, "x", ha="center", va="center", color="#666666")
    if np.isnan(grid).all():
        return False
    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    norm = LogNorm(low, high) if settings.y_log and 0 < low < high else None
    image = axes.imshow(grid, norm=norm, cmap="cividis", aspect="auto")
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across], rotation=90)
    axes.set_yticks(range(len(down)), list(map(_text, down)))
    axes.set_ylabel(settings.rows_label or settings.y.rpartition(".")[2].replace("_", " "))
    axes.figure.colorbar(image, label=settings.y_label)
    return True


def _row_value(case: Case, settings: ChartSettings) -> object:
    return case.varied[settings.y] if settings.y else case.entry


def _scan(axes: Axes, settings: ChartSettings, results: Results) -> bool:
    """A line for each value of ``y``: medians and quartiles against ``x``."""
    number = 0
    for experiment, runs in results:
        groups: dict[str, list[Case]] = {}
        for case in _cases(settings, experiment):
            lines = [case.entry, _text(case.varied.get(settings.y, ""))]
            if settings.beside or len(results) > 1:
                lines = [experiment.name, *lines]
            groups.setdefault(" ".join(filter(None, lines)), []).append(case)
        for label, cases in groups.items():
            number += _line_of_medians(axes, settings, (label, number), runs, cases)
    published = [
        (case.varied[settings.x], each.value)
        for each in results[0][0].published
        for case in results[0][0].cases
        if each.quantity == settings.quantity
        and each.value is not None
        and row_name(case, results[0][0].rows_by) == each.case
        and settings.x in case.varied
    ]
    if number and published:
        across, up = zip(*dict.fromkeys(published), strict=True)
        style: dict[str, Any] = {"color": "black", "marker": "_", "markersize": 14}
        axes.plot(across, up, linestyle="", label="published", **style)
    numbers = {case.varied[settings.x] for case in results[0][0].cases if settings.x in case.varied}
    if number and not settings.x_log and all(type(value) is int for value in numbers):
        axes.set_xticks(sorted(numbers))
    if number and len(axes.get_legend_handles_labels()[1]) > 1:
        _legend(axes, settings.y.rpartition(".")[2])
    return number > 0


def _line_of_medians(
    axes: Axes,
    settings: ChartSettings,
    label_and_number: tuple[str, int],
    runs: Runs,
    cases: Sequence[Case],
) -> bool:
    label, number = label_and_number
    points = []
    for horizontal in dict.fromkeys(case.varied[settings.x] for case in cases):
        own = [case for case in cases if case.varied[settings.x] == horizontal]
        lower, median, upper = quartiles(_values(settings, runs, own))
        if median is not None and lower is not None:
            points.append((horizontal, median, median - lower, (upper or median) - median))
        else:
            # The line is broken where there is no median.
            points.append((horizontal, *[math.nan] * 3))
    if all(math.isnan(point[1]) for point in points):
        return False
    across, up, below, above = zip(*points, strict=True)
    places: Any = across
    if not all(isinstance(value, int | float) for value in across):
        places = list(map(_text, across))
    axes.errorbar(
        places, up, [below, above], label=label, capsize=3, markersize=5, **_style(number)
    )
    if settings.x_log and any(value == 0 for value in across):
        axes.set_xscale("symlog", linthresh=min(value for value in across if value > 0))
    return True


def _curves(axes: Axes, settings: ChartSettings, results: Results) -> bool:
    """A line for each case: the median over the seeds at each point."""
    experiment, runs = results[0]
    number = 0
    for case in _cases(settings, experiment):
        curves = [_points(run, settings) for run in _own(runs, [case])]
        values: dict[float, list[float | None]] = {}
        for across, up in (point for curve in curves for point in curve):
            values.setdefault(across, []).append(up)
        medians = [(across, quartiles(values[across])[1]) for across in sorted(values)]
        drawn = [
            (across, up)
            for across, up in medians
            if up is not None
            and (up > 0 or not settings.y_log)
            and (across > 0 or not settings.x_log)
        ]
        if drawn:
            style = {**_style(number), "markevery": max(len(drawn) // 8, 1), "markersize": 4}
            axes.plot(*zip(*drawn, strict=True), label=case.name, **style)
            number += 1
    if number > 1:
        _legend(axes)
    return number > 0


def _points(run: RunResult, settings: ChartSettings) -> list[tuple[float, float]]:
    """The points of a run's curve."""
    found = run.figures.get(settings.quantity)
    if not isinstance(found, list):
        return []
    if settings.x:
        return list(zip(run.figures[settings.x], found, strict=True))
    return [(point[0], point[settings.column]) for point in found]


def _bars(axes: Axes, settings: ChartSettings, results: Results) -> bool:
    """A bar for each case: the median and the quartiles, with the published figure as a line."""
    experiment, runs = results[0]
    cases = _cases(settings, experiment)
    rows = {name: [c for c in cases if _bar_group(c) == name] for name in map(_bar_group, cases)}
    kinds = list(dict.fromkeys(_bar_kind(case) for case in cases))
    width = 0.8 / len(kinds)
    drawn = False
    for place, own in enumerate(rows.values()):
        for case in own:
            number = kinds.index(_bar_kind(case))
            left = place + (number - (len(kinds) - 1) / 2) * width
            lower, median, upper = quartiles(_values(settings, runs, [case]))
            if median is None or lower is None:
                continue
            drawn = True
            label = kinds[number] if place == 0 or not axes.containers else None
            axes.bar(
                left,
                median,
                width * 0.9,
                yerr=[[median - lower], [(median if upper is None else upper) - median]],
                color=_COLOURS[number % len(_COLOURS)],
                hatch=_HATCHES[number % len(_HATCHES)],
                edgecolor="white",
                ecolor="black",
                capsize=3,
                label=label or None,
            )
            for each in experiment.published:
                name = row_name(case, experiment.rows_by)
                if (each.case, each.quantity) != (name, settings.quantity) or each.value is None:
                    continue
                ends = [left - width / 2, left + width / 2]
                axes.plot(ends, [each.value] * 2, color="black", linewidth=2, linestyle=":")
    # Slanted names end at their bars.
    slant: dict[str, Any] = (
        {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if len(rows) > 3 else {}
    )
    axes.set_xticks(range(len(rows)), list(rows), **slant)
    if drawn and len(kinds) > 1:
        names = dict.fromkeys(name.rpartition(".")[2] for case in cases for name in case.varied)
        _legend(axes, ", ".join(names))
    return drawn


def _bar_group(case: Case) -> str:
    return case.entry or case.name


def _bar_kind(case: Case) -> str:
    return ", ".join(map(_text, case.varied.values())) if case.entry else ""


def _legend(axes: Axes, title: str = "") -> None:
    """Names the lines below the axes, where none is covered."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    handles, labels = axes.get_legend_handles_labels()
    style: dict[str, Any] = {"frameon": False, "fontsize": 8, "ncols": 2 if len(labels) > 2 else 3}
    figure.legend(handles, labels, loc="outside lower center", title=title or None, **style)


def _style(number: int) -> dict[str, Any]:
    return {
        "color": _COLOURS[number % len(_COLOURS)],
        "marker": _MARKERS[number % len(_MARKERS)],
        "linestyle": _LINES[number % len(_LINES)],
    }


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)


_KINDS: Mapping[str, Callable[[Axes, ChartSettings, Results], bool]] = {
    "heat_map": _heat_map,
    "scan": _scan,
    "curves": _curves,
    "cases": _bars,
}
