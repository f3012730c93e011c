"""Tasks of other packages, as these install them: with entry points."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

TASKS = '''
from dataclasses import dataclass
from typing import ClassVar

from qrnn_circuits.tasks import option
from tests.custom_task import Echo


@dataclass(frozen=True)
class Worded(Echo):
    """Echoes a word."""

    length: str = option("four", "Bits of a sequence, in a word.")
    kinds: tuple[int, ...] = option((1, 2), "Numbers.")

    name: ClassVar[str] = "worded"
'''
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs a package with a task, and with another one that cannot be imported."""
    (tmp_path / "own_tasks.py").write_text(TASKS)
    (tmp_path / "broken_tasks.py").write_text("import a_package_that_is_nowhere\n")
    information = tmp_path / "own_tasks-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: own_tasks\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[qrnn_circuits.tasks]\nbroken = broken_tasks:Broken\nworded = own_tasks:Worded\n"
    )
    path = [str(tmp_path), str(Path.cwd()), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, path)))


def test_a_package_that_cannot_be_imported_breaks_no_task_but_its_own(
    qrnn_process: Start, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    train = qrnn_process("train", "xor", *tiny, "--out", tmp_path / "run")
    _, errors = train.communicate()
    assert train.returncode == 0, errors
    train = qrnn_process("train", "broken", "--out", tmp_path / "other")
    _, errors = train.communicate()
    assert train.returncode == 2
    assert errors.startswith("Error: task 'broken' cannot be imported: No module named")


def test_the_doctor_tells_of_every_plug_in_and_once_asked_of_those_that_do_not_load(
    qrnn_process: Start,
) -> None:
    told, _ = qrnn_process("doctor").communicate()
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert {"task broken installed by own_tasks", "task worded installed by own_tasks"} <= {*lines}
    doctor = qrnn_process("doctor", "--load")
    told, _ = doctor.communicate()
    assert doctor.returncode == 1
    (problem,) = [line for line in told.splitlines() if line.startswith("Problem: ")]
    assert problem.startswith("Problem: task broken, does not load (ModuleNotFoundError: No module")
    assert problem.endswith("pip install --force-reinstall own_tasks, or pip uninstall own_tasks")


def test_the_options_of_a_packages_task_stand_in_place_of_others_of_the_same_names(
    qrnn_process: Start, tmp_path: Path
) -> None:
    options = "--length", "three", "--bits", "3", "--steps", "1"
    train = qrnn_process("train", "worded", *options, "--out", tmp_path / "run")
    _, errors = train.communicate()
    assert train.returncode == 0, errors
    text = (tmp_path / "run" / "config.json").read_text()
    assert '"length": "three"' in text
    helped, errors = qrnn_process("train", "worded", "--help").communicate()
    assert "--bits" in helped
    assert "--kinds" not in helped, "what has no text of its own is given in a file"
