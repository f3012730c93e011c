import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qrnn_circuits.reproduction.charts import draw
from qrnn_circuits.reproduction.experiment import ChartSettings, Experiment
from qrnn_circuits.reproduction.experiment_files import read_experiment_file
from qrnn_circuits.reproduction.results import RunResult

Runs = dict[tuple[str, int], RunResult]


@pytest.fixture
def experiment(experiment_file: Callable[..., Path]) -> Experiment:
    """Two rates and two orders, two seeds each."""
    path = experiment_file(
        ("[grid]", "[grid]\norder = [1, 2]"),
        ('case = "learning_rate=0.1"', 'case = "order=2,learning_rate=0.1"'),
    )
    return read_experiment_file(path)


@pytest.fixture
def runs(experiment: Experiment) -> Runs:
    """The error of a run is its order, times ten of the larger rate, and its seed."""
    return {
        (case.name, seed): RunResult(
            "tiny",
            case.name,
            seed,
            case.settings,
            {
                "test_error": case.varied["order"] * (1 + 9 * (case.varied["learning_rate"] > 0.05))
                + seed,
                "curve": [[0, 1.0, -seed], [10, 0.5, -seed - 2]],
            },
        )
        for case in experiment.cases
        for seed in range(2)
    }


def test_a_scan_shows_medians_quartiles_and_what_is_published(
    experiment: Experiment, runs: Runs
) -> None:
    settings = ChartSettings("scan", "test_error", x="learning_rate", y="order", x_log=True)
    figure: Any = draw(settings, [(experiment, runs)])
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    lines = {container.get_label(): container.lines for container in axes.containers}
    assert lines.keys() == {"1", "2"}
    np.testing.assert_allclose(lines["1"][0].get_xydata(), [[0.01, 1.5], [0.1, 10.5]])
    np.testing.assert_allclose(lines["2"][0].get_xydata(), [[0.01, 2.5], [0.1, 20.5]])
    lower, upper = (np.array(caps.get_ydata(), dtype=float) for caps in lines["2"][1])
    np.testing.assert_allclose([lower, upper], [[2.25, 20.25], [2.75, 20.75]])
    (published,) = (line for line in axes.lines if line.get_label() == "published")
    np.testing.assert_allclose(published.get_xydata(), [[0.1, 0.25]])
    # Told apart without colours.
    styles = {(line[0].get_marker(), line[0].get_linestyle()) for line in lines.values()}
    assert len(styles) == 2


def test_a_line_is_broken_where_half_of_the_runs_have_no_figure(
    experiment: Experiment, runs: Runs
) -> None:
    settings = ChartSettings("scan", "test_error", x="order", y="learning_rate")
    lacking = {
        key: replace(run, figures={}) if run.settings["learning_rate"] < 0.05 else run
        for key, run in runs.items()
        if key[0].startswith("order=1,")
    }
    figure: Any = draw(settings, [(experiment, runs | lacking)])
    assert figure is not None
    lines = {container.get_label(): container.lines for container in figure.axes[0].containers}
    np.testing.assert_allclose(lines["0.01"][0].get_xydata(), [[1, math.nan], [2, 2.5]])
    np.testing.assert_allclose(lines["0.1"][0].get_xydata(), [[1, 10.5], [2, 20.5]])


def test_a_heat_map_shows_a_median_in_each_cell(experiment: Experiment, runs: Runs) -> None:
    settings = ChartSettings("heat_map", "test_error", x="learning_rate", y="order", least=2.0)
    figure: Any = draw(settings, [(experiment, runs)])
    assert figure is not None
    (image,) = figure.axes[0].images
    # Values below the least one count as this one: of order 1, seed 0 as 2.
    np.testing.assert_allclose(image.get_array(), [[2.0, 10.5], [2.5, 20.5]])
    assert figure.axes[0].get_ylabel() == "order"
    named: Any = draw(replace(settings, rows_label="order k"), [(experiment, runs)])
    assert named.axes[0].get_ylabel() == "order k"


def test_a_cell_whose_median_run_has_no_figure_is_crossed_out(
    experiment: Experiment, runs: Runs
) -> None:
    name = experiment.cases[0].name
    nothing = {(name, s): replace(runs[name, s], figures={"test_error": None}) for s in range(2)}
    settings = ChartSettings("heat_map", "test_error", x="learning_rate", y="order")
    figure: Any = draw(settings, [(experiment, runs | nothing)])
    assert figure is not None
    assert [text.get_text() for text in figure.axes[0].texts] == ["x"]
    assert np.isnan(figure.axes[0].images[0].get_array().filled(np.nan)[0, 0])


def test_bars_are_as_high_as_medians_and_differ_in_their_hatches(
    experiment: Experiment, runs: Runs
) -> None:
    figure: Any = draw(ChartSettings("cases", "test_error"), [(experiment, runs)])
    assert figure is not None
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    np.testing.assert_allclose(heights, [1.5, 10.5, 2.5, 20.5])


def test_curves_are_medians_of_the_seeds_at_each_point(experiment: Experiment, runs: Runs) -> None:
    settings = ChartSettings("curves", "curve", column=2, cases=[experiment.cases[0].name])
    figure: Any = draw(settings, [(experiment, runs)])
    assert figure is not None
    (line,) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_xydata(), [[0, -0.5], [10, -2.5]])


def test_an_experiment_beside_another_is_drawn_into_the_same_axes(
    experiment: Experiment, runs: Runs
) -> None:
    settings = ChartSettings("scan", "test_error", x="learning_rate")
    other = replace(experiment, name="other")
    figure: Any = draw(settings, [(experiment, runs), (other, runs)])
    assert figure is not None
    labels = [container.get_label() for container in figure.axes[0].containers]
    assert labels == ["tiny", "other"]


@pytest.mark.parametrize("kind", ["scan", "heat_map", "cases", "curves"])
def test_nothing_is_drawn_of_no_runs(experiment: Experiment, kind: str) -> None:
    settings = ChartSettings(kind, "test_error", x="learning_rate", y="order")
    assert draw(settings, [(experiment, {})]) is None


def test_an_unknown_kind_is_refused_with_a_close_one(experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="'heatmap'; did you mean heat_map"):
        draw(ChartSettings("heatmap", "test_error"), [(experiment, {})])
