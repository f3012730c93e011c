import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.execution.comparison import (
    Candidate,
    Comparison,
    Figure,
    Member,
    make_comparison,
)
from qrnn_circuits.execution.comparison_chart import comparison_figure
from qrnn_circuits.execution.comparison_words import verdict_texts
from qrnn_circuits.tasks import Xor
from qrnn_circuits.training import RunConfig, TrainedRun, evaluate
from qrnn_circuits.training.validation import forecasts
from tests.execution.conftest import MakeRun


def candidate(letter: str, figure: Figure, seeds: int = 1, runs: int = 1) -> Candidate:
    curve = {"validation/loss": [(1, 1.0), (2, 0.5)]}
    figures = {"test error": figure}
    return Candidate(letter, letter, seeds, 9, {}, figures, (curve,) * runs, None)


def compared(*candidates: Candidate) -> Comparison:
    return Comparison("xor", False, candidates, (), "")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (0.105, "does not exceed its standard error of 1.41%"),
        (0.12, "1.4 times, which may be chance"),
        (0.2, "7.1 times, which is seldom chance"),
    ],
)
def test_a_difference_is_judged_by_the_root_of_both_squared_errors(other: float, told: str) -> None:
    figures = Figure.of([other], 0.01), Figure.of([0.1], 0.01)
    (text,) = verdict_texts(compared(candidate("A", figures[0]), candidate("B", figures[1])))
    assert text.startswith("B is better than A")
    assert told in text


@pytest.mark.parametrize(
    ("other", "told"), [(2e-5, ""), (2e-3, "A is better: 0.00% against 0.20%")]
)
def test_a_tie_is_broken_only_by_figures_that_differ_as_they_are_shown(
    other: float, told: str
) -> None:
    tied = candidate("A", Figure.of([0.0])), candidate("B", Figure.of([0.0]))
    sampled = Figure.of([1e-5]), Figure.of([other])
    (text,) = verdict_texts(
        compared(
            *(
                replace(each, figures={**each.figures, "sampled error": figure})
                for each, figure in zip(tied, sampled, strict=True)
            )
        )
    )
    assert ("is better" in text, told in text) == (bool(told), True)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_the_figure_of_seeds_is_their_median_with_its_spread(values: list[float]) -> None:
    figure = Figure.of(values)
    spread = float(torch.tensor(values, dtype=torch.float64).std())
    assert figure.least <= figure.value <= figure.greatest
    assert sum(value <= figure.value for value in values) >= len(values) / 2
    assert figure.standard_error == pytest.approx(
        math.sqrt(math.pi / 2) * spread / math.sqrt(len(values)), abs=1e-9
    )


def test_the_standard_error_of_a_median_is_that_of_many_drawn_medians() -> None:
    draws = torch.randn(4000, 101, generator=torch.Generator().manual_seed(0)).double()
    expected = float(draws.median(dim=1).values.std())
    found = sum(Figure.of(row.tolist()).standard_error or 0 for row in draws[:50]) / 50
    assert found == pytest.approx(expected, rel=0.05)


def test_of_several_seeds_the_run_of_the_median_error_is_looked_into(make_run: MakeRun) -> None:
    runs = [make_run(Xor(length=6), workspace=workspace) for workspace in (1, 2, 3)]
    errors = [evaluate(run).test_error for run in runs]
    assert len(set(errors)) == 3
    members = [Member(run, Path("a run"), {}) for run in runs]
    (one, *_) = make_comparison([("one", members), ("two", members[:1])]).candidates
    assert one.figures["test error"].value == sorted(errors)[1]
    middle = runs[errors.index(sorted(errors)[1])].model
    assert one.parameters == sum(parameter.numel() for parameter in middle.parameters())
    assert one.inspection is not None
    assert one.inspection.cell["workspace"] == middle.cell.workspace


def test_the_standard_error_of_a_forecast_is_that_of_drawn_windows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Two columns of unlike spread once they are scaled.
    columns = rng.uniform(size=2000), rng.exponential(size=2000) ** 2
    file = tmp_path / "two.csv"
    np.savetxt(file, np.column_stack(columns), delimiter=",", header="a,b", comments="")
    options = {"data": str(file), "window": 2}
    config = RunConfig.resolve("forecast", {"cell": "rnn", "task_options": options})
    run: TrainedRun[Any, Any] = TrainedRun(
        config, config.build_task(), config.build_model(), step=0
    )
    members = [Member(run, Path("a run"), {})]
    found = make_comparison([("one", members), ("two", members)]).candidates[0].figures
    test = run.task.test()
    targets = test.targets.double().numpy()
    errors = (forecasts(run.model, test).double().numpy() - targets) ** 2
    drawn = rng.integers(len(errors), size=(1000, len(errors)))
    errors_of_draws = np.sqrt((errors[drawn].mean(1) / targets.var(0)).mean(1))
    figure = found["normalised error"]
    assert figure.value == pytest.approx(np.sqrt((errors.mean(0) / targets.var(0)).mean()))
    assert figure.standard_error == pytest.approx(errors_of_draws.std(), rel=0.1)
    assert found["mean squared error"].value == pytest.approx(errors.mean())


def test_curves_are_told_apart_without_colour_and_seeds_have_a_band() -> None:
    figure = Figure.of([0.1], 0.01)
    shown = compared(candidate("A", figure), candidate("B", figure, seeds=2, runs=2))
    chart = comparison_figure(shown)
    assert chart is not None
    (axes,) = chart.axes
    assert len({line.get_linestyle() for line in axes.lines}) == 2
    assert len({line.get_marker() for line in axes.lines}) == 2
    assert len(axes.collections) == 1
