"""Runs experiments: jobs in several processes, results into files."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from qrnn_circuits.reproduction.experiment import TRAINING, Experiment
from qrnn_circuits.reproduction.jobs import Job, jobs_of
from qrnn_circuits.reproduction.results import (
    RunResult,
    append_results,
    finished_runs,
    read_results,
)
from qrnn_circuits.reproduction.tables import validation_rank
from qrnn_circuits.reproduction.workers import Finished, Told, Workers
from qrnn_circuits.training import RunInUseError
from qrnn_circuits.training.folder_lock import FolderLock, check_folder
from qrnn_circuits.training.signals import StopSignals

Runs = dict[tuple[str, int], RunResult]


class RunnerProgress:
    """Is told how experiments go; this one shows nothing.

    Example:
        >>> RunnerProgress().start(10, 3)
    """

    def start(self, total: int, done: int) -> None:
        """Begins the display.

        Args:
            total: Number of runs.
            done: How many of them were finished before.
        """

    def told(self, job: Job, text: str) -> None:
        """Takes note of what a process does."""

    def finished(self, job: Job, results: Sequence[RunResult]) -> None:
        """Takes note of finished runs."""

    def failed(self, job: Job, reason: str) -> None:
        """Takes note of runs that have failed, and can be tried again."""

    def stop(self) -> None:
        """Ends the display."""


@dataclass(frozen=True)
class Outcome:
    """How a call of :func:`reproduce` ended.

    Attributes:
        signal: Number of the signal that interrupted it, or None.
        failures: Number of jobs that have failed.

    Example:
        >>> Outcome(None, 0).failures
        0
    """

    signal: int | None
    failures: int


def results_path(out: Path, name: str, *, quick: bool = False) -> Path:
    """The file of an experiment's results.

    Args:
        out: Folder of all experiments.
        name: Of the experiment.
        quick: Whether they are those of few seeds, steps and cases.

    Example:
        >>> results_path(Path("reproduction"), "xor", quick=True).as_posix()
        'reproduction/quick/xor.jsonl'
    """
    return _root(out, quick) / f"{name}.jsonl"


def _root(out: Path, quick: bool) -> Path:
    check_folder(out)
    return out / "quick" if quick else out


def stored_runs(experiment: Experiment, out: Path, *, quick: bool = False) -> Runs:
    """The finished runs of an experiment, by case and seed.

    Args:
        experiment: The experiment.
        out: Folder of all experiments.
        quick: Whether to look for those of few seeds, steps and cases.

    Raises:
        OSError: If the results cannot be read.
        ValueError: If a line of them is no result.
    """
    return finished_runs(experiment, read_results(results_path(out, experiment.name, quick=quick)))


def reproduce(
    experiments: Sequence[Experiment],
    out: Path,
    *,
    processes: int,
    quick: bool = False,
    progress: RunnerProgress | None = None,
    command: Callable[[str], str] = "qrnn reproduce {}".format,
) -> Outcome:
    """Does what is left to do of experiments, until SIGINT or SIGTERM.

    What is finished is in the files of results as soon as it is; what is interrupted goes on with
    the next call, also after a kill.

    Args:
        experiments: In the order in which they are run.
        out: Folder of all experiments: results go to ``NAME.jsonl`` in it, of each case the run
            of the best validation to ``NAME/CASE``.
        processes: How many work side by side.
        quick: Whether these are the experiments with few seeds, steps and cases, whose results go
            to the folder ``quick`` in ``out``.
        progress: Is told how it goes.
        command: Gives what runs an experiment, of its name.

    Raises:
        OSError: If a file cannot be written.
        RunInUseError: If another process runs one of the experiments in the folder.
        ValueError: If a file of results is not acceptable, or ``processes`` is less than 1.
    """
    told = progress or RunnerProgress()
    with _owned(_root(out, quick), [each.name for each in experiments]) as locks:
        return _reproduce(experiments, out, processes, quick, told, command, locks)


@contextmanager
def _owned(folder: Path, names: Sequence[str]) -> Iterator[list[FolderLock]]:
    """Keeps other processes from running the same experiments in a folder.

    Raises:
        OSError: It cannot be written.
        RunInUseError: Another process runs one of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        locks = []
        for name in names:
            try:
                locks.append(stack.enter_context(FolderLock(folder, f".{name}.lock")))
            except RunInUseError:
                raise RunInUseError(
                    f"another process runs the experiment {name} in {folder}: wait until it ends, "
                    "stop it, or name other experiments or another folder"
                ) from None
        yield locks


def _reproduce(
    experiments: Sequence[Experiment],
    out: Path,
    processes: int,
    quick: bool,
    progress: RunnerProgress,
    command: Callable[[str], str],
    locks: Sequence[FolderLock],
) -> Outcome:
    done = {each.name: stored_runs(each, out, quick=quick) for each in experiments}
    jobs: list[Job] = []
    for experiment in experiments:
        folder = _root(out, quick) / experiment.name
        own = done[experiment.name]
        for job in jobs_of(experiment, folder, command(experiment.name)):
            left = tuple(seed for seed in job.seeds if (job.case.name, seed) not in own)
            if left:
                jobs.append(replace(job, seeds=left))
            elif job.working.exists():
                # A kill came after the last of its results, and before the best was kept.
                _keep_best(job, own)
    failures = 0
    with StopSignals() as signals, Workers(processes) as workers:
        progress.start(sum(each.runs for each in experiments), sum(map(len, done.values())))
        try:
            for event in workers.run(jobs):
                for lock in locks:
                    lock.check()
                if isinstance(event, Told):
                    progress.told(event.job, event.text)
                elif isinstance(event, Finished) and event.failure is not None:
                    # A signal that all processes receive ends those that work as well.
                    if signals.received is None:
                        failures += 1
                        progress.failed(event.job, event.failure)
                elif isinstance(event, Finished):
                    path = results_path(out, event.job.experiment, quick=quick)
                    append_results(path, event.results)
                    own = done[event.job.experiment]
                    own |= {(result.case, result.seed): result for result in event.results}
                    _keep_best(event.job, own)
                    progress.finished(event.job, event.results)
                if signals.received is not None:
                    break
        finally:
            progress.stop()
    return Outcome(signals.received, failures)


def _keep_best(job: Job, done: Mapping[tuple[str, int], RunResult]) -> None:
    """Leaves of a case's folders that of the run with the best validation.

    Measurements have none: of these the folder of the first seed is left.
    """
    runs = [result for result in done.values() if result.case == job.case.name]
    best = min(runs, key=validation_rank)
    target = job.folder / f"seed-{best.seed}"
    # What is kept leaves the working folder after all else: a kill before leads here once more.
    for folder in job.folder.glob("seed-*"):
        if folder != target:
            shutil.rmtree(folder)
    source = job.working / target.name if job.measurement == TRAINING else job.working
    is_best = job.measurement == TRAINING or best.seed in job.seeds
    # Before a kill, it may have been put there already.
    if is_best and source.is_dir() and any(source.iterdir()):
        shutil.rmtree(target, ignore_errors=True)
        source.rename(target)
    shutil.rmtree(job.working, ignore_errors=True)
    if job.folder.is_dir() and not any(job.folder.iterdir()):
        job.folder.rmdir()
