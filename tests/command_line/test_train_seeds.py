import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from qrnn_circuits.training import RunFolder
from qrnn_circuits.training.checkpoint import read_checkpoint
from tests.running import TRAIN, message, wait_for_step

Qrnn = Callable[..., Result]
QrnnProcess = Callable[..., subprocess.Popen[str]]


def test_runs_of_several_seeds_each_have_a_folder_and_a_row_of_the_table(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    result = qrnn(*TRAIN, *tiny, "--steps", 4, "--seeds", "1,3-4", "--out", folder)
    assert result.exit_code == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert [run["seed"] for run in summary["runs"]] == [1, 3, 4]
    best = folder / f"seed-{summary['best']}"
    assert "".join(result.stdout.split()).endswith(f"qrnnevaluate{best}")
    assert qrnn("evaluate", best, "--json").exit_code == 0
    assert RunFolder(folder / "seed-3").read_config().seed == 3
    assert all(f"\n {seed:>4}  " in result.stdout for seed in (1, 3, 4))


def test_runs_of_several_seeds_killed_at_a_random_moment_end_where_unbroken_ones_do(
    qrnn: Qrnn, qrnn_process: QrnnProcess, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = (*tiny, "--steps", 60, "--checkpoint-every", 1, "--seeds", "0-2")
    assert qrnn(*TRAIN, *arguments, "--out", tmp_path / "unbroken").exit_code == 0
    folder = tmp_path / "killed"
    process = qrnn_process(*TRAIN, *arguments, "--out", folder)
    wait_for_step(process, folder / "seed-2", 20)
    time.sleep(random.uniform(0, 0.02))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert qrnn("train", "xor", "--out", folder, "--resume").exit_code == 0
    for seed in range(3):
        ends = [
            read_checkpoint(path / f"seed-{seed}" / "last.safetensors").parameters
            for path in (folder, tmp_path / "unbroken")
        ]
        for name, tensor in ends[0].items():
            # Runs that were killed at different steps are for a while computed by themselves.
            torch.testing.assert_close(tensor, ends[1][name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seeds", "3-x"), "seeds must be like 0-31"),
        (("--seeds", "2,2"), "seeds must each be named once"),
        (("--seeds", "0-99999"), "seeds must be at most 10,000"),
        (("--seeds", "0-1", "--seed", "3"), "seed and seeds exclude each other"),
        (("--seeds", "0-1", "--optimizer", "lbfgs"), "optimizer must be adam, sgd or rmsprop"),
    ],
)
def test_seeds_that_cannot_be_trained_together_are_refused(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in message(qrnn(*TRAIN, *tiny, *options, "--out", tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_runs_are_resumed_with_the_seeds_that_they_were_started_with(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    assert qrnn(*TRAIN, *tiny, "--steps", 2, "--seeds", "0-1", "--out", tmp_path).exit_code == 0
    result = qrnn("train", "xor", "--out", tmp_path, "--resume", "--seeds", "0-2")
    assert "seeds must be those that the runs in" in message(result)


def test_seeds_are_resumed_where_runs_of_several_are(
    qrnn: Qrnn, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    one, none = tmp_path / "one", tmp_path / "none"
    assert qrnn(*TRAIN, *tiny, "--steps", 1, "--out", one).exit_code == 0
    resume = ("--resume", "--seeds", "0-1", "--out")
    several = message(qrnn("train", "xor", *resume, one))
    assert "which holds no runs of several, got '0-1'" in several
    assert "there is no run to resume" in message(qrnn("train", "xor", *resume, none))
    assert not none.exists()
