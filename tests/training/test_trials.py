from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qrnn_circuits.training import (
    Progress,
    RunConfig,
    Trainer,
    read_scalars,
)
from tests.conftest import qrnn_cell
from tests.training.crashes import assert_crash_changes_nothing

Tiny = Callable[..., RunConfig]


@pytest.fixture
def trying(tiny: Tiny) -> RunConfig:
    """Three trials of six steps, of which the best goes on."""
    return tiny(
        restarts=2,
        restart_after=6,
        steps=24,
        curriculum="2,3",
        decay="cosine",
        acceptance_weight=0.1,
        acceptance_warmup=4,
        learning_rate=0.1,
    )


class Trials(Progress):
    """Remembers where trials began and where the best one went on."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int]] = []
        self.back: list[tuple[int, int]] = []

    def restart(self, step: int, trial: int) -> None:
        self.begun.append((step, trial))

    def retreat(self, step: int, best_step: int) -> None:
        self.back.append((step, best_step))


def test_the_best_of_several_trials_goes_on(trying: RunConfig, tmp_path: Path) -> None:
    trials = Trials()
    result = Trainer.start(trying, tmp_path / "run").run(trials)
    assert trials.begun == [(6, 1), (12, 2)]
    ((step, best),) = trials.back
    assert step == 18
    errors = dict(read_scalars(tmp_path / "run", "validation/sampled_error"))
    assert {6, 12, 18} <= errors.keys()
    assert errors[best] == min(error for at, error in errors.items() if at <= 18)
    assert result.standing.best is not None
    assert result.standing.best.sampled_error == pytest.approx(min(errors.values()))


def test_the_best_trial_goes_on_at_its_own_rate_however_bad_the_last_one_ended(
    tiny: Tiny, tmp_path: Path
) -> None:
    trials = Trials()
    settings = {"validate_every": 2, "learning_rate": 0.8, "retreat": 3, "seed": 3}
    config = tiny(restarts=2, restart_after=6, steps=19, **settings)
    trainer = Trainer.start(config, tmp_path / "run")
    trainer.run(trials)
    errors = dict(read_scalars(tmp_path / "run", "validation/sampled_error"))
    ((_, best),) = trials.back
    assert errors[18] > 1.25 * errors[best]
    (group,) = trainer.optimizer.param_groups
    assert group["lr"] == 0.8


def test_every_trial_has_initial_parameters_of_its_own(trying: RunConfig) -> None:
    first, second = (trying.build_model(trial=trial) for trial in (0, 1))
    assert not torch.equal(qrnn_cell(first).theta, qrnn_cell(second).theta)
    assert torch.equal(qrnn_cell(first).theta, qrnn_cell(trying.build_model()).theta)


def test_every_trial_has_an_optimiser_of_its_own(trying: RunConfig, tmp_path: Path) -> None:
    class Watch(Trials):
        def restart(self, step: int, trial: int) -> None:
            super().restart(step, trial)
            assert not trainer.optimizer.state

    watch = Watch()
    trainer = Trainer.start(trying, tmp_path / "run")
    trainer.run(watch)
    assert len(watch.begun) == 2


@pytest.mark.parametrize("step", [5, 6, 7, 12, 17, 18, 19])
def test_a_run_of_trials_that_crashed_and_resumed_ends_where_the_unbroken_run_does(
    trying: RunConfig, tmp_path: Path, step: int
) -> None:
    assert_crash_changes_nothing(trying, tmp_path, step)
