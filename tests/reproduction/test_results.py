import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from qrnn_circuits.reproduction.experiment_files import read_experiment_file
from qrnn_circuits.reproduction.results import (
    RunResult,
    append_results,
    finished_runs,
    read_results,
)

RESULT = RunResult("tiny", "all", 3, {"steps": 4}, {"test_error": 0.25}, False, 1.5, {}, "run it")


def test_results_read_as_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tiny.jsonl"
    others = [replace(RESULT, seed=seed, diverged=True, seconds=None) for seed in range(3)]
    append_results(path, [RESULT])
    append_results(path, others)
    assert read_results(path) == [RESULT, *others]


@pytest.mark.parametrize("kept", [1, 40, -2, -1])
def test_a_cut_off_last_line_is_ignored_and_then_replaced(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "tiny.jsonl"
    append_results(path, [RESULT])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    assert read_results(path) == [RESULT]
    last = replace(RESULT, seed=4)
    append_results(path, [last])
    assert read_results(path) == [RESULT, last]


def test_a_full_disk_names_the_file_and_keeps_what_it_held(
    tmp_path: Path, small_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "tiny.jsonl"
    append_results(path, [RESULT])
    with small_disk(path.stat().st_size + 10), pytest.raises(OSError, match=r"tiny\.jsonl"):
        append_results(path, [RESULT])
    assert read_results(path) == [RESULT]


def test_a_file_of_a_cut_off_line_alone_has_no_results(tmp_path: Path) -> None:
    path = tmp_path / "tiny.jsonl"
    path.write_text('{"experiment": "ti')
    assert read_results(path) == []
    append_results(path, [RESULT])
    assert read_results(path) == [RESULT]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 of .* is not JSON: .*: remove the line, and its run is done again"),
        ("[]", "line 1 of .* is no result"),
        ('{"seed": 1}', "line 1 of .* is no result"),
        (json.dumps(vars(RESULT) | {"seed": "3"}), "seed in line 1 of .* must be of int"),
        (
            json.dumps(vars(RESULT) | {"seconds": 1e30}),
            "seconds in line 1 of .* must be at most .*: remove the line",
        ),
        (
            json.dumps(vars(RESULT) | {"seconds": "2"}),
            "seconds in line 1 of .* must be a number, got '2': remove the line",
        ),
        (
            json.dumps(vars(RESULT) | {"seed": -3}),
            "seed in line 1 of .* must be at least 0, .*: remove the line",
        ),
    ],
)
def test_a_line_that_is_no_result_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "tiny.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match=message):
        read_results(path)


def test_only_results_of_the_planned_experiment_settings_and_seeds_count(
    experiment_file: Callable[..., Path],
) -> None:
    experiment = read_experiment_file(experiment_file())
    case = experiment.cases[0]
    planned = replace(RESULT, case=case.name, seed=1, settings=case.settings)
    later = replace(planned, figures={"test_error": 0.5})
    others = [
        replace(planned, seed=2),
        replace(planned, seed=0, experiment="another"),
        replace(planned, case="unknown"),
        replace(planned, seed=0, settings={**case.settings, "steps": 5}),
    ]
    found = finished_runs(experiment, [planned, *others, later])
    assert found == {(case.name, 1): later}
