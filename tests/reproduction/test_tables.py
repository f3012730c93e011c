import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.reproduction.experiment import Quantity
from qrnn_circuits.reproduction.experiment_files import read_experiment_file
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.reproduction.tables import (
    figure,
    published_text,
    quartiles,
    rows_of,
    seeds_text,
    shown,
    validation_rank,
)

NUMBERS = st.floats(-1e6, 1e6)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_quartiles_are_those_of_numpy(values: list[float]) -> None:
    found = quartiles(list(values))
    np.testing.assert_allclose(
        np.array(found, dtype=float), np.quantile(values, [0.25, 0.5, 0.75]), atol=1e-6
    )


@given(st.lists(NUMBERS | st.none(), min_size=1, max_size=20))
def test_a_missing_value_counts_as_larger_than_any_number(values: list[float | None]) -> None:
    large = [1e9 if value is None else value for value in values]
    for found, expected in zip(
        quartiles(values), np.quantile(large, [0.25, 0.5, 0.75]), strict=True
    ):
        if found is None:
            assert expected > 1e6 or math.isclose(expected, 1e9)
        else:
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_row_is_of_the_finished_runs_of_its_cases(experiment_file: Callable[..., Path]) -> None:
    path = experiment_file(
        ("seeds = 2", 'seeds = 3\nrows_by = ["learning_rate"]'),
        ("[grid]", "[grid]\norder = [1, 2]"),
    )
    experiment = read_experiment_file(path)
    errors = {(1, 0): 0.0, (1, 1): 0.5, (2, 0): 0.25, (2, 2): None}
    runs = {}
    for (order, seed), error in errors.items():
        name = f"order={order},learning_rate=0.1"
        figures = {"test_error": error, "validation_error": 0.1, "validation_sampled_error": seed}
        runs[name, seed] = RunResult("tiny", name, seed, {}, figures, error is None, 2.0 + seed)
    rows = {row.case: row for row in rows_of(experiment, runs)}
    row = rows["learning_rate=0.1"]
    assert (row.done, row.reached, row.planned) == (4, 3, 6)
    assert (row.lower, row.median, row.upper) == (0.1875, 0.375, None)
    assert row.chosen == 0.0
    assert row.seconds == 2.5
    assert published_text(row) == "25.00 %"
    assert seeds_text(row) == "3 reached, 4 of 6"
    empty = rows["learning_rate=0.01"]
    assert (empty.done, empty.planned, empty.median, empty.chosen) == (0, 6, None, None)


def test_figures_are_shown_in_their_unit() -> None:
    assert shown(0.5, Quantity("loss", "loss", "nats")) == "0.5 nats"
    assert shown(16000.0, Quantity("steps", "steps")) == "16,000"
    assert shown(0.00123456, Quantity("loss", "loss")) == "0.00123"
    assert shown(-3.456, Quantity("share", "share")) == "-3.46"
    assert shown(0.01234, Quantity("error", "error", "%", digits=2)) == "1.2 %"


def test_without_a_validation_the_first_seed_is_the_best_in_any_order() -> None:
    runs = [RunResult("tiny", "all", seed, {}, {}) for seed in (2, 0, 1)]
    assert min(runs, key=validation_rank).seed == 0


def test_a_run_with_a_validation_is_better_than_one_without() -> None:
    figures = {"validation_sampled_error": 1.0, "validation_error": 1.0}
    runs = [RunResult("tiny", "all", 0, {}, {}), RunResult("tiny", "all", 1, {}, figures)]
    assert min(runs, key=validation_rank).seed == 1


def test_the_best_validation_has_the_smallest_sampled_error_then_the_smallest_error() -> None:
    runs = [
        RunResult(
            *("tiny", "all", seed, {}),
            {"validation_sampled_error": sampled, "validation_error": error},
        )
        for seed, (sampled, error) in enumerate([(0.1, 0.3), (0.2, 0.1), (0.1, 0.2)])
    ]
    assert min(runs, key=validation_rank).seed == 2


@pytest.mark.parametrize("name", ["validation_sampled_error", "validation_error"])
def test_half_a_validation_is_none(name: str) -> None:
    assert validation_rank(RunResult("tiny", "all", 3, {}, {name: 0.1})) == (math.inf, math.inf, 3)


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "0.1"])
def test_what_is_no_number_is_no_figure(value: object) -> None:
    assert figure(RunResult("tiny", "all", 0, {}, {"loss": value}), "loss") is None
