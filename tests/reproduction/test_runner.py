import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from qrnn_circuits.reproduction import workers
from qrnn_circuits.reproduction.experiment_files import read_experiment_file
from qrnn_circuits.reproduction.jobs import jobs_of
from qrnn_circuits.reproduction.results import read_results
from qrnn_circuits.reproduction.runner import reproduce, results_path, stored_runs
from qrnn_circuits.reproduction.workers import Finished, Told, Workers
from qrnn_circuits.training import RunInUseError, Trainer, evaluate, load_run
from qrnn_circuits.training.config import RunConfig
from tests.reproduction.noted import Noted

Write = Callable[..., Path]


@pytest.mark.usefixtures("here")
def test_every_run_is_the_run_of_its_seed_alone(experiment_file: Write, tmp_path: Path) -> None:
    path = experiment_file(("degree = 1", 'degree = 1\ndtype = "float64"'))
    experiment = read_experiment_file(path)
    out = tmp_path / "out"
    progress = Noted()
    outcome = reproduce([experiment], out, processes=2, progress=progress)
    assert (outcome.signal, outcome.failures, progress.failures) == (None, 0, [])
    assert (progress.total, progress.done, len(progress.runs)) == (4, 0, 4)
    runs = stored_runs(experiment, out)
    assert len(runs) == 4
    for case in experiment.cases:
        for seed in range(2):
            config = RunConfig.resolve("memorise", case.settings, {"seed": seed}, recipe="none")
            alone = tmp_path / f"{case.name}-{seed}"
            result = Trainer.start(config, alone).run()
            found = runs[case.name, seed].figures
            expected = evaluate(load_run(alone))
            assert found["steps"] == result.step == 4
            assert found["steps_to_stop"] is None
            assert found["test_error"] == expected.test_error
            assert found["sampled_error"] == pytest.approx(expected.sampled_error, abs=1e-6)
            assert result.standing.last is not None
            assert found["last_validation_loss"] == pytest.approx(
                result.standing.last.loss, rel=1e-6
            )


@pytest.mark.usefixtures("here")
def test_finished_runs_are_not_repeated_but_those_of_other_settings_are(
    experiment_file: Write, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    reproduce([read_experiment_file(experiment_file())], out, processes=1)
    again = Noted()
    reproduce([read_experiment_file(experiment_file())], out, processes=1, progress=again)
    assert (again.total, again.done, again.runs) == (4, 4, [])
    more = read_experiment_file(experiment_file(("seeds = 2", "seeds = 3")))
    reproduce([more], out, processes=1, progress=again)
    assert sorted(again.runs) == [("learning_rate=0.01", 2), ("learning_rate=0.1", 2)]
    changed = Noted()
    other = read_experiment_file(experiment_file(("steps = 4", "steps = 5")))
    reproduce([other], out, processes=1, progress=changed)
    assert (changed.done, len(changed.runs)) == (0, 4)


@pytest.mark.usefixtures("here")
def test_lbfgs_runs_one_seed_after_the_other(experiment_file: Write, tmp_path: Path) -> None:
    path = experiment_file(("degree = 1", 'degree = 1\noptimizer = "lbfgs"'))
    experiment = read_experiment_file(path)
    outcome = reproduce([experiment], tmp_path / "out", processes=1)
    assert outcome.failures == 0
    assert {run.figures["steps"] for run in stored_runs(experiment, tmp_path / "out").values()} == {
        4
    }


@pytest.mark.usefixtures("here")
def test_a_run_that_diverges_is_a_result(experiment_file: Write, tmp_path: Path) -> None:
    path = experiment_file(
        ("degree = 1", 'degree = 1\noptimizer = "sgd"'), ("[0.01, 0.1]", "[1e38, 0.1]")
    )
    experiment = read_experiment_file(path)
    outcome = reproduce([experiment], tmp_path / "out", processes=1)
    assert outcome.failures == 0
    runs = stored_runs(experiment, tmp_path / "out")
    assert {key[0]: run.diverged for key, run in runs.items()} == {
        "learning_rate=1e+38": True,
        "learning_rate=0.1": False,
    }


@pytest.mark.usefixtures("here")
def test_a_job_that_fails_leaves_the_others_alone_and_is_tried_again(
    experiment_file: Write, tmp_path: Path
) -> None:
    # A degree that no neuron of so few controls has.
    path = experiment_file(
        ("learning_rate = [0.1]", "degree = [9]"),
        ("learning_rate = [0.01, 0.1]", "degree = [1, 9]"),
        ('case = "learning_rate=0.1"', 'case = "degree=1"'),
        ('x = "learning_rate"', 'x = "degree"'),
    )
    experiment = read_experiment_file(path)
    for _ in range(2):
        progress = Noted()
        outcome = reproduce([experiment], tmp_path / "out", processes=1, progress=progress)
        assert outcome.failures == 1
        assert "degree" in progress.failures[0]
    assert {case for case, _ in stored_runs(experiment, tmp_path / "out")} == {"degree=1"}


@pytest.mark.usefixtures("here")
def test_a_measurement_is_made_for_each_case_and_seed(
    experiment_file: Write, tmp_path: Path
) -> None:
    path = tmp_path / "fading.toml"
    path.write_text("""
title = "Fading"
question = "How fast?"
minutes = 1
seeds = 2
measurement = "gradient_norms"
settings = { length = 5, batch = 2, workspace = 2, order = 0, degree = 1 }
quantities = [{ name = "parameters", label = "parameters" }]
quick = { minutes = 1 }

[grid]
network = ["rnn", "lstm"]
""")
    experiment = read_experiment_file(path)
    assert reproduce([experiment], tmp_path / "out", processes=2).failures == 0
    runs = stored_runs(experiment, tmp_path / "out")
    assert len(runs) == 4
    for run in runs.values():
        assert run.figures["norms"][0] == pytest.approx(1.0)
    assert len({tuple(run.figures["norms"]) for run in runs.values()}) == 4


_PROGRAM = """
import sys
from pathlib import Path
from qrnn_circuits.reproduction import runner
from qrnn_circuits.reproduction.experiment_files import read_experiment_file
from qrnn_circuits.reproduction.runner import reproduce

if __name__ == "__main__":
    experiment = read_experiment_file(Path(sys.argv[1]))
    outcome = reproduce([experiment], Path(sys.argv[2]), processes=2)
    sys.exit(0 if outcome.signal is None else 128 + outcome.signal)
"""


def _start(program: Path, file: Path, out: Path) -> subprocess.Popen[str]:
    program.write_text(_PROGRAM)
    return subprocess.Popen([sys.executable, str(program), str(file), str(out)], text=True)


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _children(process: subprocess.Popen[str]) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(number) for number in path.read_text().split()]


def _alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes in /proc")
# SIGTERM ends the training of the next test.
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_was_ended_by_a_signal_goes_on_without_repeating_finished_runs(
    experiment_file: Write, tmp_path: Path, number: signal.Signals
) -> None:
    file = experiment_file(("[0.01, 0.1]", "[0.01, 0.1, 0.2]"), ("seeds = 2", "seeds = 1"))
    out = tmp_path / "out"
    case = '\n[[cases]]\nname = "short"\n[[cases]]\nname = "long"\nsettings = { steps = 100000 }\n'
    text = file.read_text().replace(
        'case = "learning_rate=0.1"', 'case = "short,learning_rate=0.1"'
    )
    file.write_text(text + case)
    path = results_path(out, "tiny")
    process = _start(tmp_path / "program.py", file, out)
    _wait_until(lambda: len(read_results(path)) == 3, process)
    _wait_until(lambda: any(out.glob("tiny/long*/working-0/seed-0/*last*")), process)
    workers = _children(process)
    assert len(workers) >= 2
    process.send_signal(number)
    code = process.wait(timeout=30)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    deadline = time.monotonic() + 30
    while any(map(_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    finished = read_results(path)
    assert {run.case.partition(",")[0] for run in finished} == {"short"}
    # The long runs are made short, and everything else is as it was.
    file.write_text(file.read_text().replace("steps = 100000", "steps = 6"))
    again = Noted()
    reproduce([read_experiment_file(file)], out, processes=1, progress=again)
    assert again.done == 3
    assert len(again.runs) == 3
    assert all(case.startswith("long") for case, _ in again.runs)
    assert read_results(path)[:3] == finished


def test_interrupted_training_goes_on_after_its_last_checkpoint(
    experiment_file: Write, tmp_path: Path
) -> None:
    text = ("steps = 4", "steps = 200\ncheckpoint_every = 5")
    file = experiment_file(text, ("[0.01, 0.1]", "[0.1]"))
    experiment = read_experiment_file(file)
    out = tmp_path / "out"
    process = _start(tmp_path / "program.py", file, out)
    _wait_until(lambda: len(list(out.glob("tiny/*/working-0/seed-*/*last*"))) == 2, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 128 + signal.SIGTERM
    assert read_results(results_path(out, "tiny")) == []
    reproduce([experiment], out, processes=1)
    runs = stored_runs(experiment, out)
    assert {run.figures["steps"] for run in runs.values()} == {200}
    # Known only of runs that were not interrupted.
    assert {run.seconds for run in runs.values()} == {None}


@pytest.mark.usefixtures("here")
def test_an_experiment_that_another_process_runs_is_refused(
    experiment_file: Write, tmp_path: Path
) -> None:
    experiment = read_experiment_file(experiment_file())
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / ".tiny.lock"),
        pytest.raises(RunInUseError, match="another process runs the experiment tiny in"),
    ):
        reproduce([experiment], tmp_path / "out", processes=1)
    assert reproduce([experiment], tmp_path / "out", processes=1).failures == 0


def test_a_file_in_place_of_the_folder_is_named(experiment_file: Write, tmp_path: Path) -> None:
    experiment = read_experiment_file(experiment_file())
    out = tmp_path / "out"
    out.touch()
    for call in (
        lambda: reproduce([experiment], out, processes=1),
        lambda: stored_runs(experiment, out),
    ):
        with pytest.raises(NotADirectoryError, match="out must be a folder, but is a file"):
            call()


def test_no_job_takes_no_process_and_none_is_too_few() -> None:
    with Workers(3) as workers:
        assert list(workers.run([])) == []
    with pytest.raises(ValueError, match="processes must be at least 1, got 0"):
        Workers(0)


def test_ctrl_c_disturbs_no_process_and_the_kill_of_one_harms_no_job_but_its_own(
    experiment_file: Write, tmp_path: Path
) -> None:
    # The second of three jobs is long enough to be killed meanwhile.
    experiment = read_experiment_file(
        experiment_file(("steps = 4", "steps = 4000"), ("[0.01, 0.1]", "[0.1]"))
    )
    (long,) = jobs_of(experiment, tmp_path / "out", "")
    short = replace(long, case=replace(long.case, settings={**long.case.settings, "steps": 2}))
    jobs = [replace(short, folder=tmp_path / "a"), long, replace(short, folder=tmp_path / "b")]
    found: list[Finished] = []
    interrupted = False
    with Workers(1) as workers:
        for event in workers.run(jobs):
            if isinstance(event, Finished):
                found.append(event)
                continue
            ((process, job),) = workers._busy.values()
            if not interrupted:
                # It still imports what it needs, in which Ctrl-C must not disturb it.
                assert event is None
                os.kill(process.pid, signal.SIGINT)
                interrupted = True
            if isinstance(event, Told) and job is long:
                os.kill(process.pid, signal.SIGKILL)
    assert [each.job for each in found] == jobs
    first, killed, last = (each.failure for each in found)
    assert (first, last) == (None, None)
    assert "exit code -9" in str(killed)


def test_every_case_has_its_first_seeds_run_before_any_has_its_next(
    experiment_file: Write, tmp_path: Path
) -> None:
    experiment = read_experiment_file(
        experiment_file(("seeds = 2", "seeds = 2\nseeds_together = 1"))
    )
    jobs = list(jobs_of(experiment, tmp_path / "out", ""))
    assert [(job.case.name, job.first) for job in jobs] == [
        (case.name, first) for first in (0, 1) for case in experiment.cases
    ]


@pytest.mark.parametrize("sent", [True, False])
def test_a_process_that_ends_before_it_has_read_its_job_harms_no_other_job(
    sent: bool, experiment_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes: list[Any] = []

    def kill_first() -> None:
        # It imports for seconds what it needs, before it reads.
        processes[0].kill()
        processes[0].join()

    def start(started: Callable[[], tuple[object, object]] = workers._started) -> Any:  # noqa: ANN401
        connection, process = started()
        processes.append(process)
        if not sent and len(processes) == 1:
            kill_first()
        return connection, process

    monkeypatch.setattr(workers, "_started", start)
    experiment = read_experiment_file(experiment_file(("[0.01, 0.1]", "[0.1]")))
    (job,) = jobs_of(experiment, tmp_path / "out", "")
    jobs = [job, replace(job, folder=tmp_path / "other")]
    found: list[Finished] = []
    with Workers(1) as running:
        for event in running.run(jobs):
            if sent and event is None and len(processes) == 1:
                kill_first()
            if isinstance(event, Finished):
                found.append(event)
    assert [each.job for each in found] == jobs
    first, second = (each.failure for each in found)
    assert "exit code -9" in str(first)
    assert second is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at processes in /proc")
def test_a_signal_to_all_processes_is_an_interruption(
    experiment_file: Write, tmp_path: Path
) -> None:
    file = experiment_file(("steps = 4", "steps = 100000"))
    process = _start(tmp_path / "program.py", file, tmp_path / "out")
    _wait_until(lambda: len(_children(process)) >= 2, process)
    for number in (*_children(process), process.pid):
        os.kill(number, signal.SIGTERM)
    assert process.wait(timeout=30) == 128 + signal.SIGTERM
