import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from qrnn_circuits.training import (
    Checkpoint,
    CheckpointError,
    LogError,
    Progress,
    RunConfig,
    RunFolder,
    Trainer,
    TrainingDiverged,
    load_run,
    read_scalars,
)
from qrnn_circuits.training.checkpoint import read_checkpoint
from qrnn_circuits.training.run_folder import CheckpointName
from tests.conftest import qrnn_cell
from tests.training.crashes import At, CrashError, assert_crash_changes_nothing, crash, files

SmallDisk = Callable[[int], AbstractContextManager[None]]
Tiny = Callable[..., RunConfig]


# How the rate decays does not depend on the optimiser: one pair each, and both for the default.
@pytest.mark.parametrize(
    ("optimizer", "decay"),
    [
        ("adam", "none"),
        ("adam", "cosine"),
        ("sgd", "none"),
        ("rmsprop", "cosine"),
        ("lbfgs", "cosine"),
    ],
)
def test_a_run_that_crashed_and_resumed_ends_where_the_unbroken_run_does(
    tiny: Tiny, tmp_path: Path, optimizer: str, decay: str
) -> None:
    rates = {} if optimizer == "lbfgs" else {"readout_learning_rate": 0.01}
    config = tiny(optimizer=optimizer, decay=decay, **rates)
    Trainer.start(config, tmp_path / "unbroken").run()
    folder = tmp_path / "broken"
    with pytest.raises(CrashError):
        Trainer.start(config, folder).run(At(2, crash))
    for step in (5, 10):
        with pytest.raises(CrashError):
            Trainer.resume(folder).run(At(step, crash))
    result = Trainer.resume(folder).run()
    assert (result.first_step, result.step) == (9, 12)
    assert files(folder) == files(tmp_path / "unbroken")
    curves = [read_scalars(path, "train/loss") for path in (folder, tmp_path / "unbroken")]
    assert curves[0] == curves[1]
    assert [step for step, _ in curves[0]] == list(range(1, 13))


def test_a_network_of_order_0_trains_and_is_read_back(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(order=0, learning_rate=0.05, steps=60, batch_size=16)
    Trainer.start(config, tmp_path).run()
    losses = [loss for _, loss in read_scalars(tmp_path, "train/loss")]
    assert sum(losses[-5:]) / 5 < losses[0] / 2
    run = load_run(tmp_path, "last")
    assert run.config == config
    assert run.model.cell.order == 0
    trained = Trainer.resume(tmp_path).model
    for name, parameter in run.model.named_parameters():
        assert torch.equal(parameter, trained.get_parameter(name))


def test_equal_seeds_give_equal_runs_and_other_seeds_do_not(tiny: Tiny, tmp_path: Path) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        Trainer.start(tiny(seed=seed), tmp_path / name).run()
    assert files(tmp_path / "first") == files(tmp_path / "again")
    first, other = (
        qrnn_cell(load_run(tmp_path / name, "last").model) for name in ("first", "other")
    )
    assert not torch.equal(first.theta, other.theta)


def test_weights_do_not_depend_on_how_often_a_run_validates_or_saves(
    tiny: Tiny, tmp_path: Path
) -> None:
    Trainer.start(tiny(), tmp_path / "often").run()
    Trainer.start(tiny(validate_every=5, checkpoint_every=7), tmp_path / "seldom").run()
    often, seldom = (load_run(tmp_path / name, "last") for name in ("often", "seldom"))
    assert torch.equal(qrnn_cell(often.model).coefficients, qrnn_cell(seldom.model).coefficients)


@pytest.fixture
def retreating(tiny: Tiny) -> RunConfig:
    """A run whose learning rate is so large that it keeps falling back."""
    return tiny(learning_rate=0.8, validate_every=1, checkpoint_every=5, retreat=1, steps=24)


def test_a_retreat_goes_back_to_the_best_checkpoint_at_half_the_rate(
    retreating: RunConfig, tmp_path: Path
) -> None:
    class Watch(Progress):
        def __init__(self) -> None:
            self.retreats = 0

        def retreat(self, step: int, best_step: int) -> None:
            self.retreats += 1
            best = load_run(tmp_path / "run", "best")
            assert best.step == best_step < step
            assert torch.equal(qrnn_cell(best.model).theta, qrnn_cell(trainer.model).theta)
            stored = read_checkpoint(trainer.folder.checkpoint_path("best")).optimizer["state"]
            for number, own in trainer.optimizer.state_dict()["state"].items():
                assert all(torch.equal(own[name], stored[number][name]) for name in stored[number])

    watch = Watch()
    trainer = Trainer.start(retreating, tmp_path / "run")
    result = trainer.run(watch)
    assert watch.retreats == result.standing.retreats > 1
    (group,) = trainer.optimizer.param_groups
    # The last step may have led to one more retreat.
    assert group["lr"] in (0.8 / 2**watch.retreats, 0.8 / 2 ** (watch.retreats - 1))


@pytest.mark.parametrize("step", range(2, 24, 3))
def test_a_retreating_run_that_crashed_and_resumed_ends_where_the_unbroken_run_does(
    retreating: RunConfig, tmp_path: Path, step: int
) -> None:
    assert_crash_changes_nothing(retreating, tmp_path, step)


def test_a_best_checkpoint_that_a_kill_left_behind_is_written_by_the_resumed_run(
    retreating: RunConfig, tmp_path: Path
) -> None:
    Trainer.start(retreating, tmp_path / "unbroken").run()
    folder = tmp_path / "broken"
    trainer = Trainer.start(retreating, folder)
    save = RunFolder.save

    def save_until_second_best(self: RunFolder, name: str, checkpoint: Checkpoint) -> None:
        if name == "best" and self.checkpoint_path("best").exists():
            raise CrashError
        save(self, name, checkpoint)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "save", save_until_second_best)
        with pytest.raises(CrashError):
            trainer.run()
    Trainer.resume(folder).run()
    assert files(folder) == files(tmp_path / "unbroken")


def test_a_clipped_step_of_gradient_descent_is_no_longer_than_its_bound(
    tiny: Tiny, tmp_path: Path
) -> None:
    lengths = []
    for clip_norm in (0.01, 1e9):
        config = tiny(optimizer="sgd", learning_rate=0.5, clip_norm=clip_norm, steps=1)
        trainer = Trainer.start(config, tmp_path / str(clip_norm))
        before = parameters_to_vector(trainer.model.parameters()).detach()
        trainer.run()
        after = parameters_to_vector(trainer.model.parameters())
        lengths.append((after - before).norm().item())
    assert 0 < lengths[0] <= 0.5 * 0.01 * (1 + 1e-5) < lengths[1]


def test_an_extended_run_has_the_weights_of_a_longer_run(tiny: Tiny, tmp_path: Path) -> None:
    Trainer.start(tiny(steps=12), tmp_path / "long").run()
    Trainer.start(tiny(steps=7), tmp_path / "extended").run()
    result = Trainer.resume(tmp_path / "extended", {"steps": 12}).run()
    assert (result.first_step, result.step) == (7, 12)
    assert RunFolder(tmp_path / "extended").read_config().steps == 12
    long, extended = (load_run(tmp_path / name, "last") for name in ("long", "extended"))
    assert torch.equal(qrnn_cell(long.model).coefficients, qrnn_cell(extended.model).coefficients)


def test_a_finished_run_does_nothing_more(tiny: Tiny, tmp_path: Path) -> None:
    Trainer.start(tiny(), tmp_path / "run").run()
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    result = Trainer.resume(tmp_path / "run").run()
    assert (result.first_step, result.step) == (12, 12)
    assert result.reason == "all 12 steps are done"
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_finished_run_keeps_what_is_given_anew(tiny: Tiny, tmp_path: Path) -> None:
    Trainer.start(tiny(), tmp_path / "run").run()
    Trainer.resume(tmp_path / "run", {"checkpoint_every": 7}).run()
    assert RunFolder(tmp_path / "run").read_config() == tiny(checkpoint_every=7)


def test_fewer_steps_than_a_run_has_taken_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    Trainer.start(tiny(), tmp_path / "run").run()
    with pytest.raises(ValueError, match=r"steps must be at least the 12 .* taken, got 5"):
        Trainer.resume(tmp_path / "run", {"steps": 5})
    assert RunFolder(tmp_path / "run").read_config().steps == 12


def test_a_run_killed_before_its_first_checkpoint_resumes_from_the_start(
    tiny: Tiny, tmp_path: Path
) -> None:
    Trainer.start(tiny(), tmp_path / "unbroken").run()
    Trainer.start(tiny(), tmp_path / "broken")
    Trainer.resume(tmp_path / "broken").run()
    assert files(tmp_path / "broken") == files(tmp_path / "unbroken")


def test_no_checkpoint_of_a_step_is_written_twice(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    save = RunFolder.save

    def note(self: RunFolder, name: CheckpointName, checkpoint: Checkpoint) -> None:
        written.append((name, checkpoint.step))
        save(self, name, checkpoint)

    monkeypatch.setattr(RunFolder, "save", note)
    Trainer.start(tiny(validate_every=2, checkpoint_every=2, steps=8), tmp_path / "run").run()
    last_steps = [step for name, step in written if name == "last"]
    assert last_steps == [0, 2, 4, 6, 8]
    assert any(name == "best" for name, _ in written)


def test_the_best_checkpoint_is_that_of_the_best_validation(tiny: Tiny, tmp_path: Path) -> None:
    result = Trainer.start(tiny(steps=40, learning_rate=0.1), tmp_path / "run").run()
    errors = read_scalars(tmp_path / "run", "validation/error")
    sampled = read_scalars(tmp_path / "run", "validation/sampled_error")
    ranks = [(second, error) for (_, error), (_, second) in zip(errors, sampled, strict=True)]
    best_step = errors[ranks.index(min(ranks))][0]
    assert result.standing.best is not None
    assert result.standing.best.step == best_step
    run = load_run(tmp_path / "run", "best")
    assert run.step == best_step
    answers = run.task.answers(run.model, run.task.validation())
    assert answers.test_error == result.standing.best.error


def test_a_limit_ends_a_run_early_and_a_stricter_limit_extends_it(
    tiny: Tiny, tmp_path: Path
) -> None:
    result = Trainer.start(tiny(stop_error=1), tmp_path / "run").run()
    assert result.step == 4
    assert "stop_error" in str(result.reason)
    assert Trainer.resume(tmp_path / "run").run().step == 4
    assert Trainer.resume(tmp_path / "run", {"stop_error": 0}).run().step > 4


def test_the_last_step_is_validated_too(tiny: Tiny, tmp_path: Path) -> None:
    Trainer.start(tiny(steps=6), tmp_path / "run").run()
    assert [step for step, _ in read_scalars(tmp_path / "run", "validation/loss")] == [4, 6]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_after_the_step_and_the_run_goes_on_from_there(
    tiny: Tiny, tmp_path: Path, number: signal.Signals
) -> None:
    Trainer.start(tiny(), tmp_path / "unbroken").run()
    trainer = Trainer.start(tiny(), tmp_path / "run")
    result = trainer.run(At(4, lambda: os.kill(os.getpid(), number)))
    assert (result.step, result.signal, result.reason) == (4, number, None)
    result = Trainer.resume(tmp_path / "run").run()
    assert (result.first_step, result.step) == (4, 12)
    assert files(tmp_path / "run") == files(tmp_path / "unbroken")


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_a_run_that_diverges_says_so_and_keeps_its_last_checkpoint(
    tiny: Tiny, tmp_path: Path, optimizer: str
) -> None:
    trainer = Trainer.start(tiny(optimizer=optimizer, checkpoint_every=2), tmp_path / "run")

    def spoil() -> None:
        with torch.no_grad():
            qrnn_cell(trainer.model).theta[0, 0] = torch.nan

    message = r"diverged at step 6: .*(finite|zero).* smaller learning_rate .*last\.safetensors"
    with pytest.raises(TrainingDiverged, match=message):
        trainer.run(At(5, spoil))
    assert load_run(tmp_path / "run", "last").step == 4


def test_a_run_whose_angles_lose_their_meaning_diverges(tiny: Tiny, tmp_path: Path) -> None:
    trainer = Trainer.start(tiny(learning_rate=1e30), tmp_path / "run")
    with pytest.raises(TrainingDiverged, match=r"holds one of .*e\+29.* smaller learning_rate"):
        trainer.run()


def test_a_full_disk_ends_a_run_and_keeps_its_last_checkpoint(
    tiny: Tiny, tmp_path: Path, small_disk: SmallDisk
) -> None:
    folder = tmp_path / "run"
    Trainer.start(tiny(steps=6), folder).run()
    before = files(folder)
    trainer = Trainer.resume(folder, {"steps": 12})
    with small_disk(3000), pytest.raises(CheckpointError, match="could not be written"):
        trainer.run()
    assert files(folder) == before
    assert not list(folder.glob(".*.tmp"))
    assert Trainer.resume(folder).run().step == 12


def test_a_disk_too_full_for_the_log_keeps_the_last_checkpoint(
    tiny: Tiny, tmp_path: Path, small_disk: SmallDisk
) -> None:
    folder = tmp_path / "run"
    trainer = Trainer.start(tiny(steps=12), folder)
    assert trainer.run(At(6, lambda: os.kill(os.getpid(), signal.SIGINT))).step == 6
    before = files(folder)
    trainer = Trainer.resume(folder)
    with small_disk(100), pytest.raises(LogError, match="could not be written"):
        trainer.run()
    assert files(folder) == before


def test_a_network_that_cannot_be_built_leaves_no_folder(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="degree must be"):
        Trainer.start(tiny(degree=9), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_leaves_the_settings_of_torch_as_they_were(tiny: Tiny, tmp_path: Path) -> None:
    inside = []
    trainer = Trainer.start(tiny(), tmp_path / "run")
    trainer.run(At(1, lambda: inside.append(torch.are_deterministic_algorithms_enabled())))
    assert inside == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_run_is_started_by_settings_that_have_been_resolved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"config must be a RunConfig, got a dict.*resolve\(task"):
        Trainer.start({"workspace": 2}, tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
