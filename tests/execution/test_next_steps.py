import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.execution.next_steps import next_steps, rises_since, still_falls
from qrnn_circuits.tasks import Forecast
from qrnn_circuits.tasks.recipes import choose_recipe
from qrnn_circuits.training import Evaluation, ForecastEvaluation, RunConfig, TrainedRun
from tests.execution.conftest import MakeRun

PLACE = Path("a run")
FALLING = {"validation/loss": [(step, 1 / step) for step in range(1, 9)]}
BAD, GOOD = Evaluation(0.3, 0.31, 0.01, 100, "scored_steps"), Evaluation(0, 0, 0, 1, "images")


@pytest.fixture
def run(make_run: MakeRun) -> TrainedRun:
    found = make_run()
    return dataclasses.replace(found, config=dataclasses.replace(found.config, decay="none"))


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=40))
def test_a_loss_that_only_stays_or_rises_does_not_fall(values: list[float]) -> None:
    assert not still_falls([(step, max(values)) for step, _ in enumerate(values)])
    assert not still_falls(list(enumerate(sorted(values))))


def test_one_last_value_out_of_line_hides_no_fall_and_is_no_rise() -> None:
    fall = [1 / step for step in range(1, 12)]
    assert still_falls(list(enumerate([*fall, 10.0])))
    flat = [2.0, *[1.0] * 10]
    assert rises_since(list(enumerate([*flat, 1.5]))) is None
    assert rises_since(list(enumerate([*flat[:-2], 1.5, 1.5, 1.5]))) == 1


def test_a_fall_of_less_than_2_per_cent_is_none() -> None:
    for last, falls in ((0.985, False), (0.975, True)):
        assert still_falls(list(enumerate([1.0, 1.0, 1.0, last]))) == falls


def test_a_loss_that_never_fell_has_not_risen_again() -> None:
    assert rises_since(list(enumerate([1.0, 1.1, 1.5, 2.0]))) is None


@pytest.mark.parametrize("losses", [[], [(1, 1.0)]])
def test_one_validation_tells_nothing(losses: list[tuple[int, float]]) -> None:
    assert not still_falls(losses)
    assert rises_since(losses) is None


def test_a_run_that_was_still_learning_goes_on_with_twice_the_steps(run: TrainedRun) -> None:
    first = next_steps(run, PLACE, BAD, FALLING)[0]
    steps = 2 * run.config.steps
    assert first.command == f"qrnn train xor --out 'a run' --resume --steps {steps}"


def test_a_run_whose_settings_are_laid_out_over_its_steps_begins_anew(run: TrainedRun) -> None:
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, decay="cosine"))
    first = next_steps(run, PLACE, BAD, FALLING)[0]
    assert first.command == ""
    assert f"begin a new one with --steps {2 * run.config.steps}" in first.text


def test_a_run_that_ended_before_the_recipe_does_is_told_so(run: TrainedRun) -> None:
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, steps=20))
    flat = {"validation/loss": [(step, 1.0) for step in range(1, 9)]}
    usual = choose_recipe(run.task)["steps"]
    first = next_steps(run, PLACE, BAD, flat)[0]
    assert "this run for 20" in first.text
    assert first.command.endswith(f"--resume --steps {usual}")
    run = dataclasses.replace(run, config=dataclasses.replace(run.config, steps=usual))
    assert "recipe" not in next_steps(run, PLACE, BAD, flat)[0].text


def test_the_steps_of_a_run_are_compared_with_those_of_a_recipe_with_its_optimiser(
    run: TrainedRun[Any, Any],
) -> None:
    task = Forecast(series="henon")
    settings = choose_recipe(task, "batches")
    flat = {"validation/loss": [(step, 1.0) for step in range(1, 9)]}
    for steps, told in ((settings["steps"], False), (60, True)):
        config = RunConfig.resolve(task, {**settings, "steps": steps})
        text = next_steps(dataclasses.replace(run, task=task, config=config), PLACE, BAD, flat)[
            0
        ].text
        assert text.startswith("The recipe batches trains for 4,000 steps, this run for 60") == told


def test_a_run_without_errors_is_not_trained_further(run: TrainedRun) -> None:
    texts = [step.text for step in next_steps(run, PLACE, GOOD, FALLING, least_kept=1.0)]
    assert len(texts) == 1
    assert "Whether a chip can answer" in texts[0]


def test_a_network_that_learns_by_heart_wants_more_data(run: TrainedRun) -> None:
    rising = {"validation/loss": [(1, 2.0), (2, 1.0), (3, 1.5), (4, 1.9)]}
    assert "has risen since step 2" in next_steps(run, PLACE, BAD, rising)[0].text


def test_a_network_that_keeps_no_shots_is_told_the_recipe_for_chips(run: TrainedRun) -> None:
    (first, *_) = next_steps(run, PLACE, BAD, {}, least_kept=1e-9)
    assert "keeps a share of 1e-09" in first.text
    assert "--recipe chip" in first.text
    kept = next_steps(run, PLACE, BAD, {}, least_kept=0.5)
    assert all("keeps a share" not in step.text for step in kept)


def test_a_network_that_guesses_is_to_be_trained_anew_and_not_to_be_run(run: TrainedRun) -> None:
    flat = {"validation/loss": [(step, 1.0) for step in range(1, 9)]}
    for error, guesses in ((0.5, True), (0.45, True), (0.3, False)):
        figures = Evaluation(error, error, 0.05, 100, "scored_steps", guessing_error=0.5)
        steps = next_steps(run, PLACE, figures, flat, least_kept=1.0)
        assert ("no better than guessing" in steps[0].text) == guesses
        assert (len(steps) == 1) == guesses


def test_an_answer_that_is_seldom_measured_is_asked_for_several_times(run: TrainedRun) -> None:
    unsharp = Evaluation(0.0, 0.2, 0.0, 100, "scored_steps")
    assert "--shots 1000" in next_steps(run, PLACE, unsharp, {})[0].command
    # No number of shots helps where the most probable answer is as often wrong.
    wrong = Evaluation(0.19, 0.2, 0.0, 100, "scored_steps")
    assert all("--shots" not in step.command for step in next_steps(run, PLACE, wrong, {}))


@pytest.mark.parametrize(("error", "worse"), [(0.9, True), (0.5, True), (0.1, False)])
def test_a_forecast_is_compared_with_the_last_value(
    run: TrainedRun, error: float, worse: bool
) -> None:
    figures = ForecastEvaluation(error**2, error, {"x": error}, persistence=0.5, windows=10)
    (step,) = next_steps(run, PLACE, figures, {})
    assert ("no better than the last known value" in step.text) == worse
