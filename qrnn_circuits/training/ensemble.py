"""Runs that differ in their seeds alone, trained together.

Each is a run like any other, with a folder, batches, validations, checkpoints and an end of its
own. What they share is the computation of their steps, see :mod:`~.training.joint_steps`.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qrnn_circuits.atomic_files import remove_leftovers
from qrnn_circuits.checks import errors_in
from qrnn_circuits.training.checkpoint import CheckpointError
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.determinism import deterministic
from qrnn_circuits.training.ensemble_folder import (
    check_optimizer,
    checked_seeds,
    is_described,
    read_description,
    write_description,
    write_summary,
)
from qrnn_circuits.training.folder_lock import FolderLock, check_empty, check_folder
from qrnn_circuits.training.joint_steps import JointSteps
from qrnn_circuits.training.log import Log
from qrnn_circuits.training.open_files import allow_open_files
from qrnn_circuits.training.progress import Progress
from qrnn_circuits.training.results import TrainingDiverged, TrainingResult
from qrnn_circuits.training.run_folder import RunFolder
from qrnn_circuits.training.signals import StopSignals
from qrnn_circuits.training.trainer import Trainer
from qrnn_circuits.training.validation import FIGURES, Validation

# Its lock and its log.
_FILES_OF_A_RUN = 2


@dataclass(frozen=True)
class SeedResult:
    """How the run of a seed stands.

    Attributes:
        seed: The seed.
        folder: Of the run.
        step: Optimiser steps that it has taken.
        best: Its best validation, if there was one.
        reason: Why it is over; ``None`` where a signal interrupted it.
        signal: Number of the signal that interrupted it, or ``None``.
        diverged: Whether it is over because training diverged.

    Example:
        >>> result = SeedResult(3, Path("runs/seed-3"), 100, None, "all 100 steps are done", None)
        >>> result.to_json()["seed"], result.diverged
        (3, False)
    """

    seed: int
    folder: Path
    step: int
    best: Validation | None
    reason: str | None
    signal: int | None
    diverged: bool = False

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        figures = ("step", *FIGURES)
        best = None if self.best is None else {name: getattr(self.best, name) for name in figures}
        return {
            "seed": self.seed,
            "folder": str(self.folder),
            "step": self.step,
            "best": best,
            "reason": self.reason,
            "diverged": self.diverged,
        }


@dataclass
class _Member:
    """A run that takes steps."""

    seed: int
    trainer: Trainer
    first_step: int
    log: Log | None
    stack: ExitStack
    progress: "_Noted"


class EnsembleTrainer:
    """Runs of one configuration, one for each seed, each in a folder of its own.

    How many take a step together decides how its sums are rounded: a run by itself, and runs that
    were killed at different steps and resumed, have the same numbers but for that.

    Example:
        >>> from qrnn_circuits.training import EnsembleTrainer, RunConfig
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> results = EnsembleTrainer.start(config, range(3), Path("runs")).run()
        >>> [(result.seed, result.folder.name, result.step) for result in results]
        [(0, 'seed-0', 2), (1, 'seed-1', 2), (2, 'seed-2', 2)]
    """

    def __init__(self, folder: Path | str, trainers: Mapping[int, Trainer]) -> None:
        """Takes runs that differ in their seeds alone; see :meth:`start` and :meth:`resume`.

        Args:
            folder: Of them all.
            trainers: The run of each seed.
        """
        self.folder = Path(folder)
        self.trainers = dict(trainers)
        self.config = next(iter(self.trainers.values())).config

    @classmethod
    def start(
        cls, config: RunConfig, seeds: Iterable[int], folder: Path | str
    ) -> "EnsembleTrainer":
        """Makes the folders of new runs.

        Args:
            config: Of all runs, whatever its seed.
            seeds: At least one, each once.
            folder: A new or empty one; the run of seed n goes to ``seed-n`` in it.

        Raises:
            FileExistsError: The folder is not empty.
            FileNotFoundError: The task's data are missing.
            OSError: The folder cannot be written.
            RunInUseError: Another process uses the folder.
            TypeError: A seed is no integer.
            ValueError: The seeds or the optimiser are not acceptable, or the network or the task
                cannot be built.
        """
        numbers, folder = checked_seeds(seeds), Path(folder)
        check_optimizer(config)
        allow_open_files(_FILES_OF_A_RUN * len(numbers))
        check_folder(folder)
        check_empty(folder)
        # What cannot be built is refused before anything is written.
        Trainer(replace(config, seed=numbers[0]), folder / "seed")
        folder.mkdir(parents=True, exist_ok=True)
        with FolderLock(folder):
            check_empty(folder)
            remove_leftovers(folder)
            write_description(folder, config, numbers)
            return cls(folder, _trainers(folder, config, numbers, {}))

    @classmethod
    def resume(
        cls, folder: Path | str, changes: Mapping[str, Any] | None = None
    ) -> "EnsembleTrainer":
        """Takes runs up again, each after its last checkpoint.

        Args:
            folder: Of them all.
            changes: Fields of the configuration given anew, see :meth:`RunConfig.changed`.

        Raises:
            CheckpointError: A last checkpoint cannot be used.
            FileNotFoundError: There are no such runs in the folder, or the task's data are missing.
            RunInUseError: Another process uses the folder.
            ValueError: The changes contradict the runs, or a file is not what was written.
        """
        folder = Path(folder)
        read_description(folder)
        with FolderLock(folder):
            stored, seeds = read_description(folder)
            allow_open_files(_FILES_OF_A_RUN * len(seeds))
            config = stored.changed(changes or {})
            remove_leftovers(folder)
            trainers = _trainers(folder, config, seeds, changes or {})
            if config != stored:
                write_description(folder, config, seeds)
        return cls(folder, trainers)

    @staticmethod
    def is_started(folder: Path) -> bool:
        """Whether runs of several seeds were started in a folder."""
        return is_described(folder)

    def run(self, progress: Progress | None = None) -> list[SeedResult]:
        """Trains until every run is over, or until SIGINT or SIGTERM after a whole step.

        The runs that have taken the fewest steps take the next one, so that those which were killed
        at different steps are soon together. ``summary.json`` in the folder has the results.

        Args:
            progress: Is told the mean loss of the runs, and at validations the best of these.

        Returns:
            The results in the order of the seeds.

        Raises:
            CheckpointError: A checkpoint could not be written; the ones before stay.
            LogError: A log could not be written; the last checkpoints stay.
            RunInUseError: Another process uses a folder, or has gone on with a run.
        """
        try:
            lock = FolderLock(self.folder)
        except OSError as error:
            raise CheckpointError(f"{self.folder} cannot be written: {error}") from error
        with lock:
            return self._run(progress or Progress(), lock)

    def _run(self, progress: Progress, lock: FolderLock) -> list[SeedResult]:
        results: dict[int, SeedResult] = {}
        for seed, trainer in self.trainers.items():
            reason = trainer.standing.reason_to_stop(trainer.config, trainer.step)
            if reason is not None:
                # Another process may have gone on with it since it was read.
                with trainer.folder.owned(trainer.step, trainer.config):
                    results[seed] = self._result(seed, reason, None)
        if len(results) < len(self.trainers):
            with (
                StopSignals() as signals,
                deterministic(next(iter(self.trainers.values())).device),
                ExitStack() as stack,
            ):
                members = [
                    self._ready(seed, trainer, stack)
                    for seed, trainer in self.trainers.items()
                    if seed not in results
                ]
                least = min(member.trainer.step for member in members)
                progress.start(self.config, least, None)
                stack.callback(progress.stop)
                self._loop(members, results, progress, signals)
        ordered = [results[seed] for seed in self.trainers]
        lock.check()
        self._write_summary(ordered)
        return ordered

    def _ready(self, seed: int, trainer: Trainer, stack: ExitStack) -> _Member:
        own, noted = stack.enter_context(ExitStack()), _Noted()
        first_step = trainer.step
        return _Member(
            seed, trainer, first_step, own.enter_context(trainer.ready(noted)), own, noted
        )

    def _loop(
        self,
        members: list[_Member],
        results: dict[int, SeedResult],
        progress: Progress,
        signals: StopSignals,
    ) -> None:
        """Takes steps until no run is left, and fills in the results."""
        steps = JointSteps(self.config)
        while members:
            least = min(member.trainer.step for member in members)
            due = [member for member in members if member.trainer.step == least]
            batches = [member.trainer.begin_step(member.progress) for member in due]
            losses = steps.take([member.trainer for member in due], batches)
            # What has come by now ends all of them at the same step.
            seen = StopSignals(signals.received)
            for member, loss in zip(due, losses, strict=True):
                result = _finished(member, loss, seen)
                if result is not None:
                    reason, interrupted, diverged = result
                    results[member.seed] = self._result(member.seed, reason, interrupted, diverged)
            if seen.received is not None:
                for member in members:
                    # Those who waited for others are as their checkpoints are.
                    if member.seed not in results:
                        results[member.seed] = self._result(member.seed, None, seen.received)
            for member in members:
                if member.seed in results:
                    member.stack.close()
            _tell(progress, least + 1, losses, due)
            members = [member for member in members if member.seed not in results]

    def _result(
        self, seed: int, reason: str | None, signal: int | None, diverged: bool = False
    ) -> SeedResult:
        trainer = self.trainers[seed]
        best = trainer.standing.best
        return SeedResult(seed, trainer.folder.path, trainer.step, best, reason, signal, diverged)

    def _write_summary(self, results: list[SeedResult]) -> None:
        best = best_result(results)
        summary = {
            "task": self.config.task,
            "best": None if best is None else best.seed,
            "runs": [result.to_json() for result in results],
        }
        write_summary(self.folder, summary)


class _Noted(Progress):
    """Keeps the validation of the latest step."""

    def __init__(self) -> None:
        self.latest: Validation | None = None

    def step(self, step: int, loss: float) -> None:
        """A step that has no validation yet."""
        self.latest = None

    def validation(self, validation: Validation) -> None:
        """Keeps it."""
        self.latest = validation


def best_result(results: Iterable[SeedResult]) -> SeedResult | None:
    """The run with the best validation: of the smallest sampled error, then error.

    Example:
        >>> best_result([]) is None
        True
    """
    judged = [result for result in results if result.best is not None]
    return min(judged, key=lambda result: result.best.rank if result.best else (), default=None)


def _finished(
    member: _Member, loss: float | TrainingDiverged, signals: StopSignals
) -> tuple[str | None, int | None, bool] | None:
    """Why a run ends, by which signal, and whether it diverged; None if it goes on."""
    try:
        if isinstance(loss, TrainingDiverged):
            raise loss
        result: TrainingResult | None = member.trainer.finish_step(
            member.first_step, loss, member.log, member.progress, signals
        )
    except TrainingDiverged as error:
        return str(error), None, True
    return None if result is None else (result.reason, result.signal, False)


def _tell(
    progress: Progress, step: int, losses: list[float | TrainingDiverged], due: list[_Member]
) -> None:
    numbers = [loss for loss in losses if isinstance(loss, float)]
    if numbers:
        progress.step(step, sum(numbers) / len(numbers))
    validations = [each for member in due if (each := member.progress.latest) is not None]
    if validations:
        progress.validation(min(validations, key=lambda validation: validation.rank))


def _trainers(
    folder: Path, config: RunConfig, seeds: list[int], given: Mapping[str, Any]
) -> dict[int, Trainer]:
    """The run of each seed, a new one where none was started; they share the task."""
    trainers: dict[int, Trainer] = {}
    like: Trainer | None = None
    for seed in seeds:
        path, own = folder / f"seed-{seed}", replace(config, seed=seed)
        if RunFolder(path).is_started:
            changes = _changes(RunFolder(path), own, given)
            with errors_in(path):
                like = Trainer.resume(path, changes, like=like)
        else:
            like = Trainer.start(own, path, like=like)
        trainers[seed] = like
    return trainers


def _changes(run: RunFolder, config: RunConfig, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of all runs that one of them has not, as a kill came before it had them.

    Args:
        run: Folder of the run.
        config: What the run is to go on with.
        given: Which of it is given anew.
    """
    stored = run.read_config().to_json()
    changes = {name: value for name, value in config.to_json().items() if value != stored[name]}
    # It may have been trained further by itself.
    if config.steps < stored["steps"] and "steps" not in given and config.steps < run.step():
        del changes["steps"]
    return changes
