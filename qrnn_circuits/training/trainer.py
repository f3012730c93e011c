"""The training loop."""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.checks import check_instance
from qrnn_circuits.network import RecurrentNetwork, ZeroProbabilityError
from qrnn_circuits.numerical_errors import ParameterRangeError, PrecisionError
from qrnn_circuits.tasks import BaseTask
from qrnn_circuits.training.cell_settings import check_batches
from qrnn_circuits.training.checkpoint import Checkpoint, build_storable
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.determinism import deterministic
from qrnn_circuits.training.gradient import DataParallelLoss
from qrnn_circuits.training.log import Log
from qrnn_circuits.training.optimizer_states import load_state
from qrnn_circuits.training.optimizers import build_optimizer
from qrnn_circuits.training.progress import Progress
from qrnn_circuits.training.ranks import Ranks
from qrnn_circuits.training.results import TrainingDiverged, TrainingResult
from qrnn_circuits.training.run_folder import CheckpointName, RunFolder
from qrnn_circuits.training.signals import StopSignals
from qrnn_circuits.training.stopping import Standing
from qrnn_circuits.training.updates import StepBatch, update, zero_if_finite
from qrnn_circuits.training.validation import validate


class Trainer:
    """A run: a network, its optimiser and its batches, at some step, and the folder they go to.

    Two runs of one configuration on one machine's CPU (with the same numbers of processes and
    threads) go through the same weights, bit for bit. So does a run that was killed at any moment
    and resumed. On a GPU, or with another number of processes, sums are rounded otherwise, and
    dropout draws other numbers.

    Several processes train a run together where each builds its trainer with its
    :class:`~qrnn_circuits.training.Ranks`. All draw the same batches and each computes on its rows;
    only the first one touches the folder.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings, recipe="paper")
        >>> Trainer.start(config, Path("run")).run().step
        2
        >>> Trainer.resume(Path("run"), {"steps": 3}).run().first_step
        2
    """

    def __init__(
        self,
        config: RunConfig,
        folder: Path | str,
        ranks: Ranks | None = None,
        like: "Trainer | None" = None,
    ) -> None:
        """Builds everything at step 0, and writes nothing; see :meth:`start` and :meth:`resume`.

        Args:
            config: Of the run.
            folder: Of the run.
            ranks: The processes, by default this one alone.
            like: A run of the same task, with which this one shares it.

        Raises:
            FileNotFoundError: The task's data are missing, for some process.
            RankError: Another process has ended.
            TypeError: The network or the task cannot be built from these values.
            ValueError: The same; or there is no such device, or not a row of each batch for every
                process; or what the task draws will not do, as unread steps of a cell without.
        """
        check_instance("config", config, RunConfig, "RunConfig.resolve(task, settings) makes one")
        self.config = config
        self.folder = RunFolder(folder)
        self.ranks = ranks or Ranks()
        if config.batch_size < self.ranks.size:
            raise ValueError(
                f"batch_size must be at least the number of processes, {self.ranks.size}, which "
                f"share the rows of a batch, got {config.batch_size}"
            )
        self.step = 0
        self.standing = Standing()
        self._generator = config.batch_generator()
        with self.ranks.all_or_none():
            self.device = self.ranks.device(config.device)
            lengths = (None, *config.schedule.lengths)
            self._tasks: dict[int | None, BaseTask] = (
                {length: config.build_task(length) for length in lengths}
                if like is None
                else like._tasks
            )
            self.task = self._tasks[None]
            self.model = build_storable(config, self.device)
            self.optimizer = build_optimizer(config, self.model)
            self._validation_batch = self.task.validation()
            check_batches(self.task, self.model, self._validation_batch)
        self._loss = DataParallelLoss(self.model, config.loss, self.ranks)

    @classmethod
    def start(
        cls,
        config: RunConfig,
        folder: Path | str,
        ranks: Ranks | None = None,
        like: "Trainer | None" = None,
    ) -> "Trainer":
        """Makes the folder of a new run; the arguments are those of the class.

        Raises:
            FileExistsError: The folder is not empty.
            FileNotFoundError: The task's data are missing.
            OSError: The folder cannot be written.
            RankError: Another process has ended.
            ValueError: The network or the task cannot be built.
        """
        trainer = cls(config, folder, ranks, like)
        trainer.ranks.from_first(lambda: trainer.folder.create(config))
        return trainer

    @classmethod
    def resume(
        cls,
        folder: Path | str,
        changes: Mapping[str, Any] | None = None,
        ranks: Ranks | None = None,
        like: "Trainer | None" = None,
    ) -> "Trainer":
        """Takes a run up again after its last checkpoint; writes nothing until it goes on.

        Args:
            folder: Of the run.
            changes: Fields of the configuration given anew, see :meth:`RunConfig.changed`.
            ranks: The processes that go on with it, by default this one alone; they need not be as
                many as before.
            like: A run of the same task, with which this one shares it.

        Raises:
            CheckpointError: The last checkpoint cannot be used.
            FileNotFoundError: There is no run in the folder, or the task's data are missing.
            RankError: Another process has ended.
            ValueError: The changes contradict the run, or the run is past the new ``steps``.
        """
        run = RunFolder(folder)
        ranks = ranks or Ranks()
        config = ranks.from_first(run.read_config).changed(changes or {})
        ranks.from_first(lambda: run.check(config))
        trainer = cls(config, folder, ranks, like)
        own = config, trainer.model, trainer.optimizer
        checkpoint = ranks.from_first(lambda: trainer.folder.recover(*own))
        # A run that was killed before its first checkpoint starts once more.
        if checkpoint is not None:
            checkpoint.load_parameters(trainer.model)
            load_state(trainer.optimizer, checkpoint.optimizer)
            trainer._generator.set_state(checkpoint.generator)
            trainer.step = checkpoint.step
            trainer.standing = checkpoint.standing
        return trainer

    def run(self, progress: Progress | None = None) -> TrainingResult:
        """Trains until a reason to stop, or until SIGINT or SIGTERM after a whole step.

        Raises:
            CheckpointError: A checkpoint could not be written; the one before stays.
            LogError: The log could not be written; the last checkpoint stays.
            RankError: Another process has ended; the last checkpoint stays.
            RunInUseError: Another process uses the folder, or has gone on with the run.
            TrainingDiverged: The loss or a parameter is no longer finite, or an outcome to
                condition on has become impossible; the last checkpoint stays.
        """
        first_step = self.step
        reason = self.standing.reason_to_stop(self.config, self.step)
        if reason is not None:
            # What is given anew, as where the data lie now, counts for other commands too.
            self.ranks.from_first(self._keep_config)
            return TrainingResult(first_step, self.step, reason, None, self.standing)
        progress = progress or Progress()
        with StopSignals() as signals, deterministic(self.device), self.ready(progress) as log:
            while True:
                loss, received = self._take_step(signals, progress)
                # One process alone need not wait for the next step, in which all agree.
                agreed = None if self.ranks.size == 1 else StopSignals(received)
                result = self.finish_step(first_step, loss, log, progress, agreed or signals)
                if result is not None:
                    return result

    def _keep_config(self) -> None:
        with self.folder.owned(self.step, self.config):
            pass

    @contextmanager
    def ready(self, progress: Progress) -> Iterator[Log | None]:
        """While entered, steps can be taken: the folder is this run's own, and its log is open.

        Args:
            progress: Is told the start and the end.

        Yields:
            The log, in the first process.

        Raises:
            CheckpointError: The folder or the first checkpoint could not be written.
            LogError: The log could not be written.
            RunInUseError: Another process uses the folder, or has gone on with the run.
        """
        # What it goes on with is written once it is sure that no other process goes on with it.
        owned = self.folder.owned(self.step, self.config)
        with ExitStack() as stack:
            self.ranks.from_first(lambda: stack.enter_context(owned))
            log = Log(self.folder.path, self.step + 1) if self.ranks.is_first else None
            if log is not None:
                stack.enter_context(log)
            if self.step == 0:
                self._save("last")
            progress.start(self.config, self.step, self.standing.last)
            stack.callback(progress.stop)
            yield log

    def finish_step(
        self,
        first_step: int,
        loss: float,
        log: Log | None,
        progress: Progress,
        signals: StopSignals,
    ) -> TrainingResult | None:
        """What follows a step: notes, and where they are due, a validation and checkpoints.

        Args:
            first_step: Steps that the run had taken when :meth:`ready` was entered.
            loss: Of the step.
            log: Of :meth:`ready`.
            progress: Is told of it.
            signals: Interrupt the run.

        Returns:
            The result, if the run ends here.

        Raises:
            CheckpointError: A checkpoint could not be written.
            LogError: The log could not be written.
            TrainingDiverged: An outcome of the validation has become impossible.
        """
        if log is not None:
            log.step(self.step, loss)
        progress.step(self.step, loss)
        due = self.step % self.config.validate_every == 0 or self.step == self.config.steps
        due = due or self.config.schedule.begins(self.step)
        saved = due and self._validate(log, progress)
        reason = self.standing.reason_to_stop(self.config, self.step)
        interrupted = signals.received if reason is None else None
        ends = reason is not None or interrupted is not None
        if not saved and (ends or self.step % self.config.checkpoint_every == 0):
            if log is not None:
                log.flush()
            self._save("last")
        if not ends:
            return None
        return TrainingResult(first_step, self.step, reason, interrupted, self.standing)

    def begin_step(self, progress: Progress) -> StepBatch:
        """What comes before a step: where it is due, another trial; and its batch and rates."""
        schedule = self.config.schedule
        if schedule.begins(self.step):
            self._begin(progress)
        decay = schedule.learning_rate(self.step) / self.config.learning_rate
        for group in self.optimizer.param_groups:
            group["lr"] = math.ldexp(group["initial_lr"] * decay, -self.standing.retreats)
        batch = self._tasks[schedule.length(self.step)].batch(
            self.config.batch_size, self._generator
        )
        weights = schedule.acceptance_weight(self.step), schedule.sparsity_weight(self.step)
        seed = partial(self.config.step_seed, self.step, self.ranks.rank)
        self.step += 1
        return StepBatch(batch, *weights, seed)

    def _take_step(self, signals: StopSignals, progress: Progress) -> tuple[float, int | None]:
        """Takes one optimiser step.

        Returns:
            The training loss before it, and the signal that some process had received by then.
        """
        value, received = self.optimise(self.begin_step(progress), signals.received)
        self.end_step()
        # One transfer from the device for both.
        loss, difference = torch.stack(
            [value, zero_if_finite([list(self.model.parameters())])[0]]
        ).tolist()
        self.check_finite(loss, difference == 0)
        return loss, received

    def optimise(self, step: StepBatch, received: int | None = None) -> tuple[Tensor, int | None]:
        """Changes the parameters by one step of the optimiser, as :func:`~.updates.update` does.

        Raises:
            TrainingDiverged: An outcome has become impossible, or a parameter no number.
        """
        share = self._loss.share(step.batch, self.device)
        try:
            return update(self.optimizer, self._loss, share, step, self.config.clip_norm, received)
        except (ParameterRangeError, PrecisionError, ZeroProbabilityError) as error:
            raise self._diverged(str(error)) from error
        except ValueError as error:
            # The network refuses parameters that are not finite, as L-BFGS can set within a step.
            if zero_if_finite([list(self.model.parameters())])[0] != 0:
                raise self._diverged(str(error)) from error
            raise

    def end_step(self) -> None:
        """What comes after the optimiser: where it is due, small rotations are pruned."""
        schedule = self.config.schedule
        tolerance = schedule.prune_tolerance(self.step - 1)
        if tolerance is not None and isinstance(self.model, RecurrentNetwork):
            self.model.cell.prune(tolerance)
            if schedule.prune_tolerance(self.step - 2) is None:
                # What the optimiser remembers of steeper gradients would slow down the rest.
                self.optimizer = build_optimizer(self.config, self.model)

    def check_finite(self, loss: float, parameters_are_finite: bool) -> None:
        """Raises :class:`TrainingDiverged` where a step has led to what is no number."""
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        if not parameters_are_finite:
            raise self._diverged("a parameter is no longer finite")

    def _validate(self, log: Log | None, progress: Progress) -> bool:
        """Validates, and returns whether that led to a new last checkpoint."""
        try:
            validation = validate(
                self.model,
                self.task,
                self._validation_batch,
                loss=self.config.loss,
                step=self.step,
                pruned=self.config.schedule.prune_tolerance(self.step - 1) is not None,
                ranks=self.ranks,
            )
        except (ParameterRangeError, PrecisionError, ZeroProbabilityError) as error:
            raise self._diverged(f"validation: {error}") from error
        self.standing = self.standing.after(validation)
        if log is not None:
            log.validation(validation)
            log.flush()
        progress.validation(validation)
        if self.standing.best is validation:
            # In this order, the best checkpoint is never ahead of the last one: see resume.
            self._save("last")
            self._save("best")
            return True
        # During the trials the best checkpoint may be another one's. Each retreat halves the rate.
        if not self.config.schedule.tried(self.step) and self.standing.calls_for_retreat(
            self.config
        ):
            self._go_back(progress)
            self.standing = replace(self.standing, retreats=self.standing.retreats + 1)
        return False

    def _begin(self, progress: Progress) -> None:
        """Begins another trial, or goes on from the best one."""
        trial = self.config.schedule.trial(self.step)
        if trial is None:
            self._go_back(progress)
        else:
            self.model.load_state_dict(self.config.build_model(trial=trial).state_dict())
            self.optimizer = build_optimizer(self.config, self.model)
            progress.restart(self.step, trial)
        self.standing = replace(self.standing, without_improvement=0)

    def _go_back(self, progress: Progress) -> None:
        """Takes over the parameters and the optimiser of the best checkpoint."""
        own = self.config, self.model, self.optimizer
        best = self.ranks.from_first(lambda: self.folder.load("best", *own))
        best.load_parameters(self.model)
        load_state(self.optimizer, best.optimizer)
        progress.retreat(self.step, best.step)

    def _diverged(self, what: str) -> TrainingDiverged:
        return TrainingDiverged.at(
            self.step, what, self.config, self.folder.checkpoint_path("last")
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
        self.ranks.from_first(lambda: self.folder.save(name, checkpoint))
