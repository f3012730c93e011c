import json
import os
from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.training import Sweep, SweepSpace
from qrnn_circuits.training.sweeps.journal import check_journal

pytest.importorskip("optuna")

DESCRIPTION = {"task": "memorise", "settings": {"seed": [0, 1]}, "sampler": "tpe"}


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of a sweep with a finished run and one that is to come."""
    folder = tmp_path_factory.mktemp("sweep") / "sweep"
    settings = {"workspace": 1, "degree": 1, "steps": 1, "seed": [0, 1], "batch_size": 2}
    book = Sweep.open(folder, SweepSpace("memorise", settings | {"task_options": {"length": 2}}))
    with book.take() as trial:
        assert trial is not None
        book.run(trial)
    return (folder / "sweep.journal").read_bytes()


def lines_of(journal: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.splitlines()]


def opened(folder: Path, lines: list[Any]) -> Sweep:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "sweep.journal").write_text(text)
    return Sweep.open(folder)


def test_a_journal_of_a_sweep_is_in_order(tmp_path: Path, journal: bytes) -> None:
    assert [t.state for t in opened(tmp_path, lines_of(journal)).trials()] == [
        "complete",
        "waiting",
    ]
    check_journal(tmp_path / "sweep.journal", "sweep")
    check_journal(tmp_path / "missing", "sweep")


def test_a_line_that_a_killed_process_has_begun_does_not_count(
    tmp_path: Path, journal: bytes
) -> None:
    path = tmp_path / "sweep.journal"
    path.write_bytes(journal + b'{"op_c')
    check_journal(path, "sweep")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("op_code", 77),
        ("op_code", "0"),
        ("op_code", None),
        ("worker_id", 5),
        ("study_name", "sweeq"),
        ("study_id", 1),
        ("study_id", "0"),
        ("trial_id", 2),
        ("trial_id", -1),
        ("user_attr", {}),
        ("user_attr", {"step": "x"}),
        ("user_attr", {"sampled_error": [1]}),
        ("user_attr", {"reason": 5}),
        ("user_attr", {"description": {"task": "memorise"}}),
        ("user_attr", {"description": {**DESCRIPTION, "sampler": 0}}),
        ("user_attr", {"description": {**DESCRIPTION, "recipe": 5}}),
        ("params", {"seed": 5}),
        ("distributions", {"seed": "none"}),
        ("state", 9),
    ],
)
def test_a_changed_value_is_noticed(
    tmp_path: Path, journal: bytes, name: str, value: object
) -> None:
    lines = lines_of(journal)
    next(line for line in lines if name in line)[name] = value
    with pytest.raises((ValueError, FileNotFoundError), match=r"damaged|killed as it began"):
        opened(tmp_path, lines)


@pytest.mark.parametrize(("begun", "study"), [(0, 0), (2, 1)])
def test_every_line_is_of_the_one_study_however_often_it_was_begun(
    tmp_path: Path, begun: int, study: int
) -> None:
    create = {"op_code": 0, "worker_id": "w", "study_name": "sweep", "directions": [1]}
    note = {"op_code": 2, "worker_id": "w", "study_id": study, "user_attr": {}}
    path = tmp_path / "sweep.journal"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*[create] * begun, note]))
    with pytest.raises(ValueError, match=f"line {begun + 1}: its study_id is {study}"):
        check_journal(path, "sweep")


@pytest.mark.parametrize("lost", ["state", "loss", "reason"])
def test_a_line_without_which_a_complete_run_lacks_something_is_missed(
    tmp_path: Path, journal: bytes, lost: str
) -> None:
    lines = lines_of(journal)
    assert lines[-1]["values"] is not None
    if lost == "state":
        lines[-1]["values"] = None
    else:
        lines = [line for line in lines if lost not in line.get("user_attr", {})]
    with pytest.raises(ValueError, match="damaged"):
        opened(tmp_path, lines)


@pytest.mark.parametrize("name", ["values", "sampled_error"])
def test_a_changed_digit_of_what_a_run_is_judged_by_is_noticed(
    tmp_path: Path, journal: bytes, name: str
) -> None:
    lines = lines_of(journal)
    for line in lines:
        if name == "values" and line.get("values"):
            line["values"] = [line["values"][0] + 1e-9]
        if name in line.get("user_attr", {}):
            line["user_attr"][name] += 1e-9
    with pytest.raises(ValueError, match=r"damaged .*trial 0 is complete, has sampled_error"):
        opened(tmp_path, lines)


@pytest.mark.parametrize("change", ["twice", "lost", "swapped"])
def test_no_result_is_taken_for_that_of_other_settings(
    tmp_path: Path, journal: bytes, change: str
) -> None:
    lines = lines_of(journal)
    first, second = (i for i, line in enumerate(lines) if line["op_code"] == 4)
    if change == "twice":
        lines.insert(second, lines[first])
    elif change == "lost":
        del lines[first]
    else:
        lines[first], lines[second] = lines[second], lines[first]
    with pytest.raises(ValueError, match=r"damaged .*trial [01] has .*that of another one"):
        opened(tmp_path, lines)


@pytest.mark.parametrize("line", ["5", "x", "[" * 5000, "{}", '{"op_code": 1' + "0" * 5000])
def test_a_line_that_is_none_is_named_by_its_number(
    tmp_path: Path, journal: bytes, line: str
) -> None:
    path = tmp_path / "sweep.journal"
    path.write_bytes(journal + line.encode() + b"\n")
    number = len(lines_of(journal)) + 1
    with pytest.raises(ValueError, match=rf"journal .*damaged \(line {number}: .*another folder"):
        Sweep.open(tmp_path)


@pytest.mark.parametrize("kind", ["a pipe", "a sparse file"])
def test_what_is_no_journal_is_refused_without_reading_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sweep.journal"
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 10**10)
    with pytest.raises(ValueError, match=r"sweep\.journal must (be a regular file|have at most)"):
        Sweep.open(tmp_path)
