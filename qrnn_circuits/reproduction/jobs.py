"""What one process does at a time: some seeds of one case of an experiment."""

import math
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from qrnn_circuits.network import ZeroProbabilityError
from qrnn_circuits.numerical_errors import ParameterRangeError, PrecisionError
from qrnn_circuits.reproduction.experiment import TRAINING, Case, Experiment
from qrnn_circuits.reproduction.measurements import MEASUREMENTS
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.tasks import Task
from qrnn_circuits.training import (
    EnsembleTrainer,
    Progress,
    RunConfig,
    RunFolder,
    SeedResult,
    Trainer,
    TrainingDiverged,
    load_run,
    read_scalars,
)
from qrnn_circuits.training.ensemble_folder import read_description
from qrnn_circuits.training.task_options import with_located_data

Listener = Callable[[str], None]

_PACKAGES = ("qrnn-circuits", "torch", "numpy")


class Interrupted(Exception):  # noqa: N818 - it names what happened, as StopIteration does
    """A signal ended the work, which can be gone on with.

    Example:
        >>> isinstance(Interrupted(), Exception)
        True
    """


@dataclass(frozen=True)
class Job:
    """Some seeds of a case.

    Attributes:
        experiment: Its name.
        measurement: ``"training"``, or a name among the measurements.
        case: The case.
        first: First of the seeds that are trained together, done ones among them.
        seeds: Which are to be run.
        folder: Of the case.
        command: What runs the experiment, for the results.

    Example:
        >>> case = Case("all", {"task": "xor"}, "", {}, 1)
        >>> Job("xor", "training", case, 0, (0,), Path("xor/all"), "").working
        PosixPath('xor/all/working-0')
    """

    experiment: str
    measurement: str
    case: Case
    first: int
    seeds: tuple[int, ...]
    folder: Path
    command: str

    @property
    def working(self) -> Path:
        """The folder in which the runs lie until they are over."""
        return self.folder / f"working-{self.first}"


def jobs_of(experiment: Experiment, folder: Path, command: str) -> Iterator[Job]:
    """All jobs of an experiment: the first seeds of all cases, then the next ones.

    Args:
        experiment: The experiment.
        folder: In which each case gets a folder.
        command: What runs the experiment, for the results.
    """
    together = experiment.seeds_together if experiment.measurement == TRAINING else 1
    most = max(case.seeds for case in experiment.cases)
    for first in range(0, most, together):
        for case in experiment.cases:
            seeds = tuple(range(first, min(first + together, case.seeds)))
            if seeds:
                yield Job(
                    experiment.name,
                    experiment.measurement,
                    case,
                    first,
                    seeds,
                    folder / case.name,
                    command,
                )


def perform(job: Job, listener: Listener) -> list[RunResult]:
    """Does a job, or goes on with it where it was interrupted.

    Args:
        job: The job.
        listener: Is told what is being done.

    Returns:
        The result of each seed.

    Raises:
        CheckpointError: If a checkpoint cannot be written or used.
        FileNotFoundError: If data are missing.
        Interrupted: If a signal ended it.
        LogError: If a log cannot be written.
        OSError: If a file cannot be written.
        ValueError: If the settings are not acceptable.
    """
    if job.measurement != TRAINING:
        return [_measured(job, seed, listener) for seed in job.seeds]
    config = run_config(job.case.settings)
    if config.optimizer == "lbfgs":
        return _trained_singly(job, config, listener)
    return _trained_together(job, config, listener)


def run_config(settings: Mapping[str, Any]) -> RunConfig:
    """The configuration of a case, with data where the environment says that they are.

    Args:
        settings: Of the case, ``task`` among them.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If a setting is unknown or not acceptable, or there is no task.

    Example:
        >>> run_config({"task": "xor", "steps": 7}).steps
        7
    """
    task = settings.get("task")
    if not isinstance(task, str):
        raise ValueError(f"task must be among the settings of each case, got {task!r}")
    return RunConfig.resolve(task, with_located_data(task, settings), recipe="none")


def _measured(job: Job, seed: int, listener: Listener) -> RunResult:
    measure: Any = MEASUREMENTS.find(job.measurement)
    job.working.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    diverged, figures = False, {}
    try:
        figures = measure(job.case.settings, seed, job.working, listener)
    except KeyboardInterrupt:
        raise Interrupted from None
    except (TrainingDiverged, ZeroProbabilityError) as error:
        diverged, figures = True, {"reason": str(error)}
    return _result(job, seed, figures, diverged, time.monotonic() - started)


def _trained_singly(job: Job, config: RunConfig, listener: Listener) -> list[RunResult]:
    results = []
    for seed in job.seeds:
        folder = job.working / f"seed-{seed}"
        run = RunFolder(folder)
        own = replace(config, seed=seed)
        # What a kill has left of a removed run has no settings.
        if run.is_started and not (run.config_path.exists() and run.read_config() == own):
            shutil.rmtree(folder)
        trainer = Trainer.resume(folder) if run.is_started else Trainer.start(own, folder)
        started, first_step = time.monotonic(), trainer.step
        try:
            result = trainer.run(_Told(listener, own.steps))
        except TrainingDiverged as error:
            reason, diverged = str(error), True
        else:
            if result.signal is not None:
                raise Interrupted
            reason, diverged = str(result.reason), False
        seconds = None if first_step else time.monotonic() - started
        best = trainer.standing.best
        found = SeedResult(seed, folder, trainer.step, best, reason, None, diverged)
        results.append(_result(job, seed, training_figures(found), diverged, seconds))
    return results


def _trained_together(job: Job, config: RunConfig, listener: Listener) -> list[RunResult]:
    trainer = _ensemble(job, config)
    begun = any(each.step for each in trainer.trainers.values())
    started = time.monotonic()
    found = trainer.run(_Told(listener, config.steps))
    if any(result.signal is not None for result in found):
        raise Interrupted
    seconds = None if begun else (time.monotonic() - started) / len(found)
    results = []
    for result in found:
        if result.seed not in job.seeds:
            continue
        listener(f"testing seed {result.seed}")
        figures = training_figures(result)
        results.append(_result(job, result.seed, figures, result.diverged, seconds))
    return results


def _ensemble(job: Job, config: RunConfig) -> EnsembleTrainer:
    """The runs in the folder, or new ones where they are of other settings."""
    if EnsembleTrainer.is_started(job.working):
        stored, seeds = read_description(job.working)
        if stored == config and set(seeds) >= set(job.seeds):
            return EnsembleTrainer.resume(job.working)
    if job.working.exists():
        shutil.rmtree(job.working)
    return EnsembleTrainer.start(config, job.seeds, job.working)


def training_figures(result: SeedResult) -> dict[str, Any]:
    """What a run of training has come to, on its task's whole test set too.

    Args:
        result: How the run ended.

    Returns:
        Figures by name: ``steps`` taken; ``steps_to_stop``, the same where ``stop_loss`` or
        ``stop_error`` was reached, else None; ``least_validation_loss`` and
        ``last_validation_loss``, in nats; of the best validation ``best_step``,
        ``validation_error``, ``validation_sampled_error`` and ``log10_acceptance``; of the network
        of this validation ``test_error`` and ``sampled_error`` with their standard errors
        ``test_standard_error`` and ``sampled_standard_error``, over ``answers`` answers, None where
        there is no such network; ``reason`` for the end.
    """
    try:
        losses = [loss for _, loss in read_scalars(result.folder, "validation/loss")]
    except KeyError:
        losses = []  # It diverged before its first validation.
    finite = [loss for loss in losses if math.isfinite(loss)]
    reason = str(result.reason)
    best = result.best
    stopped = reason.endswith(("(stop_loss)", "(stop_error)"))
    figures: dict[str, Any] = {
        "steps": result.step,
        "steps_to_stop": result.step if stopped else None,
        "least_validation_loss": min(finite, default=None),
        "last_validation_loss": losses[-1] if losses and math.isfinite(losses[-1]) else None,
        "best_step": best and best.step,
        "validation_error": best and best.error,
        "validation_sampled_error": best and best.sampled_error,
        "log10_acceptance": _finite(best.log10_acceptance) if best else None,
        "reason": reason,
    }
    return figures | _tested(result.folder, best is not None)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _tested(folder: Path, has_best: bool) -> dict[str, Any]:
    names = ("test_error", "sampled_error", "test_standard_error", "sampled_standard_error")
    nothing: dict[str, Any] = dict.fromkeys((*names, "answers"))
    if not has_best:
        return nothing
    run = load_run(folder)
    task = run.task
    assert isinstance(task, Task)
    try:
        answers = task.answers(run.model, task.test())
    except (ParameterRangeError, PrecisionError, ZeroProbabilityError):
        return nothing
    spread = torch.std(answers.probability.double(), correction=0).item()
    values = (
        answers.test_error,
        answers.sampled_error,
        answers.standard_error,
        spread / math.sqrt(answers.count),
    )
    return dict(zip(names, values, strict=True)) | {"answers": answers.count}


def _result(
    job: Job, seed: int, figures: Mapping[str, Any], diverged: bool, seconds: float | None
) -> RunResult:
    versions = {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()}
    return RunResult(
        experiment=job.experiment,
        case=job.case.name,
        seed=seed,
        settings=job.case.settings,
        figures=figures,
        diverged=diverged,
        seconds=None if seconds is None else round(seconds, 2),
        versions=versions,
        command=job.command,
    )


class _Told(Progress):
    """Tells a listener how far training is."""

    def __init__(self, listener: Listener, steps: int) -> None:
        self._listener = listener
        self._steps = steps

    def step(self, step: int, loss: float) -> None:
        """Tells step and loss."""
        self._listener(f"step {step} of {self._steps}, loss {loss:.4g}")
