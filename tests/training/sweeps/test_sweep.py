import math
import shutil
import signal
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qrnn_circuits.training import (
    CheckpointError,
    EnsembleTrainer,
    Progress,
    RunFolder,
    Trainer,
    TrainingResult,
    load_run,
)
from qrnn_circuits.training.sweeps.seeds import SeedSpread
from qrnn_circuits.training.sweeps.space import SweepSpace
from qrnn_circuits.training.sweeps.store import open_journal
from qrnn_circuits.training.sweeps.sweep import Sweep, SweepTrial
from tests.training.crashes import At, CrashError, crash

pytest.importorskip("optuna")


def space(**changes: Any) -> SweepSpace:  # noqa: ANN401
    settings = {
        "lane": 2,
        "workspace": 1,
        "degree": 1,
        "batch_size": 2,
        "steps": 3,
        "validate_every": 2,
    }
    return SweepSpace("xor", {**settings, "task_options": {"length": 4}, **changes})


def work(sweep: Sweep) -> list[tuple[SweepTrial, TrainingResult | None]]:
    done: list[tuple[SweepTrial, TrainingResult | None]] = []
    while True:
        with sweep.take() as trial:
            if trial is None:
                return done
            done.append((trial, sweep.run(trial)))


def test_a_grid_is_run_to_the_end_in_runs_that_are_those_of_a_trainer(tmp_path: Path) -> None:
    grid = space(learning_rate=[0.01, 0.1], seed=[0, 1])
    sweep = Sweep.open(tmp_path / "sweep", grid)
    assert [trial.state for trial in sweep.trials()] == ["waiting"] * 4
    assert [dict(trial.settings) for trial in sweep.trials()] == list(grid.grid())
    assert [trial.number for trial, _ in work(sweep)] == [0, 1, 2, 3]
    for trial in Sweep.open(tmp_path / "sweep").trials():
        config = grid.config(trial.settings)
        assert RunFolder(trial.folder).read_config() == config
        alone = tmp_path / f"alone-{trial.number}"
        best = Trainer.start(config, alone).run().standing.best
        assert best is not None
        assert trial.state == "complete"
        assert (trial.step, trial.loss, trial.error) == (best.step, best.loss, best.error)
        assert trial.sampled_error == best.sampled_error
        assert trial.reason == "all 3 steps are done"
        name = "last.safetensors"
        assert (trial.folder / name).read_bytes() == (alone / name).read_bytes()


def test_a_trial_that_another_process_works_on_is_not_taken(tmp_path: Path) -> None:
    first = Sweep.open(tmp_path, space(seed=[0, 1]))
    second = Sweep.open(tmp_path)
    with first.take() as mine, second.take() as theirs:
        assert mine is not None
        assert theirs is not None
        assert (mine.number, theirs.number) == (0, 1)
        with second.take() as nothing:
            assert nothing is None
        first.run(mine)
        assert [trial.state for trial in second.trials()] == ["complete", "running"]
    with first.take() as again:
        assert again is not None
        assert again.number == 1


def test_a_trial_that_ended_since_the_list_was_read_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Sweep.open(tmp_path, space(seed=[0, 1]))
    second = Sweep.open(tmp_path)
    before = second._study.get_trials()
    with first.take() as mine:
        assert mine is not None
        first.run(mine)
    monkeypatch.setattr(second._study, "get_trials", lambda **_: before)
    with second.take() as theirs:
        assert theirs is not None
        assert theirs.number == 1


def test_a_trial_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    sweep = Sweep.open(tmp_path, space(seed=[0, 1], checkpoint_every=1))
    with sweep.take() as trial:
        assert trial is not None
        with pytest.raises(CrashError):
            sweep.run(trial, At(2, crash))
    assert [trial.state for trial in sweep.trials()] == ["running", "waiting"]
    (first, result), (second, _) = work(Sweep.open(tmp_path))
    assert (first.number, second.number) == (0, 1)
    assert result is not None
    assert (result.first_step, result.step) == (1, 3)
    assert [trial.state for trial in sweep.trials()] == ["complete"] * 2


@pytest.mark.parametrize("seeds", [None, [3, 5]])
def test_a_trial_that_a_signal_has_ended_is_called_interrupted_until_it_is_taken_up_again(
    tmp_path: Path, seeds: list[int] | None
) -> None:
    sweep = Sweep.open(tmp_path, space(order=[0, 1]), seeds=seeds)
    with sweep.take() as trial:
        assert trial is not None
        stop = At(1, lambda: signal.raise_signal(signal.SIGINT))
        _ = sweep.run(trial, stop) if seeds is None else sweep.run_seeds(trial, stop)
    assert [trial.state for trial in sweep.trials()] == ["interrupted", "waiting"]
    with Sweep.open(tmp_path).take() as again:
        assert again is not None
        assert (again.number, again.state) == (0, "running")
        _ = sweep.run(again) if seeds is None else sweep.run_seeds(again)
    assert [trial.state for trial in sweep.trials()] == ["complete", "waiting"]


def test_a_trial_that_was_killed_after_its_run_and_before_its_books_is_written_down(
    tmp_path: Path,
) -> None:
    sweep = Sweep.open(tmp_path, space(seed=[0]))
    with sweep.take() as trial:
        assert trial is not None
        Trainer.start(sweep.space.config(trial.settings), trial.folder).run()
    ((_, result),) = work(sweep)
    assert result is not None
    assert result.first_step == result.step == 3
    assert sweep.trials()[0].state == "complete"


@pytest.mark.parametrize("seeds", [None, [3, 5]])
def test_a_run_of_other_settings_is_not_taken_for_that_of_a_trial(
    tmp_path: Path, seeds: list[int] | None
) -> None:
    grid = space(learning_rate=[0.01, 0.1])
    sweep = Sweep.open(tmp_path / "sweep", grid, seeds=seeds)

    def run(trial: SweepTrial) -> object:
        return sweep.run(trial) if seeds is None else sweep.run_seeds(trial)

    with sweep.take() as trial:
        assert trial is not None
        other = grid.config({"learning_rate": 0.1})
        if seeds is None:
            Trainer.start(other, trial.folder).run()
        else:
            EnsembleTrainer.start(other, seeds, trial.folder).run()
        with pytest.raises(CheckpointError, match=r"other settings .* 0\.1, not 0\.01: move"):
            run(trial)
        shutil.rmtree(trial.folder)
        assert run(trial) is not None
    assert sweep.trials()[0].state == "complete"


@pytest.mark.parametrize("seeds", [[3], [3, 5, 7]])
def test_runs_of_more_or_fewer_seeds_are_not_taken_for_those_of_a_trial(
    tmp_path: Path, seeds: list[int]
) -> None:
    sweep = Sweep.open(tmp_path / "sweep", space(learning_rate=[0.01]), seeds=[3, 5])
    with sweep.take() as trial:
        assert trial is not None
        EnsembleTrainer.start(sweep.space.config(trial.settings), seeds, trial.folder)
        with pytest.raises(CheckpointError, match=f"{len(seeds)} seeds, not 2: move it elsewhere"):
            sweep.run_seeds(trial)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_values_from_ranges_are_within_them_and_all_different(
    tmp_path: Path,
    sampler: Any,  # noqa: ANN401
) -> None:
    ranges = space(
        workspace={"low": 1, "high": 2},
        learning_rate={"low": 1e-3, "high": 1.0, "log": True},
        order=[1, 2],
        steps=1,
    )
    sweep = Sweep.open(tmp_path, ranges, trials=5, sampler=sampler)
    work(sweep)
    sweep = Sweep.open(tmp_path, trials=12)
    assert len(work(sweep)) == 7
    drawn = [trial.settings for trial in sweep.trials()]
    assert len(drawn) == 12
    assert {settings["workspace"] for settings in drawn} == {1, 2}
    assert {settings["order"] for settings in drawn} == {1, 2}
    rates = {settings["learning_rate"] for settings in drawn}
    assert len(rates) == 12
    assert all(1e-3 <= rate <= 1 for rate in rates)
    config = load_run(sweep.trials()[3].folder).config
    assert config.learning_rate == drawn[3]["learning_rate"]


def test_the_sampler_tpe_draws_nearer_to_the_best_values_than_random_does(tmp_path: Path) -> None:
    distances = {}
    for sampler in ("tpe", "random"):
        # More than the ten that TPE draws at random.
        ranges = space(learning_rate={"low": 1e-3, "high": 1.0, "log": True})
        sweep = Sweep.open(tmp_path / sampler, ranges, trials=40, sampler=sampler)
        drawn = []
        for _ in range(40):
            with sweep.take() as trial:
                assert trial is not None
                drawn.append(abs(math.log10(trial.settings["learning_rate"] / 0.03)))
                sweep._study.tell(trial.number, drawn[-1])
        distances[sampler] = statistics.mean(drawn[20:])
    assert distances["tpe"] < distances["random"] / 2


def test_a_trial_without_a_network_or_that_diverges_fails_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    degrees = space(degree={"low": 1, "high": 3}, optimizer="rmsprop", learning_rate=[1e-3, 3e38])
    sweep = Sweep.open(tmp_path, degrees, trials=12, sampler="random")
    work(sweep)
    for trial in sweep.trials():
        if trial.settings["degree"] == 3:
            assert trial.state == "fail"
            assert "degree must be" in str(trial.reason)
        elif trial.settings["learning_rate"] == 3e38:
            assert trial.state == "fail"
            assert "diverged" in str(trial.reason)
        else:
            assert trial.state == "complete"
    assert {trial.state for trial in sweep.trials()} == {"fail", "complete"}


@pytest.mark.parametrize(
    ("make", "drawing", "error", "message"),
    [
        (lambda: None, {}, FileNotFoundError, "there is no sweep in .* to join"),
        (
            lambda: space(seed=[0]),
            {"trials": 3},
            ValueError,
            r"trials is for sweeps with ranges, such as \{low = ",
        ),
        (
            lambda: space(seed=[0]),
            {"sampler": "random"},
            ValueError,
            "sampler is for sweeps with ranges.* got 'random'",
        ),
        (
            lambda: space(learning_rate={"low": 0.1, "high": 1}),
            {},
            ValueError,
            "trials must say how many runs",
        ),
        (
            lambda: space(degree=[1, 9]),
            {},
            ValueError,
            r"with {'degree': 9}: degree must be .*got 9",
        ),
        (
            lambda: space(workspace=20, degree=6, stages=[0, 4096]),
            {},
            ValueError,
            "with {'stages': 4096}: a network must have at most 268,435,456 bytes",
        ),
        (lambda: space(seed=[0, -1]), {}, ValueError, "with {'seed': -1}: seed must be"),
        (
            lambda: space(learning_rate={"low": 0.1, "high": 1}),
            {"trials": 2**63 - 1},
            ValueError,
            "trials must be from 1 to 10000, got 9223372036854775807",
        ),
        (
            lambda: space(seed=list(range(1000)), batch_size=list(range(1, 1001))),
            {},
            ValueError,
            "at most 10,000 runs, got lists of 1,000,000 combinations",
        ),
    ],
)
def test_a_sweep_that_cannot_be_run_leaves_no_folder(
    tmp_path: Path,
    make: Callable[[], SweepSpace | None],
    drawing: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        Sweep.open(tmp_path / "sweep", make(), **drawing)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize("device", ["cuda", ["cpu", "cuda"]])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_sweep_without_its_gpu_leaves_no_folder(tmp_path: Path, device: object) -> None:
    with pytest.raises(ValueError, match="device 'cuda' needs a GPU"):
        Sweep.open(tmp_path / "sweep", space(seed=[0, 1], device=device))
    assert not (tmp_path / "sweep").exists()


def test_another_sweep_in_the_folder_is_refused(tmp_path: Path) -> None:
    Sweep.open(tmp_path, space(seed=[0]))
    with pytest.raises(ValueError, match=r"another sweep: seed is \[0\], got \[0, 1\]"):
        Sweep.open(tmp_path, space(seed=[0, 1]))
    assert len(Sweep.open(tmp_path).trials()) == 1


def test_a_sweep_that_was_killed_as_it_began_begins_again(tmp_path: Path) -> None:
    open_journal(tmp_path)
    with pytest.raises(FileNotFoundError, match="was killed as it began: say again"):
        Sweep.open(tmp_path)
    with pytest.raises(ValueError, match="trials must say how many runs"):
        Sweep.open(tmp_path, space(learning_rate={"low": 0.1, "high": 1}))
    assert len(Sweep.open(tmp_path, space(seed=[0, 1])).trials()) == 2


def test_a_sweep_keeps_its_sampler(tmp_path: Path) -> None:
    ranges = space(learning_rate={"low": 0.1, "high": 1})
    Sweep.open(tmp_path, ranges, trials=1, sampler="random")
    Sweep.open(tmp_path, sampler="random")
    with pytest.raises(ValueError, match=r"sampler must be 'random', with which .* got 'tpe'"):
        Sweep.open(tmp_path, sampler="tpe")


def test_fewer_trials_than_there_are_are_refused(tmp_path: Path) -> None:
    ranges = space(learning_rate={"low": 0.1, "high": 1})
    Sweep.open(tmp_path, ranges, trials=3)
    with pytest.raises(ValueError, match="trials must be at least the 3 of this sweep, got 2"):
        Sweep.open(tmp_path, ranges, trials=2)
    assert len(Sweep.open(tmp_path, ranges, trials=3).trials()) == 3


def work_seeds(sweep: Sweep, progress: Progress | None = None) -> None:
    while True:
        with sweep.take() as trial:
            if trial is None:
                return
            sweep.run_seeds(trial, progress)


def test_the_seeds_of_a_trial_are_those_of_an_ensemble_and_its_value_their_median(
    tmp_path: Path,
) -> None:
    grid = space(learning_rate=[0.01, 0.1])
    sweep = Sweep.open(tmp_path / "sweep", grid, seeds=range(3))
    with pytest.raises(CrashError):
        work_seeds(sweep, At(2, crash))
    assert [trial.state for trial in Sweep.open(tmp_path / "sweep").trials()][1:] == ["waiting"]
    work_seeds(Sweep.open(tmp_path / "sweep"))
    for trial in Sweep.open(tmp_path / "sweep").trials():
        alone = tmp_path / f"alone-{trial.number}"
        results = EnsembleTrainer.start(grid.config(trial.settings), range(3), alone).run()
        errors = sorted(result.best.sampled_error for result in results if result.best)
        assert trial.state == "complete"
        assert trial.sampled_error == errors[1]
        assert trial.spread == SeedSpread(errors[0], errors[2], 0)
        for seed in range(3):
            name = f"seed-{seed}/last.safetensors"
            assert (trial.folder / name).read_bytes() == (alone / name).read_bytes()


def test_seeds_that_contradict_a_sweep_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed and seeds exclude each other"):
        Sweep.open(tmp_path / "seed", space(seed=[0, 1]), seeds=[0, 1])
    with pytest.raises(ValueError, match="optimizer must be adam, sgd or rmsprop"):
        Sweep.open(tmp_path / "lbfgs", space(optimizer=["adam", "lbfgs"]), seeds=[0, 1])
    grid = space(learning_rate=[0.01, 0.1])
    Sweep.open(tmp_path / "seeds", grid, seeds=[0, 1])
    with pytest.raises(ValueError, match=r"seeds must be those .* \[0, 1\], or left out"):
        Sweep.open(tmp_path / "seeds", grid, seeds=[0, 2])
    Sweep.open(tmp_path / "none", grid)
    with pytest.raises(ValueError, match="with which this sweep began, none, or left out"):
        Sweep.open(tmp_path / "none", grid, seeds=[0, 1])
    sweep = Sweep.open(tmp_path / "none")
    with pytest.raises(ValueError, match="has no seeds: call run"):
        work_seeds(sweep)


def test_a_sweep_that_was_not_begun_is_not_there_and_stays_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no sweep in .*: to begin one"):
        Sweep(tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
