import errno
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from qrnn_circuits.training import RunConfig, RunFolder, read_scalars
from qrnn_circuits.training.checkpoint import read_checkpoint
from tests.running import wait_for_step

pytest.importorskip("optuna")

Qrnn = Callable[..., Result]
QrnnProcess = Callable[..., subprocess.Popen[str]]

_SETTINGS = """
lane = 2
workspace = 1
degree = 1
batch_size = 2
validate_every = 1000
checkpoint_every = 1
"""


def write(path: Path, text: str) -> Path:
    path.write_text(_SETTINGS + text + "\n[task_options]\nlength = 4\n")
    return path


def trials(output: str) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(output)["trials"]
    return result


def test_the_table_has_the_best_trial_first_and_tells_why_others_failed(
    qrnn: Qrnn, tmp_path: Path
) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 3\ndegree = {low = 1, high = 3}")
    config.write_text(config.read_text().replace("degree = 1\n", "", 1))
    folder = tmp_path / "sweep"
    result = qrnn("sweep", "xor", "--out", folder, "--config", config, "--trials", 6)
    assert result.exit_code == 0, result.output
    found = trials(qrnn("sweep", "xor", "--out", folder, "--json").stdout)
    assert {trial["state"] for trial in found} == {"complete", "fail"}
    rows = [line.split() for line in result.stdout.splitlines() if "complete" in line]
    ranks = sorted((t["sampled_error"], t["number"]) for t in found if t["state"] == "complete")
    assert [int(row[0]) for row in rows] == [number for _, number in ranks]
    for trial in found:
        if trial["state"] == "fail":
            assert f"trial {trial['number']} has failed: degree must be" in result.stdout


def test_two_processes_run_every_trial_once_and_one_that_is_killed_is_made_good(
    qrnn: Qrnn, qrnn_process: QrnnProcess, tmp_path: Path
) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 40\nseed = [0, 1, 2, 3]")
    folder = tmp_path / "sweep"
    command = ("sweep", "xor", "--out", folder, "--config", config, "--json")
    processes = [qrnn_process(*command) for _ in range(2)]
    killed = processes[0]
    # The first line names the trial that it has just begun.
    assert killed.stderr is not None
    number = int(killed.stderr.readline().split()[1])
    last = folder / f"trial-{number:04d}" / "last.safetensors"
    wait_for_step(killed, last.parent, 2)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    step = read_checkpoint(last).step

    output, errors = processes[1].communicate(timeout=60)
    assert processes[1].returncode == 0, errors
    result = qrnn(*command)
    assert result.exit_code == 0, result.output
    found = trials(result.stdout)
    assert [(trial["state"], trial["settings"]) for trial in found] == [
        ("complete", {"seed": seed}) for seed in range(4)
    ]
    begun = Counter(line.split()[1] for line in (errors + result.stderr).splitlines())
    assert begun == Counter(map(str, range(4)))
    for trial in found:
        # Each step was taken once, but those after the killed process's last checkpoint.
        curve = read_scalars(Path(trial["folder"]), "train/loss")
        assert [n for n, _ in curve] == list(range(1, 41))
        files = sorted(Path(trial["folder"]).glob("events*"))
        assert len(files) == (2 if trial["number"] == number and step < 40 else 1)
    assert trials(output)[number]["state"] in ("running", "complete")


def test_ctrl_c_saves_the_trial_and_says_how_to_go_on(
    qrnn: Qrnn, qrnn_process: QrnnProcess, tmp_path: Path
) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 100000\nseed = [0, 1]")
    folder = tmp_path / "a sweep"
    process = qrnn_process("sweep", "xor", "--out", folder, "--config", config)
    last = folder / "trial-0000" / "last.safetensors"
    wait_for_step(process, last.parent, 2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    step = read_checkpoint(last).step
    assert errors.splitlines()[-1] == (
        f"Interrupted and saved after step {step}. Go on with: qrnn sweep xor --out '{folder}'"
    )
    states = [line.split()[-1] for line in output.splitlines()]
    assert states[-2:] == ["interrupted", "waiting"]


@pytest.mark.parametrize("seeds", [(), ("--seeds", "0,1")])
def test_a_full_disk_at_the_start_of_a_trial_is_one_message_and_the_sweep_goes_on_later(
    qrnn: Qrnn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seeds: tuple[str, ...],
) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 2\norder = [1, 2]")
    folder = tmp_path / "sweep"

    def full(folder: RunFolder, config: RunConfig) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "write_config", full)
        result = qrnn("sweep", "xor", "--out", folder, "--config", config, *seeds)
    assert result.exit_code == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(f"Error: the sweep in {folder} cannot go on: [Errno {errno.ENOSPC}]")
    found = trials(qrnn("sweep", "xor", "--out", folder, "--json").stdout)
    assert [trial["state"] for trial in found] == ["complete", "complete"]


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("seed = [0, 1]", ("--trials", 3), "trials is for sweeps with ranges"),
        ("seed = [0, -1]", (), "with {'seed': -1}: seed must be at least 0"),
        ("seed = 0", (), "a sweep must vary some setting"),
        ("task = 'dna'\nseed = [0, 1]", (), "task must be 'xor' here, got 'dna'"),
    ],
)
def test_a_mistake_is_one_message_with_exit_code_2_and_leaves_no_folder(
    qrnn: Qrnn, tmp_path: Path, text: str, arguments: tuple[object, ...], expected: str
) -> None:
    config = write(tmp_path / "sweep.toml", text)
    folder = tmp_path / "sweep"
    result = qrnn("sweep", "xor", "--out", folder, "--config", config, *map(str, arguments))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert expected in line
    assert not folder.exists()


def test_a_sweep_of_another_task_is_not_joined(qrnn: Qrnn, tmp_path: Path) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 1\nseed = [0, 1]")
    assert qrnn("sweep", "xor", "--out", tmp_path / "a", "--config", config).exit_code == 0
    result = qrnn("sweep", "dna", "--out", tmp_path / "a")
    assert result.exit_code == 2
    assert "this is a sweep of the task 'xor', not 'dna'" in result.stderr
    result = qrnn("sweep", "dna", "--out", tmp_path / "b")
    assert result.exit_code == 2
    assert "there is no sweep in" in result.stderr


def test_a_relative_data_folder_is_stored_in_full(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "sweep.toml"
    config.write_text("seed = [0, 1]\n[task_options]\ndata = 'mnist'\n")
    result = qrnn("sweep", "digits", "--out", "sweep", "--config", config)
    assert result.exit_code == 2
    assert f"no folder {tmp_path / 'mnist'}" in result.stderr
    assert not (tmp_path / "sweep").exists()
    monkeypatch.setenv("QRNN_DATA_DIR", os.fspath(tmp_path / "environment"))
    config.write_text("seed = [0, 1]\n")
    result = qrnn("sweep", "digits", "--out", "other", "--config", config)
    assert f"no folder {tmp_path / 'environment'}" in result.stderr


def test_a_killed_sweep_of_seeds_goes_on_to_the_figures_of_train_with_the_same_seeds(
    qrnn: Qrnn, qrnn_process: QrnnProcess, tmp_path: Path
) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 10\nlearning_rate = [0.01, 0.1]")
    folder = tmp_path / "sweep"
    command = ("sweep", "xor", "--out", folder, "--config", config, "--seeds", "0-2", "--json")
    process = qrnn_process(*command)
    wait_for_step(process, folder / "trial-0000" / "seed-1", 2)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    result = qrnn(*command)
    assert result.exit_code == 0, result.output
    for trial, rate in zip(trials(result.stdout), (0.01, 0.1), strict=True):
        alone = tmp_path / f"alone-{trial['number']}"
        own = write(tmp_path / "train.toml", f"steps = 10\nlearning_rate = {rate}")
        trained = qrnn("train", "xor", "--out", alone, "--config", own, "--seeds", "0-2")
        assert trained.exit_code == 0, trained.output
        runs = json.loads((alone / "summary.json").read_text())["runs"]
        errors = sorted(run["best"]["sampled_error"] for run in runs)
        figures = [trial[name] for name in ("best", "sampled_error", "worst", "diverged")]
        assert figures == [pytest.approx(e, abs=1e-10) for e in errors] + [0]
        for seed in range(3):
            curve = read_scalars(Path(trial["folder"]) / f"seed-{seed}", "train/loss")
            assert [n for n, _ in curve] == list(range(1, 11))
    again = qrnn("sweep", "xor", "--out", folder)
    assert again.exit_code == 0, again.output
    assert "median sampled error" in again.stdout
    assert "trial 0 of" not in again.stderr


def test_seeds_that_the_file_varies_too_are_refused_in_a_line(qrnn: Qrnn, tmp_path: Path) -> None:
    config = write(tmp_path / "sweep.toml", "steps = 1\nseed = [0, 1]")
    folder = tmp_path / "sweep"
    result = qrnn("sweep", "xor", "--out", folder, "--config", config, "--seeds", "0-1")
    assert result.exit_code == 2
    assert "seed and seeds exclude each other" in result.stderr
    assert not folder.exists()


@pytest.mark.parametrize("seeds", [(), ("--seeds", "0-1")])
def test_a_sweep_of_forecasts_is_judged_by_the_normalised_error(
    qrnn: Qrnn, tmp_path: Path, seeds: tuple[str, ...]
) -> None:
    settings = 'steps = [1, 2]\ncell = "rnn"\noptimizer = "adam"\n'
    (tmp_path / "sweep.toml").write_text(
        settings + 'decay = "none"\n[task_options]\nseries = "bessel"\npoints = 60\n'
    )
    out = ("--out", tmp_path / "sweep")
    result = qrnn("sweep", "forecast", "--config", tmp_path / "sweep.toml", *out, *seeds)
    assert result.exit_code == 0, result.stderr
    figures = json.loads(qrnn("sweep", "forecast", *out, "--json").stdout)["trials"]
    table = " ".join(result.stdout.split())
    assert "normalised error" in table
    assert "%" not in table
    assert "sampled" not in table
    for run in figures:
        assert f"{run['sampled_error']:.4g}" in table


def test_a_recipe_begins_a_sweep_and_is_kept_by_those_that_join_it(
    qrnn: Qrnn, tmp_path: Path
) -> None:
    config, folder = tmp_path / "sweep.toml", tmp_path / "sweep"
    config.write_text("steps = 1\nseed = [0, 1]\n")
    result = qrnn("sweep", "memorise", "--out", folder, "--recipe", "paper")
    assert result.exit_code == 2
    assert "recipe is for a new sweep, which takes --config, got 'paper'" in result.stderr
    given = ("sweep", "memorise", "--out", folder, "--config", config, "--recipe", "paper")
    assert qrnn(*given).exit_code == 0
    assert qrnn("sweep", "memorise", "--out", folder).exit_code == 0
    found = RunFolder(folder / "trial-0001").read_config()
    assert found == RunConfig.resolve("memorise", {"steps": 1, "seed": 1}, recipe="paper")
