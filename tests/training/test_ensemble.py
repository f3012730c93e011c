import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.utils import parameters_to_vector

from qrnn_circuits.training import (
    EnsembleTrainer,
    Progress,
    RunConfig,
    RunFolder,
    SeedResult,
    Trainer,
    Validation,
    best_result,
    evaluate,
    load_run,
    read_scalars,
)
from qrnn_circuits.training.checkpoint import CheckpointError, read_checkpoint
from qrnn_circuits.training.folder_lock import FolderLock, RunInUseError
from tests.training.crashes import At, CrashError, crash

Tiny = Callable[..., RunConfig]


def parameters(folder: Path, name: str = "last") -> torch.Tensor:
    checkpoint = read_checkpoint(folder / f"{name}.safetensors")
    return torch.cat([tensor.flatten() for tensor in checkpoint.parameters.values()])


def assert_as_alone(folder: Path, alone: Path, seeds: range, atol: float = 1e-10) -> None:
    """Asserts that every run has the parameters and curves of a run of its own."""
    for seed in seeds:
        ours, theirs = folder / f"seed-{seed}", alone / f"seed-{seed}"
        for name in ("last", "best"):
            torch.testing.assert_close(
                parameters(ours, name), parameters(theirs, name), rtol=0, atol=atol
            )
        for scalar in ("train/loss", "validation/sampled_error"):
            curves = [read_scalars(path, scalar) for path in (ours, theirs)]
            assert [step for step, _ in curves[0]] == [step for step, _ in curves[1]]
            values = [torch.tensor([value for _, value in curve]) for curve in curves]
            torch.testing.assert_close(*values, rtol=1e-6 + 1e3 * atol, atol=1e-6 + 1e3 * atol)
        last, other = (read_checkpoint(path / "last.safetensors") for path in (ours, theirs))
        assert last.step == other.step
        assert last.standing.retreats == other.standing.retreats
        assert last.generator.equal(other.generator)


def train_alone(config: RunConfig, folder: Path, seeds: range) -> None:
    for seed in seeds:
        Trainer.start(replace(config, seed=seed), folder / f"seed-{seed}").run()


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1e-3, "clip_norm": 0.2, "readout_learning_rate": 2e-3},
        {"optimizer": "sgd", "learning_rate": 0.05, "decay": "cosine"},
        {"optimizer": "rmsprop", "learning_rate": 1e-3, "loss": "paper", "acceptance_weight": 0.1},
        {"semantics": "unitary", "order": 0, "sparsity_weight": 0.01, "prune_tolerance": 0.05},
        {"semantics": "unitary", "order": 1, "task_options": {"length": 6, "reading": "scored"}},
        {"basis": "parities", "learning_rate": 1e-3, "clip_norm": 0.2},
    ],
)
def test_every_run_of_100_steps_has_the_numbers_of_a_run_of_its_own(
    tiny: Tiny, tmp_path: Path, settings: dict[str, object]
) -> None:
    config = tiny(dtype="float64", steps=100, validate_every=20, checkpoint_every=20, **settings)
    seeds = range(3)
    results = EnsembleTrainer.start(config, seeds, tmp_path / "together").run()
    train_alone(config, tmp_path / "alone", seeds)
    assert [result.step for result in results] == [100, 100, 100]
    assert_as_alone(tmp_path / "together", tmp_path / "alone", seeds)


@pytest.mark.parametrize("cell", ["qrnn,workspace=3", "qlstm,qubits=2,depth=1,linear=True", "gru"])
def test_every_forecaster_of_100_steps_has_the_numbers_of_a_run_of_its_own(
    cell: str, tmp_path: Path
) -> None:
    settings = {
        "cell": cell,
        "hidden_size": 3,
        "dtype": "float64",
        "steps": 100,
        "batch_size": 8,
        "validate_every": 20,
        "clip_norm": 0.2,
        "task_options": {"series": "bessel", "points": 40},
    }
    config = RunConfig.resolve("forecast", settings, recipe="batches")
    seeds = range(3)
    EnsembleTrainer.start(config, seeds, tmp_path / "together").run()
    train_alone(config, tmp_path / "alone", seeds)
    assert_as_alone(tmp_path / "together", tmp_path / "alone", seeds)


def test_runs_retreat_and_try_again_each_by_itself(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(
        dtype="float64",
        steps=40,
        validate_every=4,
        optimizer="sgd",
        learning_rate=0.2,
        retreat=1,
        restarts=1,
        restart_after=12,
        curriculum="3,5",
    )
    seeds = range(4)
    EnsembleTrainer.start(config, seeds, tmp_path / "together").run()
    train_alone(config, tmp_path / "alone", seeds)
    # Steep steps multiply what rounding differs by.
    assert_as_alone(tmp_path / "together", tmp_path / "alone", seeds, atol=1e-6)
    retreats = {
        read_checkpoint(tmp_path / f"alone/seed-{seed}/last.safetensors").standing.retreats
        for seed in seeds
    }
    assert len(retreats) > 1


def test_a_run_that_has_reached_its_aim_leaves_the_others(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(dtype="float64", learning_rate=0.01, stop_loss=0.7, steps=60, validate_every=2)
    seeds = range(4)
    results = EnsembleTrainer.start(config, seeds, tmp_path / "together").run()
    train_alone(config, tmp_path / "alone", seeds)
    # Steep steps multiply what rounding differs by.
    assert_as_alone(tmp_path / "together", tmp_path / "alone", seeds, atol=1e-6)
    assert len({result.step for result in results}) > 1


def test_runs_that_crashed_and_resumed_end_where_unbroken_ones_do(
    tiny: Tiny, tmp_path: Path
) -> None:
    config, seeds = tiny(dtype="float64", optimizer="sgd", learning_rate=0.02), range(3)
    EnsembleTrainer.start(config, seeds, tmp_path / "unbroken").run()
    folder = tmp_path / "broken"
    with pytest.raises(CrashError):
        EnsembleTrainer.start(config, seeds, folder).run(At(5, crash))
    # One of them has gone on by itself, and one was never begun.
    with pytest.raises(CrashError):
        Trainer.resume(folder / "seed-1").run(At(8, crash))
    for path in (folder / "seed-2").iterdir():
        path.unlink()
    (folder / "seed-2").rmdir()
    results = EnsembleTrainer.resume(folder).run()
    assert [result.step for result in results] == [12, 12, 12]
    assert_as_alone(folder, tmp_path / "unbroken", seeds)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_every_run_at_one_step_and_more_steps_may_follow(
    tiny: Tiny, tmp_path: Path, number: signal.Signals
) -> None:
    runs = EnsembleTrainer.start(tiny(), range(3), tmp_path / "runs")
    results = runs.run(At(5, lambda: os.kill(os.getpid(), number)))
    assert {result.signal for result in results} == {number}
    (step,) = {result.step for result in results}
    assert step < 12
    for seed in range(3):
        assert read_checkpoint(tmp_path / f"runs/seed-{seed}/last.safetensors").step == step
    results = EnsembleTrainer.resume(tmp_path / "runs", {"steps": 14}).run()
    assert {result.step for result in results} == {14}
    assert EnsembleTrainer.resume(tmp_path / "runs").run() == results
    EnsembleTrainer.resume(tmp_path / "runs", {"checkpoint_every": 7}).run()
    kept = [RunFolder(tmp_path / f"runs/seed-{seed}").read_config() for seed in range(3)]
    assert kept == [tiny(seed=seed, steps=14, checkpoint_every=7) for seed in range(3)]


@pytest.mark.parametrize("reached", [0, 1])
def test_steps_given_anew_count_for_all_runs_wherever_a_kill_came(
    tiny: Tiny, tmp_path: Path, reached: int
) -> None:
    folder, seeds = tmp_path / "runs", range(3)
    config = tiny(dtype="float64", optimizer="sgd", learning_rate=0.02)
    EnsembleTrainer.start(config, seeds, folder).run()
    killed = EnsembleTrainer.resume(folder, {"steps": 16})
    for trainer in list(killed.trainers.values())[:reached]:
        with trainer.folder.owned(trainer.step, trainer.config):
            pass
    results = EnsembleTrainer.resume(folder).run()
    assert {(result.step, result.reason) for result in results} == {(16, "all 16 steps are done")}
    train_alone(replace(config, steps=16), tmp_path / "alone", seeds)
    assert_as_alone(folder, tmp_path / "alone", seeds)


def test_a_run_that_was_trained_further_by_itself_is_left_where_it_is(
    tiny: Tiny, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    EnsembleTrainer.start(tiny(), range(3), folder).run()
    for seed in (0, 2):
        Trainer.resume(folder / f"seed-{seed}", {"steps": 14}).run()
    results = EnsembleTrainer.resume(folder).run()
    assert [result.step for result in results] == [14, 12, 14]
    assert [RunFolder(folder / f"seed-{seed}").step() for seed in range(3)] == [14, 12, 14]


def test_a_folder_in_the_place_of_another_seed_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    EnsembleTrainer.start(tiny(), range(2), folder).run()
    (folder / "seed-0").rename(folder / "other")
    (folder / "seed-1").rename(folder / "seed-0")
    with pytest.raises(ValueError, match=r"seed-0: .* these differ: seed is 1, got 0"):
        EnsembleTrainer.resume(folder)


def test_a_run_that_diverges_leaves_the_others_their_numbers(tiny: Tiny, tmp_path: Path) -> None:
    config, seeds = tiny(dtype="float64", steps=8), range(3)
    runs = EnsembleTrainer.start(config, seeds, tmp_path / "together")
    with torch.no_grad():
        dict(runs.trainers[1].model.named_parameters())["cell.theta"][0, 0] = torch.nan
    results = runs.run()
    assert [result.diverged for result in results] == [False, True, False]
    assert "training diverged at step 1: theta" in str(results[1].reason)
    train_alone(config, tmp_path / "alone", seeds)
    for seed in (0, 2):
        assert_as_alone(tmp_path / "together", tmp_path / "alone", range(seed, seed + 1))


def test_every_folder_is_one_of_a_run(tiny: Tiny, tmp_path: Path) -> None:
    results = EnsembleTrainer.start(tiny(), (4, 7), tmp_path / "runs").run()
    for result in results:
        folder = RunFolder(result.folder)
        assert folder.read_config() == tiny(seed=result.seed)
        assert 0 <= evaluate(load_run(result.folder)).sampled_error <= 1
        assert Trainer.resume(result.folder, {"steps": 13}).run().step == 13
    vectors = [parameters_to_vector(load_run(r.folder).model.parameters()) for r in results]
    assert not torch.equal(*vectors)


def test_the_summary_names_the_best_by_validation(tiny: Tiny, tmp_path: Path) -> None:
    results = EnsembleTrainer.start(tiny(), range(3), tmp_path / "runs").run()
    summary = json.loads((tmp_path / "runs" / "summary.json").read_text())
    best = min(summary["runs"], key=lambda run: run["best"]["sampled_error"])
    assert summary["best"] == best["seed"]
    assert summary["runs"] == [result.to_json() for result in results]


def test_the_best_has_the_smallest_sampled_error_then_the_smallest_error() -> None:
    def result(seed: int, sampled: float, error: float) -> SeedResult:
        validation = Validation(1, 0.1, error, sampled, 0.0)
        return SeedResult(seed, Path("x"), 1, validation, None, None)

    unjudged = SeedResult(9, Path("x"), 0, None, None, None)
    found = best_result([unjudged, result(0, 0.2, 0.1), result(1, 0.1, 0.3), result(2, 0.1, 0.2)])
    assert found is not None
    assert found.seed == 2


class Shown(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.validations: list[Validation] = []

    def step(self, step: int, loss: float) -> None:
        self.losses.append(loss)

    def validation(self, validation: Validation) -> None:
        self.validations.append(validation)


def test_progress_is_the_mean_loss_and_the_best_validation(tiny: Tiny, tmp_path: Path) -> None:
    shown = Shown()
    EnsembleTrainer.start(tiny(), range(3), tmp_path / "runs").run(shown)
    folders = [tmp_path / f"runs/seed-{seed}" for seed in range(3)]
    losses = torch.tensor([[v for _, v in read_scalars(f, "train/loss")] for f in folders])
    torch.testing.assert_close(torch.tensor(shown.losses), losses.mean(0))
    errors = [[v for _, v in read_scalars(f, "validation/sampled_error")] for f in folders]
    expected = torch.tensor(errors).amin(0)
    torch.testing.assert_close(torch.tensor([v.sampled_error for v in shown.validations]), expected)


@pytest.mark.parametrize(
    ("changes", "seeds", "words"),
    [
        ({"optimizer": "lbfgs"}, range(2), "another optimizer, as the recipe 'batches'"),
        ({}, (), "seeds must be at least one"),
        ({}, (1, 1), "each once"),
        ({}, (-1,), "seeds must be"),
    ],
)
def test_what_cannot_be_trained_together_is_refused_before_anything_is_written(
    tiny: Tiny, tmp_path: Path, changes: dict[str, object], seeds: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        EnsembleTrainer.start(tiny(**changes), seeds, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_holds_something_is_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        EnsembleTrainer.start(tiny(), range(2), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_a_folder_without_such_runs_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no runs of several seeds"):
        EnsembleTrainer.resume(tmp_path)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_of_two_processes_that_begin_in_one_folder_one_is_refused_and_nothing_is_mixed(
    tiny: Tiny, tmp_path: Path
) -> None:
    with FolderLock(tmp_path):
        with pytest.raises(RunInUseError, match="another process uses the run in"):
            EnsembleTrainer.start(tiny(), range(2), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    runs = EnsembleTrainer.start(tiny(steps=2), range(2), tmp_path)
    before = contents(tmp_path)
    with FolderLock(tmp_path):
        for use in (lambda: EnsembleTrainer.resume(tmp_path, {"steps": 3}), runs.run):
            with pytest.raises(RunInUseError, match="another process uses the run in"):
                use()
    assert contents(tmp_path) == before
    assert [result.step for result in runs.run()] == [2, 2]


def test_runs_that_another_process_has_gone_on_with_leave_its_summary(
    tiny: Tiny, tmp_path: Path
) -> None:
    EnsembleTrainer.start(tiny(steps=2), range(2), tmp_path).run()
    late = EnsembleTrainer.resume(tmp_path)
    EnsembleTrainer.resume(tmp_path, {"steps": 4}).run()
    before = contents(tmp_path)
    with pytest.raises(RunInUseError, match="is at step 4, not at step 2"):
        late.run()
    assert contents(tmp_path) == before


def test_what_a_kill_has_left_in_the_folder_of_the_runs_is_removed(
    tiny: Tiny, tmp_path: Path
) -> None:
    EnsembleTrainer.start(tiny(steps=1), range(2), tmp_path)
    (tmp_path / ".ensemble.json.0a1b.tmp").write_bytes(b"half")
    EnsembleTrainer.resume(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_summary_that_cannot_be_written_is_one_error_after_all_is_saved(
    tiny: Tiny, tmp_path: Path
) -> None:
    runs = EnsembleTrainer.start(tiny(steps=2), range(2), tmp_path)
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(CheckpointError, match=r"runs are saved, but their summary .*summary.json"):
        runs.run()
    assert {read_checkpoint(tmp_path / f"seed-{n}/last.safetensors").step for n in (0, 1)} == {2}


def test_many_seeds_may_open_more_files_than_a_process_begins_with(
    tiny: Tiny, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        few = sum(1 for _ in Path("/dev/fd").iterdir()) + 20
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
        results = EnsembleTrainer.start(tiny(steps=1), range(40), tmp_path / "many").run()
        assert [result.step for result in results] == [1] * 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_seeds_than_files_may_be_open_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))\n"
        "from qrnn_circuits.command_line import start\n"
        "start()\n"
    )
    command = [sys.executable, "-c", code, "train", "xor", "--seeds", "0-199", "--out", "many"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Error: seeds must be few enough for the 300 files that a process may" in done.stderr
    assert not (tmp_path / "many").exists()
