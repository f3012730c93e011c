import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from qrnn_circuits import load_run
from qrnn_circuits.tasks import Sequences

Qrnn = Callable[..., Result]

TINY = ("--workspace", "1", "--degree", "1", "--steps", "2", "--stages", "0", "--order", "1")


def write(path: Path) -> Path:
    """Sequences of the two symbols 0 and 1, with labels."""
    rows = [[0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    if path.suffix == ".npz":
        lengths = np.array([3, 2, 3, 2, 3, 2])
        np.savez(path, x=np.array(rows), y=np.array(rows)[:, 0], lengths=lengths)
        return path
    between = "," if path.suffix == ".csv" else ""
    after = "," if path.suffix == ".csv" else "\t"
    lines = [between.join(map(str, row)) + f"{after}{row[0]}" for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(params=["a.txt", "a.csv", "a.npz"])
def run(request: pytest.FixtureRequest, qrnn: Qrnn, tmp_path: Path) -> Path:
    data = write(tmp_path / request.param)
    folder = tmp_path / "run"
    arguments = ("--data", data, "--target", "label", "--out", folder, *TINY)
    result = qrnn("train", "sequences", *arguments)
    assert result.exit_code == 0, result.output
    return folder


def test_a_run_on_a_file_is_evaluated_sampled_inspected_and_run(qrnn: Qrnn, run: Path) -> None:
    figures = json.loads(qrnn("evaluate", run, "--json").stdout)
    assert figures["sequences"] == 1
    drawn = qrnn("sample", run, "--count", "4").stdout.splitlines()
    assert {line.rsplit(": ", 1)[1] for line in drawn} <= {"0", "1"}
    inspected = json.loads(qrnn("inspect", run, "--sequence", "0", "--json").stdout)
    assert inspected["sequence"] == 0
    assert json.loads(qrnn("run", run, "--json").stdout)["circuits"]


def test_a_run_comes_back_by_the_name_of_its_folder(run: Path) -> None:
    loaded = load_run(str(run))
    assert isinstance(loaded.task, Sequences)
    assert loaded.task.target == "label"
    assert loaded.config.workspace == 1
    assert loaded.model.cell.lane == loaded.task.lane == 1
    assert loaded.step == 2


def test_without_its_file_a_run_is_sampled_and_not_evaluated(qrnn: Qrnn, tmp_path: Path) -> None:
    data, folder = tmp_path / "a.txt", tmp_path / "run"
    data.write_text("abab\nbaba\nabba\n", encoding="utf-8")
    assert qrnn("train", "sequences", "--data", data, "--out", folder, *TINY).exit_code == 0
    moved = data.rename(tmp_path / "moved.txt")
    result = qrnn("evaluate", folder)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"there is no file {data}: name it by --data FILE" in line
    assert set(qrnn("sample", folder, "--count", "3").stdout.replace("\n", "")) <= set("ab")
    assert qrnn("evaluate", folder, "--data", moved).exit_code == 0
    assert qrnn("inspect", folder).exit_code == 0

    more = ("--resume", "--out", folder, "--data", moved)
    assert qrnn("train", "sequences", *more).exit_code == 0
    assert qrnn("evaluate", folder).exit_code == 0
    moved.write_text("abab\nbaba\nabbb\n", encoding="utf-8")
    result = qrnn("evaluate", folder, "--data", moved)
    assert result.exit_code == 2
    assert "is not the file that the run began with" in result.stderr


def test_the_first_lines_of_a_run_say_what_the_file_was_found_to_hold(
    qrnn: Qrnn, tmp_path: Path
) -> None:
    data = tmp_path / "a.csv"
    data.write_text("label,a,b\n" + "yes,1,0\nno,0,2\n" * 10, encoding="utf-8")
    found = (
        "data: sequences to train on, validate by and test by: 16, 2 and 2; of at most 2 step(s) "
        "and 3 symbols; 2 classes, no, yes; 2 of those to test by are also trained on"
    )
    of_label = ("train", "sequences", "--data", data, "--target", "label", *TINY)
    for options in (("--out", tmp_path / "run"), ("--out", tmp_path / "runs", "--seeds", "0-1")):
        result = qrnn(*of_label, *options)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines()[1] == found
    data = tmp_path / "a.txt"
    data.write_text("ab\x1b\nba\n" * 10, encoding="utf-8")
    result = qrnn("train", "sequences", "--data", data, "--out", tmp_path / "text", *TINY)
    assert r"and 3 symbols, '\x1bab'" in result.stdout.splitlines()[1]
    sample = qrnn("sample", tmp_path / "text", "--count", "20").stdout
    assert r"\x1b" in sample
    assert "\x1b" not in sample


def test_a_bad_file_is_one_line_and_nothing_is_written(qrnn: Qrnn, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("1,2\n3,nan\n", encoding="utf-8")
    for name in ("bad.csv", "none.csv", "."):
        data, folder = tmp_path / name, tmp_path / "run"
        result = qrnn("train", "sequences", "--data", data, "--out", folder)
        assert result.exit_code == 2
        assert len(result.stderr.splitlines()) == 1
        assert not folder.exists()
    for nothing in ((), ("--data", "")):
        result = qrnn("train", "sequences", "--out", tmp_path / "run", *nothing)
        assert "data must name a file of text, .csv or .npz: give --data FILE" in result.stderr


def test_a_tilde_is_the_home_folder_on_the_command_line_as_in_python(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "run"
    result = qrnn("train", "sequences", "--data", "~/a.csv", "--out", folder, *TINY)
    assert result.exit_code == 0, result.stderr
    assert load_run(folder).task.data == Sequences(data="~/a.csv").data == str(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*~nobody-of-this-name/a.csv"):
        Sequences(data="~nobody-of-this-name/a.csv")


def test_a_lane_that_is_too_narrow_for_the_alphabet_is_refused(qrnn: Qrnn, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("0,7\n3,1\n2,2\n", encoding="utf-8")
    out = ("--out", tmp_path / "run")
    result = qrnn("train", "sequences", "--data", tmp_path / "a.csv", "--lane", "2", *out)
    assert result.exit_code == 2
    assert "lane must be at least 3, got 2" in result.stderr


def test_the_help_has_the_options_of_a_file_and_not_what_is_found_in_it(qrnn: Qrnn) -> None:
    text = qrnn("train", "--help").stdout
    assert "--validation-share" in text
    assert "--contents" not in text
