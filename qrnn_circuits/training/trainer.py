"""The training loop."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from qrnn_circuits.network import ZeroProbabilityError
from qrnn_circuits.training.checkpoint import Checkpoint
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.log import Log
from qrnn_circuits.training.optimizers import build_optimizer
from qrnn_circuits.training.progress import Progress
from qrnn_circuits.training.run_folder import CheckpointName, RunFolder
from qrnn_circuits.training.signals import StopSignals
from qrnn_circuits.training.stopping import Standing
from qrnn_circuits.training.validation import validate


class TrainingDiverged(Exception):  # noqa: N818 - it names what happened, as StopIteration does
    """Training left the region where the loss is a number."""


@dataclass(frozen=True)
class TrainingResult:
    """How a call of :meth:`Trainer.run` ended.

    Attributes:
        first_step: Optimiser steps that the run had taken before this call.
        step: Optimiser steps that it has taken now.
        reason: Why it is over, as a clause for the user; ``None`` where a signal interrupted it.
        signal: Number of the signal that interrupted it, or ``None``.
        standing: What is known from the validations.
    """

    first_step: int
    step: int
    reason: str | None
    signal: int | None
    standing: Standing


class Trainer:
    """A run: a network, its optimiser and its batches, at some step, and the folder they go to.

    Two runs of one configuration on one machine (with the same number of threads) go through the
    same weights, bit for bit. So does a run that was killed at any moment and resumed.
    """

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Builds everything at step 0, and writes nothing; see :meth:`start` and :meth:`resume`.

        Raises:
            FileNotFoundError: The task's data are missing.
            TypeError: The network or the task cannot be built from these values.
            ValueError: The same.
        """
        self.config = config
        self.folder = RunFolder(folder)
        self.task = config.build_task()
        self.model = config.build_model()
        self.optimizer = build_optimizer(config, self.model.parameters())
        self.step = 0
        self.standing = Standing()
        self._generator = config.batch_generator()
        self._validation_batch = self.task.validation()

    @classmethod
    def start(cls, config: RunConfig, folder: Path) -> "Trainer":
        """Makes the folder of a new run.

        Raises:
            FileExistsError: The folder is not empty.
            FileNotFoundError: The task's data are missing.
            OSError: The folder cannot be written.
            ValueError: The network or the task cannot be built.
        """
        trainer = cls(config, folder)
        trainer.folder.create(config)
        return trainer

    @classmethod
    def resume(cls, folder: Path, changes: Mapping[str, Any] | None = None) -> "Trainer":
        """Takes a run up again after its last checkpoint.

        Args:
            folder: Of the run.
            changes: Fields of the configuration given anew, see :meth:`RunConfig.changed`.

        Raises:
            CheckpointError: The last checkpoint cannot be used.
            FileNotFoundError: There is no run in the folder, or the task's data are missing.
            ValueError: The changes contradict the run, or the run is past the new ``steps``.
        """
        run = RunFolder(folder)
        stored = run.read_config()
        config = stored.changed(changes or {})
        trainer = cls(config, folder)
        run.remove_leftovers()
        # A run that was killed before its first checkpoint starts once more.
        if run.has_checkpoints:
            checkpoint = run.load("last", config, trainer.model)
            if config.steps < checkpoint.step:
                raise ValueError(
                    f"steps must be at least the {checkpoint.step} that this run has taken, got "
                    f"{config.steps}"
                )
            trainer.optimizer.load_state_dict(dict(checkpoint.optimizer))
            trainer._generator.set_state(checkpoint.generator)
            trainer.step = checkpoint.step
            trainer.standing = checkpoint.standing
            best = checkpoint.standing.best
            if best is not None and best.step == checkpoint.step and not run.holds_best(best.step):
                # The run was killed after it wrote the last checkpoint and before the best one.
                run.save("best", checkpoint)
        if config != stored:
            run.write_config(config)
        return trainer

    def run(self, progress: Progress | None = None) -> TrainingResult:
        """Trains until a reason to stop, or until SIGINT or SIGTERM after a whole step.

        Raises:
            CheckpointError: A checkpoint could not be written; the one before stays.
            LogError: The log could not be written; the last checkpoint stays.
            TrainingDiverged: The loss or a parameter is no longer finite, or an outcome to
                condition on has become impossible; the last checkpoint stays.
        """
        first_step = self.step
        reason = self.standing.reason_to_stop(self.config, self.step)
        if reason is not None:
            return TrainingResult(first_step, self.step, reason, None, self.standing)
        if self.step == 0:
            self._save("last")
        progress = progress or Progress()
        with (
            StopSignals() as signals,
            _deterministic(),
            Log(self.folder.path, self.step + 1) as log,
        ):
            progress.start(self.config, self.step, self.standing.last)
            try:
                reason, interrupted = self._loop(log, progress, signals)
            finally:
                progress.stop()
        return TrainingResult(first_step, self.step, reason, interrupted, self.standing)

    def _loop(
        self, log: Log, progress: Progress, signals: StopSignals
    ) -> tuple[str | None, int | None]:
        """Takes steps until there is a reason to stop or a signal, and returns both."""
        while True:
            loss = self._take_step()
            log.step(self.step, loss)
            progress.step(self.step, loss)
            if self.step % self.config.validate_every == 0 or self.step == self.config.steps:
                self._validate(log, progress)
            reason = self.standing.reason_to_stop(self.config, self.step)
            interrupted = None if reason is not None else signals.received
            ends = reason is not None or interrupted is not None
            if ends or self.step % self.config.checkpoint_every == 0:
                log.flush()
                self._save("last")
            if ends:
                return reason, interrupted

    def _take_step(self) -> float:
        """Takes one optimiser step and returns the training loss before it."""
        batch = self.task.batch(self.config.batch_size, self._generator)

        def closure() -> float:
            self.optimizer.zero_grad()
            loss = self.model.loss(
                batch.inputs, batch.outcomes, batch.scored, kind=self.config.loss
            )
            loss.backward()
            if self.config.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
            return loss.item()

        for group in self.optimizer.param_groups:
            rate = self.config.learning_rate_at(self.step)
            group["lr"] = rate / 2**self.standing.retreats
        self.step += 1
        try:
            loss = self.optimizer.step(closure)
        except ValueError as error:
            # The network refuses parameters that are not finite, as L-BFGS can set within a step.
            if isinstance(error, ZeroProbabilityError) or not self._parameters_are_finite():
                raise self._diverged(str(error)) from error
            raise
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        if not self._parameters_are_finite():
            raise self._diverged("a parameter is no longer finite")
        return loss

    def _validate(self, log: Log, progress: Progress) -> None:
        try:
            validation = validate(
                self.model,
                self.task,
                self._validation_batch,
                loss=self.config.loss,
                step=self.step,
            )
        except ZeroProbabilityError as error:
            raise self._diverged(f"validation: {error}") from error
        self.standing = self.standing.after(validation)
        log.validation(validation)
        log.flush()
        progress.validation(validation)
        if self.standing.best is validation:
            # In this order, the best checkpoint is never ahead of the last one: see resume.
            self._save("last")
            self._save("best")
        elif self.standing.calls_for_retreat(self.config):
            self._retreat(progress)

    def _retreat(self, progress: Progress) -> None:
        """Goes back to the best checkpoint's parameters and optimiser, at half the rate."""
        best = self.folder.load("best", self.config, self.model)
        self.optimizer.load_state_dict(dict(best.optimizer))
        self.standing = replace(self.standing, retreats=self.standing.retreats + 1)
        progress.retreat(self.step, best.step)

    def _parameters_are_finite(self) -> bool:
        return all(bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def _diverged(self, what: str) -> TrainingDiverged:
        return TrainingDiverged(
            f"training diverged at step {self.step}: {what}. Start another run with a smaller "
            f"learning_rate (this one has {self.config.learning_rate:g}), or with dtype float64. "
            f"The last checkpoint stays in {self.folder.checkpoint_path('last')}"
        )

    def _save(self, name: CheckpointName) -> None:
        checkpoint = Checkpoint(
            config=self.config,
            step=self.step,
            parameters=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            generator=self._generator.get_state(),
            standing=self.standing,
        )
        self.folder.save(name, checkpoint)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Makes torch choose algorithms whose sums do not depend on the timing of threads."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
