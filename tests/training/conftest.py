from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from qrnn_circuits.training import Checkpoint, RunConfig, RunFolder, Trainer
from qrnn_circuits.training.checkpoint import read_checkpoint
from tests.rvqe import SaveRvqe
from tests.two_processes import Pair


@pytest.fixture
def tiny() -> Callable[..., RunConfig]:
    """A configuration whose steps take milliseconds."""

    def make(**changes: object) -> RunConfig:
        settings = {
            "task_options": {"length": 6},
            "workspace": 2,
            "degree": 2,
            "batch_size": 4,
            "steps": 12,
            "validate_every": 4,
            "checkpoint_every": 3,
        }
        return RunConfig.resolve("xor", settings, changes, recipe="paper")

    return make


@pytest.fixture(scope="session")
def stored_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short finished run, for reading only."""
    folder = tmp_path_factory.mktemp("runs") / "stored"
    config = RunConfig(
        task="xor",
        task_options={"length": 6},
        workspace=2,
        batch_size=4,
        steps=5,
        validate_every=2,
        optimizer="lbfgs",
    )
    Trainer.start(config, folder).run()
    return folder


@pytest.fixture(scope="session")
def stored_checkpoint(stored_run: Path) -> Checkpoint:
    return read_checkpoint(RunFolder(stored_run).checkpoint_path("last"))


@pytest.fixture(scope="session")
def on_both() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    if pair.processes:
        pair.send(None)
    for process in pair.processes:
        process.join(60)


@pytest.fixture
def save_rvqe(tmp_path: Path) -> SaveRvqe:
    """Writes a checkpoint as the published code does."""

    def write(content: object, *, zipped: bool = True) -> Path:
        path = tmp_path / "checkpoint.tar"
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        return path

    return write
