from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from qrnn_circuits.reproduction import runner
from qrnn_circuits.reproduction.jobs import Job, perform
from qrnn_circuits.reproduction.workers import Finished, Told, Workers

TINY = """
title = "Tiny"
question = "Does it run?"
minutes = 0.1
seeds = 2

[settings]
task = "memorise"
task_options = { length = 4 }
workspace = 2
degree = 1
batch_size = 2
steps = 4
validate_every = 2

[grid]
learning_rate = [0.01, 0.1]

[quick]
minutes = 0.01
settings = { steps = 2 }
grid = { learning_rate = [0.1] }

[[quantities]]
name = "test_error"
label = "test error"
unit = "%"

[[published]]
case = "learning_rate=0.1"
quantity = "test_error"
value = 0.25
source = "nowhere"

[[charts]]
kind = "scan"
quantity = "test_error"
x = "learning_rate"
"""
"""Four runs that take a moment."""


@pytest.fixture
def experiment_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes the file of a tiny experiment, some of its text replaced or added."""

    def write(*replacements: tuple[str, str], added: str = "", name: str = "tiny") -> Path:
        text = TINY
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "files" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + added)
        return path

    return write


class _Here(Workers):
    """Does the jobs in this process, since a new one takes seconds to start."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Told | Finished | None]:
        for job in jobs:
            try:
                yield Finished(job, perform(job, lambda text: None), None)
            except Exception as error:
                yield Finished(job, [], str(error))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are done in this process."""
    monkeypatch.setattr(runner, "Workers", _Here)
