from collections.abc import Callable

import pytest

from qrnn_circuits import QRNN
from qrnn_circuits.tasks import Memorise, Task, Xor
from qrnn_circuits.training import RunConfig, TrainedRun

MakeRun = Callable[..., TrainedRun]


@pytest.fixture
def make_run(make_model: Callable[..., QRNN]) -> MakeRun:
    """Networks with random parameters in place of trained ones, small enough for statevectors."""

    def make(task: Task | None = None, **options: object) -> TrainedRun:
        task = Xor(length=8) if task is None else task
        defaults = {"lane": task.lane, "workspace": 1, "stages": 1, "order": 1, "degree": 1}
        return TrainedRun(RunConfig(task=task.name), task, make_model(**(defaults | options)), 7)

    return make


@pytest.fixture
def unitary_run(make_run: MakeRun) -> TrainedRun:
    """Two steps of it keep a fair share of the shots."""
    return make_run(Memorise(length=2), semantics="unitary")


@pytest.fixture
def postselected_run(make_run: MakeRun) -> TrainedRun:
    return make_run(Memorise(length=1))
