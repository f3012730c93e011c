"""Runs that crash, and what their end is judged by."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qrnn_circuits.training import Progress, RunConfig, Trainer


class At(Progress):
    """Calls a function when a run has taken some step."""

    def __init__(self, step: int, action: Callable[[], object]) -> None:
        self._step = step
        self._action = action

    def step(self, step: int, loss: float) -> None:
        if step == self._step:
            self._action()


class CrashError(Exception):
    """Ends a run between two checkpoints, as a kill does."""


def crash() -> None:
    raise CrashError


def files(folder: Path) -> dict[str, bytes]:
    """What the end of a run is judged by, to the last bit."""
    return {name: (folder / name).read_bytes() for name in ("last.safetensors", "best.safetensors")}


def assert_crash_changes_nothing(config: RunConfig, folder: Path, step: int) -> None:
    """Asserts that a run that crashed at a step and resumed ends where the unbroken one does."""
    Trainer.start(config, folder / "unbroken").run()
    with pytest.raises(CrashError):
        Trainer.start(config, folder / "broken").run(At(step, crash))
    Trainer.resume(folder / "broken").run()
    assert files(folder / "broken") == files(folder / "unbroken")
