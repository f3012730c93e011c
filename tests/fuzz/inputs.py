"""Valid inputs that the fuzzers change: a run, a sweep, jobs and digits, all of the smallest."""

import contextlib
import shutil
from pathlib import Path
from unittest import mock

import numpy as np

from qrnn_circuits.training import RunConfig, Sweep, SweepSpace, Trainer

_SETTINGS = {
    "workspace": 1,
    "degree": 1,
    "semantics": "unitary",
    "steps": 2,
    "validate_every": 1,
    "batch_size": 2,
    "task_options": {"length": 3},
}


def digits(folder: Path, *, compressed: bool) -> Path:
    """A file of digits with two coordinates."""
    generator = np.random.default_rng(0)
    arrays = {
        f"{kind}_{part}": generator.integers(0, 10, (30, 2) if kind == "x" else 30, np.uint8)
        for part in ("train", "validate", "test")
        for kind in "xy"
    }
    path = folder / "mnist-umap-2.npz"
    (np.savez_compressed if compressed else np.savez)(path, allow_pickle=False, **arrays)
    return path


def config(**changes: object) -> RunConfig:
    """Of a run that takes milliseconds."""
    return RunConfig.resolve("memorise", _SETTINGS, changes, recipe="none")


def run(folder: Path, optimizer: str) -> Path:
    """A finished run."""
    Trainer.start(config(optimizer=optimizer), folder).run()
    return folder


def sweep(folder: Path) -> Path:
    """A sweep over a list and a range, with a finished run and one that is to come."""
    settings = _SETTINGS | {"learning_rate": {"low": 0.01, "high": 0.1}, "seed": [0, 1]}
    book = Sweep.open(folder, SweepSpace("memorise", settings), trials=2, sampler="random")
    with book.take() as trial:
        assert trial is not None
        book.run(trial)
    return folder


def jobs(path: Path, trained: Path) -> None:
    """Two jobs, of which one is done."""
    from typer.testing import CliRunner

    from qrnn_circuits.command_line import app
    from qrnn_circuits.job_store import JobStore

    options = f"--backend fake_manila --shots 20 --steps 1 --sequences 1 --json {trained}".split()
    with mock.patch.dict("os.environ", {"QRNN_JOBS": str(path)}):
        for _ in range(2):
            result = CliRunner().invoke(app, ["submit", *options])
            assert result.exit_code == 0, result.output
        done = JobStore(path).records()[0].id
        result = CliRunner().invoke(app, ["results", done, "--json"])
        assert result.exit_code == 0, result.output


def fresh_copy(source: Path, target: Path) -> Path:
    """A copy of a folder in place of what was there."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(target)
    shutil.copytree(source, target)
    return target
