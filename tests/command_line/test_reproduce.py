import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from time import monotonic, sleep

import pytest
from typer.testing import Result

from qrnn_circuits.command_line import reproduction_table
from qrnn_circuits.reproduction import experiment_files
from qrnn_circuits.reproduction.experiment_files import (
    experiment_names,
    read_experiment,
    read_experiment_file,
)
from qrnn_circuits.reproduction.results import RunResult, append_results

TINY = """
title = "Tiny"
question = "Does it run?"
minutes = 0.1
quick = { minutes = 0.1 }
settings = { task = "memorise", workspace = 2, degree = 1, steps = 2 }
quantities = [{ name = "test_error", label = "test error", unit = "%" }]
"""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two experiments of a run each, of which one needs data."""
    for name, extra in (("tiny", ""), ("digital", 'needs_data = "mnist"\n')):
        (tmp_path / f"{name}.toml").write_text(extra + TINY)

    def read(name: str, *, quick: bool = False) -> object:
        return read_experiment_file(tmp_path / f"{name}.toml", quick=quick)

    for module in (experiment_files, reproduction_table):
        monkeypatch.setattr(module, "read_experiment", read)
        monkeypatch.setattr(module, "experiment_names", lambda: ["digital", "tiny"])


def test_the_list_has_every_experiment_with_its_runs_and_minutes(
    qrnn: Callable[..., Result],
) -> None:
    lines = qrnn("reproduce", "--list").stdout.splitlines()
    for name in experiment_names():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        experiment = read_experiment(name)
        assert line.split()[-2:] == [str(experiment.runs), f"{experiment.minutes:g}"]
        assert ("QRNN_DATA_DIR" in line) == (experiment.needs_data is not None)


@pytest.mark.usefixtures("tiny")
def test_all_runs_what_there_are_data_for_and_says_what_the_others_need(
    qrnn: Callable[..., Result], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = qrnn("reproduce", "all", "--out", out, "--processes", "1")
    assert result.exit_code == 0
    assert "digital is left out: set QRNN_DATA_DIR" in result.stderr
    assert "1 of 1 runs: tiny all, seed 0" in result.stderr
    assert "Tiny: 1 of 1 runs" in result.stdout
    assert [path.name for path in out.glob("*.jsonl")] == ["tiny.jsonl"]


@pytest.mark.usefixtures("tiny")
def test_an_experiment_named_without_its_data_is_refused(
    qrnn: Callable[..., Result], tmp_path: Path
) -> None:
    result = qrnn("reproduce", "tiny", "digital", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "digital cannot be run without data: set QRNN_DATA_DIR to a folder" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("tiny")
def test_the_report_prints_the_results_so_far_and_runs_nothing(
    qrnn: Callable[..., Result], tmp_path: Path
) -> None:
    case = read_experiment_file(tmp_path / "tiny.toml").cases[0]
    result = RunResult("tiny", "all", 0, case.settings, {"test_error": 0.25})
    append_results(tmp_path / "out" / "tiny.jsonl", [result])
    printed = qrnn("reproduce", "--report", "--out", tmp_path / "out")
    assert printed.exit_code == 0
    assert "25.00 %" in printed.stdout
    page = tmp_path / "page.md"
    written = qrnn("reproduce", "--report", "--out", tmp_path / "out", "--markdown", page)
    assert written.exit_code == 0
    assert written.stderr == ""
    assert "25.00 %" in page.read_text()


@pytest.mark.usefixtures("tiny")
def test_pictures_that_a_report_lacks_are_named(
    qrnn: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text('pictures = ["sheet.png"]\n' + file.read_text())
    result = RunResult("tiny", "all", 0, read_experiment_file(file).cases[0].settings, {})
    append_results(tmp_path / "out" / "tiny.jsonl", [result])
    arguments = ("--report", "--out", tmp_path / "out", "--markdown", tmp_path / "page.md")
    written = qrnn("reproduce", *arguments)
    assert written.exit_code == 0
    assert written.stderr.startswith("Left out of it: tiny-all-sheet.png, since ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name an experiment, or all"),
        (["dnaa"], "unknown experiment 'dnaa'; did you mean dna"),
        (["dna", "--markdown", "page.md"], "markdown is for --report"),
        (["dna", "--report", "--quick", "--markdown", "page.md"], "without --quick"),
        (["--report", "--markdown", "page.html"], "ends in .md, got page.html"),
        (["--report", "--processes", "2"], "processes must be left out with --report, which"),
        (["--list", "--processes", "2"], "processes must be left out with --list, which lists all"),
        (["--list", "--report"], "report must be left out with --list"),
        (["--list", "--markdown", "page.md"], "markdown must be left out with --list"),
        (["dna", "--list"], "names must be left out with --list, which lists all, got ['dna']"),
    ],
)
def test_what_is_not_acceptable_is_refused(
    qrnn: Callable[..., Result], arguments: list[str], message: str
) -> None:
    result = qrnn("reproduce", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_ctrl_c_ends_it_and_says_how_to_go_on(
    qrnn_process: Callable[..., Popen[str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = qrnn_process("reproduce", "letters-topology", "--out", out, "--processes", "1")
    deadline = monotonic() + 120
    while not list(out.glob("letters-topology/*/working-0/seed-0/*")):
        assert process.poll() is None
        assert monotonic() < deadline
        sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert f"Go on with: qrnn reproduce letters-topology --out {out}" in told


@pytest.mark.usefixtures("tiny")
def test_several_processes_of_torchrun_are_refused_before_anything_is_done(
    qrnn: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = qrnn("reproduce", "tiny", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "as many as --processes says" in result.stderr
    assert "leave torchrun out" in result.stderr
    assert not (tmp_path / "out").exists()
