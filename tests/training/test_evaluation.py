import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from qrnn_circuits.training import RunConfig, Trainer, evaluate, evaluate_forecast, load_run


def test_an_evaluation_has_the_figures_of_the_whole_test_set(stored_run: Path) -> None:
    run = load_run(stored_run)
    answers = run.task.answers(run.model, run.task.test())
    result = evaluate(run)
    assert result.to_json() == {
        "test_error": answers.test_error,
        "sampled_error": answers.sampled_error,
        "standard_error": answers.standard_error,
        "guessing_error": result.guessing_error,
        "scored_steps": int(run.task.test().scored.sum()),
    }
    json.dumps(result.to_json())


def test_guessing_names_the_most_frequent_right_answer(stored_run: Path) -> None:
    run = load_run(stored_run)
    test = run.task.test()
    pairs = zip(test.outcomes.flatten().tolist(), test.scored.flatten().tolist(), strict=True)
    rights = Counter(outcome for outcome, scored in pairs if scored)
    result, guessing = evaluate(run), 1 - max(rights.values()) / rights.total()
    assert result.guessing_error == pytest.approx(guessing)
    assert result.beats_guessing == (result.test_error + 2 * result.standard_error < guessing)


def test_answers_of_several_symbols_are_not_compared_with_guessing(tmp_path: Path) -> None:
    options = {"digits": "0-9", "reduce": "pca"}
    settings = {"workspace": 2, "steps": 1, "batch_size": 10, "task_options": options}
    Trainer.start(RunConfig.resolve("digits", settings, recipe="none"), tmp_path / "run").run()
    result = evaluate(load_run(tmp_path / "run"))
    assert (result.guessing_error, result.beats_guessing) == (None, None)


def test_the_named_checkpoint_is_the_one_that_is_loaded(stored_run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(stored_run, tmp_path / "run"))
    shutil.copy(folder / "last.safetensors", folder / "best.safetensors")
    best = (folder / "best.safetensors").read_bytes()
    Trainer.resume(folder, {"steps": 6}).run()
    (folder / "best.safetensors").write_bytes(best)
    assert (load_run(folder, "best").step, load_run(folder, "last").step) == (5, 6)


def test_digits_are_counted_in_images(tmp_path: Path) -> None:
    config = RunConfig.resolve(
        "digits", {"workspace": 1, "stages": 1, "degree": 1, "batch_size": 2, "steps": 1}
    )
    Trainer.start(config, tmp_path / "run").run()
    run = load_run(tmp_path / "run")
    result = evaluate(run)
    assert list(result.to_json())[-1] == "images"
    assert result.count == len(run.task.test())


def test_other_data_can_be_named(tmp_path: Path) -> None:
    config = RunConfig.resolve(
        "digits", {"workspace": 1, "stages": 1, "degree": 1, "batch_size": 2, "steps": 1}
    )
    Trainer.start(config, tmp_path / "run").run()
    run = load_run(tmp_path / "run", task_options={"data": str(tmp_path / "moved")})
    with pytest.raises(FileNotFoundError, match="moved"):
        evaluate(run)


@pytest.mark.parametrize("given", ["run", 3, None])
def test_what_is_no_run_is_refused_with_how_to_load_one(given: object) -> None:
    with pytest.raises(TypeError, match=r"run must be a TrainedRun, got .*load_run\(folder\)"):
        evaluate(given)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"run must be a TrainedRun, got .*load_run\(folder\)"):
        evaluate_forecast(given)  # type: ignore[arg-type]


def test_a_network_of_symbols_is_no_forecast(stored_run: Path) -> None:
    with pytest.raises(ValueError, match=r"run must forecast real values, .* evaluate\(run\)"):
        evaluate_forecast(load_run(stored_run))


@pytest.mark.parametrize("name", ["Last", None, "step-3"])
def test_a_checkpoint_is_the_best_or_the_last(stored_run: Path, name: object) -> None:
    with pytest.raises(ValueError, match="checkpoint must be one of best, last, got"):
        load_run(stored_run, name)  # type: ignore[arg-type]


def test_a_forecast_is_evaluated_as_one(tmp_path: Path) -> None:
    settings = {"cell": "rnn", "steps": 1, "task_options": {"series": "bessel"}}
    folder = str(tmp_path / "run")
    Trainer.start(RunConfig.resolve("forecast", settings), folder).run()
    assert Trainer.resume(folder).step == 1
    with pytest.raises(ValueError, match=r"one of 'forecast'.*evaluate_forecast\(run\)"):
        evaluate(load_run(folder))
