import os
import signal
from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.reproduction.measurements.training_runs import run_config, train
from qrnn_circuits.training import RunConfig

SMALL: dict[str, Any] = {"workspace": 2, "degree": 1, "task_options": {"length": 4}}


def small_config(seed: int = 0, **settings: Any) -> RunConfig:  # noqa: ANN401
    return run_config("memorise", "paper", {**SMALL, "steps": 6, **settings}, seed)


def test_a_run_that_is_over_is_not_trained_again(tmp_path: Path) -> None:
    told: list[str] = []
    config = small_config(validate_every=3)
    assert train(config, tmp_path / "run", told.append).step in (3, 6)
    assert [text.split(":")[0] for text in told] == ["step 3 of 6", "step 6 of 6"]
    train(config, tmp_path / "run", told.append)
    assert len(told) == 2


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    told: list[str] = []

    def interrupt(text: str) -> None:
        told.append(text)
        os.kill(os.getpid(), signal.SIGINT)

    config = small_config(validate_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "run", interrupt)
    train(config, tmp_path / "run", told.append)
    assert [text.split(":")[0] for text in told] == [f"step {step} of 6" for step in (2, 4, 6)]


def test_another_run_in_the_folder_is_refused_with_what_differs(tmp_path: Path) -> None:
    train(small_config(), tmp_path / "run", lambda doing: None)
    with pytest.raises(ValueError, match="seed is 0, asked for is 1: take another folder"):
        train(small_config(seed=1), tmp_path / "run", lambda doing: None)
    with pytest.raises(ValueError, match="steps is 6, asked for is 7: take another folder"):
        train(small_config(steps=7), tmp_path / "run", lambda doing: None)


def test_a_seed_among_the_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="run must not set the seed"):
        run_config("xor", None, {"seed": 1}, seed=0)


def test_data_are_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QRNN_DATA_DIR", str(tmp_path))
    assert run_config("digits", "paper", {}, seed=0).task_options["data"] == str(tmp_path)
    given = {"task_options": {"data": "embedded"}}
    assert run_config("digits", None, given, seed=0).task_options["data"] == "embedded"
