import errno
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from qrnn_circuits.network import ZeroProbabilityError
from qrnn_circuits.reproduction import runner
from qrnn_circuits.reproduction.experiment import Experiment
from qrnn_circuits.reproduction.experiment_files import read_experiment_file
from qrnn_circuits.reproduction.jobs import Interrupted, Job, jobs_of, perform
from qrnn_circuits.reproduction.results import RunResult, lines_of, read_results
from qrnn_circuits.reproduction.runner import reproduce, results_path, stored_runs
from qrnn_circuits.reproduction.tables import validation_rank
from qrnn_circuits.reproduction.workers import Finished, Told, Workers
from qrnn_circuits.training import RunInUseError, load_run
from tests.reproduction.noted import Noted

Write = Callable[..., Path]


@pytest.mark.usefixtures("here")
def test_the_run_of_the_best_validation_is_left_of_each_case(
    experiment_file: Write, tmp_path: Path
) -> None:
    experiment = read_experiment_file(experiment_file())
    reproduce([experiment], tmp_path / "out", processes=1)
    runs = stored_runs(experiment, tmp_path / "out")
    for case in experiment.cases:
        errors = [runs[case.name, seed].figures["validation_sampled_error"] for seed in range(2)]
        (folder,) = (tmp_path / "out" / "tiny" / case.name).iterdir()
        assert folder.name == f"seed-{errors.index(min(errors))}"
        assert load_run(folder).config.learning_rate == case.varied["learning_rate"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("best", [0, 1, 2])
def test_one_run_is_left_of_each_case_whichever_of_its_jobs_had_the_best(
    experiment_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best: int
) -> None:
    monkeypatch.setattr(runner, "validation_rank", lambda run: (run.seed != best, run.seed))
    more = ("seeds = 2", "seeds = 3\nseeds_together = 1")
    experiment = read_experiment_file(experiment_file(more, ("[0.01, 0.1]", "[0.1]")))
    reproduce([experiment], tmp_path / "out", processes=1)
    (folder,) = (tmp_path / "out" / "tiny" / "learning_rate=0.1").iterdir()
    assert folder.name == f"seed-{best}"
    assert load_run(folder).config.seed == best


def leave_a_file(
    settings: Mapping[str, Any], seed: int, folder: Path, _: Callable[[str], None]
) -> dict[str, Any]:
    """A measurement."""
    (folder / "seed.txt").write_text(f"{seed}")
    if seed in settings["impossible"]:
        raise ZeroProbabilityError("it is impossible")
    return {"found": seed}


@pytest.mark.usefixtures("here")
def test_a_measurement_may_diverge_and_leaves_the_folder_of_its_first_seed(tmp_path: Path) -> None:
    path = tmp_path / "left.toml"
    path.write_text(f"""
title = "Left"
question = "What is left?"
minutes = 1
seeds = 3
measurement = "{leave_a_file.__module__}:leave_a_file"
settings = {{ impossible = [1] }}
quantities = [{{ name = "found", label = "found" }}]
quick = {{ minutes = 1 }}
""")
    experiment = read_experiment_file(path)
    assert reproduce([experiment], tmp_path / "out", processes=1).failures == 0
    runs = stored_runs(experiment, tmp_path / "out")
    assert [(run.diverged, run.figures) for run in runs.values()] == [
        (False, {"found": 0}),
        (True, {"reason": "it is impossible"}),
        (False, {"found": 2}),
    ]
    (folder,) = (tmp_path / "out" / "left" / "all").iterdir()
    assert folder.name == "seed-0"
    assert (folder / "seed.txt").read_text() == "0"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("renamed", [False, True])
def test_the_best_run_is_kept_where_a_kill_came_between_its_result_and_that(
    experiment_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renamed: bool
) -> None:
    experiment = read_experiment_file(experiment_file(("[0.01, 0.1]", "[0.1]")))
    out = tmp_path / "out"

    class Killed(BaseException):
        pass

    def kill(job: Job, done: Mapping[tuple[str, int], RunResult]) -> None:
        if renamed:
            best = min(done.values(), key=validation_rank)
            source = job.working / f"seed-{best.seed}"
            source.rename(job.folder / source.name)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_keep_best", kill)
        with pytest.raises(Killed):
            reproduce([experiment], out, processes=1)
    before = read_results(results_path(out, "tiny"))
    assert len(before) == 2
    assert (out / "tiny" / "learning_rate=0.1" / "working-0").is_dir()
    reproduce([experiment], out, processes=1)
    assert read_results(results_path(out, "tiny")) == before
    (folder,) = (out / "tiny" / "learning_rate=0.1").iterdir()
    assert folder.name == f"seed-{min(before, key=validation_rank).seed}"
    assert load_run(folder).step > 0


@pytest.mark.usefixtures("here")
def test_the_best_run_is_kept_where_a_full_disk_cut_off_the_results_after_its_own(
    experiment_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = read_experiment_file(experiment_file(("[0.01, 0.1]", "[0.1]")))
    out = tmp_path / "out"

    def cut_off(path: Path, results: Sequence[RunResult]) -> None:
        best = min(results, key=validation_rank)
        path.write_bytes(lines_of([best]) + lines_of(results)[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "append_results", cut_off)
        with pytest.raises(OSError, match="No space left"):
            reproduce([experiment], out, processes=1)
    (kept,) = read_results(results_path(out, "tiny"))
    again = Noted()
    reproduce([experiment], out, processes=1, progress=again)
    assert again.runs == [(kept.case, 1 - kept.seed)]
    (folder,) = (out / "tiny" / "learning_rate=0.1").iterdir()
    assert folder.name == f"seed-{kept.seed}"
    assert load_run(folder).step == kept.figures["best_step"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_interrupted_runs_of_any_seed_go_on_and_those_of_other_settings_begin_anew(
    experiment_file: Write, tmp_path: Path, optimizer: str
) -> None:
    def end_after_two_steps(text: str) -> None:
        if text.startswith("step 2 "):
            os.kill(os.getpid(), signal.SIGTERM)

    def experiment(steps: int) -> Experiment:
        return read_experiment_file(
            experiment_file(
                ("seeds = 2", "seeds = 2\nseeds_together = 1"),
                ("degree = 1", f'degree = 1\noptimizer = "{optimizer}"'),
                ("[0.01, 0.1]", "[0.1]"),
                ("steps = 4", f"steps = {steps}"),
            )
        )

    for number, (job, steps) in enumerate(product(range(2), (6, 5))):
        out = tmp_path / f"{number}"
        interrupted = list(jobs_of(experiment(6), out / "tiny", ""))[job]
        with pytest.raises(Interrupted):
            perform(interrupted, end_after_two_steps)
        if steps != 6:
            # As a kill leaves them that came while they were removed.
            (interrupted.working / f"seed-{job}" / "config.json").unlink()
        progress = Noted()
        reproduce([experiment(steps)], out, processes=1, progress=progress)
        assert progress.failures == []
        runs = stored_runs(experiment(steps), out)
        assert {run.figures["steps"] for run in runs.values()} == {steps}
        gone_on = {seed for (_, seed), run in runs.items() if run.seconds is None}
        assert gone_on == ({job} if steps == 6 else set())


@pytest.mark.usefixtures("here")
def test_no_job_is_begun_in_the_old_place_of_a_folder_that_was_moved(
    experiment_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = read_experiment_file(experiment_file())
    out, moved = tmp_path / "out", tmp_path / "moved"

    class Moved(Workers):
        def run(self, jobs: Sequence[Job]) -> Iterator[Told | Finished | None]:
            yield Finished(jobs[0], perform(jobs[0], lambda text: None), None)
            out.rename(moved)
            yield None
            raise AssertionError("the next job is begun")

    with monkeypatch.context() as patch:
        patch.setattr(runner, "Workers", Moved)
        with pytest.raises(RunInUseError, match="moved, go on with what is in it there"):
            reproduce([experiment], out, processes=1)
    assert not out.exists()
    again = Noted()
    assert reproduce([experiment], moved, processes=1, progress=again).failures == 0
    assert (again.done, len(again.runs)) == (2, 2)
