"""Runs shared by two real processes that exchange tensors through gloo."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from qrnn_circuits.training import (
    CheckpointError,
    Progress,
    RankError,
    Ranks,
    RunConfig,
    RunFolder,
    RunInUseError,
    Trainer,
    TrainingDiverged,
    TrainingResult,
    load_run,
    read_scalars,
)
from qrnn_circuits.training.checkpoint import read_checkpoint
from qrnn_circuits.training.validation import validate
from tests.conftest import qrnn_cell
from tests.running import TRAIN, wait_for_step
from tests.two_processes import Pair, generic

Tiny = Callable[..., RunConfig]


@pytest.fixture
def uneven(tiny: Tiny) -> RunConfig:
    """A run whose two processes have 3 and 2 rows of each batch."""
    return generic(tiny(batch_size=5, clip_norm=0.5))


def weights(folder: Path) -> torch.Tensor:
    model = load_run(folder, "last").model
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def run(
    ranks: Ranks, config: RunConfig, folder: Path, changes: dict[str, object] | None = None
) -> tuple[TrainingResult, list[torch.Tensor]]:
    """Starts a run, or with changes resumes it; also returns the weights of this process."""
    if changes is None:
        trainer = Trainer.start(config, folder, ranks)
    else:
        trainer = Trainer.resume(folder, changes, ranks)
    return trainer.run(), [parameter.detach() for parameter in trainer.model.parameters()]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # Few steps: a line search makes much of a rounding error.
        {"optimizer": "lbfgs", "clip_norm": None, "learning_rate": 0.1, "steps": 2},
        {"learning_rate": 0.8, "validate_every": 1, "retreat": 1},
    ],
    ids=["adam", "lbfgs", "retreat"],
)
def test_two_processes_train_as_one_does(
    on_both: Pair, uneven: RunConfig, tmp_path: Path, changes: dict[str, object]
) -> None:
    config = RunConfig.from_json(uneven.to_json() | changes)
    one = Trainer.start(config, tmp_path / "one").run()
    (first, first_weights), (second, second_weights) = on_both(run, config, tmp_path / "two")
    assert first == second
    assert all(map(torch.equal, first_weights, second_weights))
    assert (first.step, first.reason) == (one.step, one.reason)
    assert (first.standing.retreats > 1) == ("retreat" in changes)
    for name in ("best", "last"):
        found, right = (asdict(getattr(result.standing, name)) for result in (first, one))
        assert found == pytest.approx(right, rel=1e-7, abs=1e-9)
    torch.testing.assert_close(
        weights(tmp_path / "two"), weights(tmp_path / "one"), rtol=1e-6, atol=1e-7
    )
    curves = [dict(read_scalars(tmp_path / name, "train/loss")) for name in ("two", "one")]
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)


def test_a_run_passes_from_two_processes_to_one_and_back(
    on_both: Pair, uneven: RunConfig, tmp_path: Path
) -> None:
    Trainer.start(uneven, tmp_path / "unbroken").run()
    folder = tmp_path / "broken"
    short = RunConfig.from_json(uneven.to_json() | {"steps": 3})
    on_both(run, short, folder)
    run(Ranks(), short, folder, {"steps": 8})
    result, _ = on_both(run, short, folder, {"steps": 12})[1]
    assert (result.first_step, result.step) == (8, 12)
    torch.testing.assert_close(weights(folder), weights(tmp_path / "unbroken"), rtol=0, atol=1e-9)


def stop_one(ranks: Ranks, config: RunConfig, folder: Path) -> TrainingResult:
    """Interrupts the second process only."""

    class Interrupt(Progress):
        def step(self, step: int, loss: float) -> None:
            if step == 5:
                signal.raise_signal(signal.SIGTERM)

    trainer = Trainer.start(config, folder, ranks)
    return trainer.run(Progress() if ranks.is_first else Interrupt())


def test_a_signal_to_one_process_stops_both_after_the_same_step(
    on_both: Pair, uneven: RunConfig, tmp_path: Path
) -> None:
    results = on_both(stop_one, uneven, tmp_path / "run")
    assert [(result.step, result.signal) for result in results] == [(6, signal.SIGTERM)] * 2
    assert load_run(tmp_path / "run", "last").step == 6


def test_more_processes_than_rows_are_refused_and_leave_no_folder(
    on_both: Pair, tiny: Tiny, tmp_path: Path
) -> None:
    for error in on_both(run, tiny(batch_size=1), tmp_path / "run"):
        assert isinstance(error, ValueError)
        assert "batch_size must be at least the number of processes, 2" in str(error)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_refused_by_both(
    on_both: Pair, uneven: RunConfig, tmp_path: Path
) -> None:
    (tmp_path / "notes").touch()
    errors = on_both(run, uneven, tmp_path)
    assert [type(error) for error in errors] == [FileExistsError] * 2


def lose_the_folder(ranks: Ranks, config: RunConfig, folder: Path) -> None:
    class Remove(Progress):
        def step(self, step: int, loss: float) -> None:
            if step == 2 and ranks.is_first:
                folder.rename(folder.with_name("elsewhere"))

    Trainer.start(config, folder, ranks).run(Remove())


def test_a_folder_that_is_lost_ends_both(on_both: Pair, uneven: RunConfig, tmp_path: Path) -> None:
    for error in on_both(lose_the_folder, uneven, tmp_path / "run"):
        assert isinstance(error, RunInUseError)
        assert "was removed or replaced" in str(error)


def occupy_the_checkpoint(ranks: Ranks, config: RunConfig, folder: Path) -> None:
    class Occupy(Progress):
        def step(self, step: int, loss: float) -> None:
            if step == 2 and ranks.is_first:
                path = RunFolder(folder).checkpoint_path("last")
                path.unlink()
                (path / "full").mkdir(parents=True)

    Trainer.start(config, folder, ranks).run(Occupy())


def test_a_checkpoint_that_cannot_be_written_ends_both(
    on_both: Pair, uneven: RunConfig, tmp_path: Path
) -> None:
    for error in on_both(occupy_the_checkpoint, uneven, tmp_path / "run"):
        assert isinstance(error, CheckpointError)
        assert "step 3 could not be written" in str(error)


def rule_an_outcome_out(ranks: Ranks, config: RunConfig, folder: Path) -> None:
    """Makes the outcomes of the second process's rows impossible at step 6."""
    trainer = Trainer.start(config, folder, ranks)

    class Spoil(Progress):
        def step(self, step: int, loss: float) -> None:
            if step == 5 and not ranks.is_first:
                with torch.no_grad():
                    # Every wire reads 0 with certainty.
                    for parameter in trainer.model.parameters():
                        parameter.zero_()

    trainer.run(Spoil())


def test_rows_that_become_impossible_in_one_process_end_both(
    on_both: Pair, uneven: RunConfig, tmp_path: Path
) -> None:
    errors = on_both(rule_an_outcome_out, uneven, tmp_path / "run")
    assert [type(error) for error in errors] == [TrainingDiverged] * 2
    assert "another process's rows has probability zero" in str(errors[0])
    assert "probability zero in torch.float64" in str(errors[1])


def measure(ranks: Ranks, config: RunConfig, rows: int) -> object:
    task, model = config.build_task(), config.build_model()
    batch = next(task.validation().chunks(rows))
    return validate(model, task, batch, loss="nll", step=0, ranks=ranks)


@pytest.mark.parametrize("rows", [1, 7])
def test_two_processes_validate_as_one_does(on_both: Pair, uneven: RunConfig, rows: int) -> None:
    expected = asdict(measure(Ranks(), uneven, rows))  # type: ignore[call-overload]
    for found in on_both(measure, uneven, rows):
        assert asdict(found) == pytest.approx(expected, rel=1e-12)


def fail_on_the_way(ranks: Ranks, failing: int) -> None:
    with ranks.all_or_none():
        if ranks.rank == failing:
            raise KeyError(failing)


def fail_in_turn(ranks: Ranks, failing: int) -> list[int]:
    def function() -> int:
        if ranks.rank == failing:
            raise KeyError(failing)
        return ranks.rank

    return ranks.from_all(function)


def test_results_go_to_all_in_order_and_so_does_an_error(on_both: Pair) -> None:
    assert on_both(fail_in_turn, 2) == [[0, 1]] * 2
    for failing in (0, 1):
        for function in (fail_in_turn, fail_on_the_way):
            errors = on_both(function, failing)
            assert [(type(error), error.args) for error in errors] == [(KeyError, (failing,))] * 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_run_passes_from_the_cpu_to_the_gpu_and_back(uneven: RunConfig, tmp_path: Path) -> None:
    Trainer.start(uneven, tmp_path / "unbroken").run()
    folder = tmp_path / "broken"
    run(Ranks(), RunConfig.from_json(uneven.to_json() | {"steps": 3}), folder)
    for changes in ({"steps": 8, "device": "cuda"}, {"steps": 12, "device": "cpu"}):
        trainer = Trainer.resume(folder, changes)
        assert qrnn_cell(trainer.model).theta.device.type == changes["device"]
        trainer.run()
    torch.testing.assert_close(weights(folder), weights(tmp_path / "unbroken"), rtol=0, atol=1e-9)


@pytest.fixture
def torchrun() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the ``qrnn`` command in two processes."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "torch.distributed.run"]
        command += ["--standalone", "--nproc-per-node", "2", "-m"]
        process = subprocess.Popen(
            [*command, "qrnn_circuits", *map(str, arguments)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.communicate()


def test_torchrun_shares_a_run_and_ctrl_c_saves_it(
    torchrun: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    options = ("--length", 6, "--workspace", 2, "--degree", 2, "--steps", 20000)
    process = torchrun(*TRAIN, *options, "--checkpoint-every", 1, "--out", folder)
    wait_for_step(process, folder, 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    step = read_checkpoint(RunFolder(folder).checkpoint_path("last")).step
    lines = [line for line in output.splitlines() if not line.startswith("step ")]
    assert len(lines) == 2
    assert lines[0].endswith("by 2 processes")
    assert lines[1] == (
        f"Interrupted (SIGINT) and saved after step {step}. Go on with: qrnn train xor --out "
        f"{folder} --resume"
    )
    assert Trainer.resume(folder, {"steps": step + 1}).run().first_step == step


def die(ranks: Ranks, config: RunConfig, folder: Path) -> None:
    """Trains until step 3, when the second process kills itself."""

    class Die(Progress):
        def step(self, step: int, loss: float) -> None:
            if step == 3 and not ranks.is_first:
                os.kill(os.getpid(), signal.SIGKILL)

    Trainer.start(config, folder, ranks).run(Die())


def test_a_process_that_is_killed_ends_the_other_with_an_error(
    on_both: Pair, uneven: RunConfig, tmp_path: Path
) -> None:
    on_both(fail_in_turn, 2)
    on_both.send((die, (uneven, tmp_path / "run")))
    error = on_both.answer(0)
    assert isinstance(error, RankError)
    assert "another process of this run has ended" in str(error)
    on_both.processes[1].join(60)
    assert on_both.processes[1].exitcode == -signal.SIGKILL
    assert load_run(tmp_path / "run", "last").step == 3
