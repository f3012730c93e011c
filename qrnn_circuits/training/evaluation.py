"""How well a trained network does on the whole test set."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, get_args

from torch import nn
from typing_extensions import TypeVar

from qrnn_circuits.checks import check_choice, check_instance
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.tasks import BaseTask, Task
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.run_folder import CheckpointName, RunFolder
from qrnn_circuits.training.task_options import check_task_options, with_full_paths
from qrnn_circuits.training.validation import judged

TaskT_co = TypeVar("TaskT_co", bound=BaseTask, default=Task, covariant=True)
ModelT_co = TypeVar("ModelT_co", bound=nn.Module, default=RecurrentNetwork, covariant=True)


@dataclass(frozen=True)
class TrainedRun(Generic[TaskT_co, ModelT_co]):
    """A trained network and what it was trained for.

    Attributes:
        config: Of the run.
        task: Its task.
        model: The network, with the parameters of a checkpoint: a
            :class:`~qrnn_circuits.network.RecurrentNetwork`, or for a forecast a
            :class:`~qrnn_circuits.forecaster.Forecaster`.
        step: Optimiser steps behind them.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer, load_run
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> run = load_run(Path("run"))
        >>> run.task.name, run.step
        ('memorise', 2)
    """

    config: RunConfig
    task: TaskT_co
    model: ModelT_co
    step: int

    def of_symbols(self) -> "TrainedRun":
        """The run itself, where its network reads and predicts symbols.

        Raises:
            ValueError: If it forecasts real values.
        """
        if not (isinstance(self.task, Task) and isinstance(self.model, RecurrentNetwork)):
            quantum = hasattr(getattr(self.model, "layer", None), "on")
            on_device = ", or run it on a device with qrnn run" if quantum else ""
            raise ValueError(
                f"a network of the task {self.config.task!r} forecasts real values, and has no "
                f"symbols: test it with qrnn evaluate{on_device}"
            )
        return TrainedRun(self.config, self.task, self.model, self.step)


@dataclass(frozen=True)
class Evaluation:
    """The figures of a test.

    Attributes:
        test_error: Share of the answers whose most probable symbol is wrong.
        sampled_error: 1 minus the mean probability of the right answer: what one measurement gives.
        standard_error: Of the test error, as a binomial proportion.
        count: Number of answers.
        unit: What is counted: ``"images"``, or ``"scored_steps"`` where a sequence has many.
        guessing_error: Share of wrong answers if each were the most frequent right one; None where
            an answer is more than one symbol.

    Example:
        >>> result = Evaluation(0.1, 0.15, 0.05, 36, "images")
        >>> result.to_json()["images"]
        36
    """

    test_error: float
    sampled_error: float
    standard_error: float
    count: int
    unit: str
    guessing_error: float | None = None

    @property
    def beats_guessing(self) -> bool | None:
        """Whether the test error is two standard errors below guessing; None where unknown."""
        if self.guessing_error is None:
            return None
        return self.test_error + 2 * self.standard_error < self.guessing_error

    def to_json(self) -> dict[str, float | int | None]:
        """The figures, with the count under the name of its unit."""
        return {
            "test_error": self.test_error,
            "sampled_error": self.sampled_error,
            "standard_error": self.standard_error,
            "guessing_error": self.guessing_error,
            self.unit: self.count,
        }


def load_run(
    folder: Path | str,
    checkpoint: CheckpointName = "best",
    task_options: Mapping[str, Any] | None = None,
) -> TrainedRun[Any, Any]:
    """Brings a run back: its network with its parameters, its task and its settings.

    The network is in evaluation mode, in which layers drop nothing at random; its method ``train``
    ends that.

    Args:
        folder: Of the run.
        checkpoint: ``"best"``, by sampled validation error, or ``"last"``.
        task_options: Options that the task gets in place of the stored ones, such as another
            ``data`` folder or file.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        FileNotFoundError: There is no run in the folder.
        ValueError: The checkpoint is neither, or the task has no such option or does not accept
            its value.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer, load_run
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> load_run("run", "last").step
        2
    """
    check_choice("checkpoint", checkpoint, get_args(CheckpointName))
    run = RunFolder(Path(folder))
    config = run.read_config()
    read = run.read(checkpoint, config)
    model = config.build_model()
    read.load_parameters(model)
    return trained_run(config, model, read.step, task_options)


def trained_run(
    config: RunConfig,
    model: nn.Module,
    step: int,
    task_options: Mapping[str, Any] | None = None,
) -> TrainedRun[Any, Any]:
    """A trained network, in evaluation mode, with its task.

    Args:
        config: Of its run.
        model: The network.
        step: Optimiser steps behind it.
        task_options: Options that the task gets in place of those of the run.

    Raises:
        ValueError: The task has no such option or does not accept its value.
    """
    given = with_full_paths(config.task, task_options or {})
    check_task_options(config.task, given)
    options = {**config.task_options, **given}
    config = dataclasses.replace(config, task_options=options)
    return TrainedRun(config, config.build_task(), model.eval(), step)


def check_run(run: object) -> None:
    """Raises a ``TypeError`` where something else is given in place of a run."""
    advice = "take load_run(folder), or TrainedRun(config, task, model, step)"
    check_instance("run", run, TrainedRun, advice)


def evaluate(run: TrainedRun) -> Evaluation:
    """Tests a network on its task's whole test set.

    Raises:
        FileNotFoundError: The task's data are missing.
        TypeError: It is no run.
        ValueError: The network forecasts real values.
        ZeroProbabilityError: The network rules an outcome of the test set out altogether.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer, evaluate, load_run
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> evaluate(load_run(Path("run"))).count
        8
    """
    check_run(run)
    if not isinstance(run.task, Task):
        raise ValueError(
            f"run must be of a task of symbols, got one of {run.config.task!r}: of real values, "
            "take evaluate_forecast(run)"
        )
    test = run.task.test()
    with judged(run.model):
        answers = run.task.answers(run.model, test)
    right = test.outcomes[test.scored]
    one_symbol = answers.count == len(right) and not run.task.answers_need_runs
    return Evaluation(
        test_error=answers.test_error,
        sampled_error=answers.sampled_error,
        standard_error=answers.standard_error,
        count=answers.count,
        unit=run.task.answer_unit,
        guessing_error=1 - int(right.bincount().max()) / len(right) if one_symbol else None,
    )
