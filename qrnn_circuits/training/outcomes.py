"""What a step of a run takes, and how a run ends."""

from dataclasses import dataclass
from typing import NamedTuple

from qrnn_circuits.tasks import BaseBatch
from qrnn_circuits.training.stopping import Standing


class TrainingDiverged(Exception):  # noqa: N818 - it names what happened, as StopIteration does
    """Training left the region where the loss is a number.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "optimizer": "sgd", "learning_rate": 1e38}
        >>> trainer = Trainer.start(RunConfig.resolve("memorise", settings), Path("run"))
        >>> try:
        ...     trainer.run()
        ... except TrainingDiverged as error:
        ...     print(str(error).split(" at ")[0])
        training diverged
    """


@dataclass(frozen=True)
class TrainingResult:
    """How a call of :meth:`Trainer.run` ended.

    Attributes:
        first_step: Optimiser steps that the run had taken before this call.
        step: Optimiser steps that it has taken now.
        reason: Why it is over, as a clause for the user; ``None`` where a signal interrupted it.
        signal: Number of the signal that interrupted it, or ``None``.
        standing: What is known from the validations.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> result = Trainer.start(config, Path("run")).run()
        >>> result.step, result.reason
        (2, 'all 2 steps are done')
    """

    first_step: int
    step: int
    reason: str | None
    signal: int | None
    standing: Standing


class StepBatch(NamedTuple):
    """What a step trains on.

    Attributes:
        batch: The sequences, on the CPU.
        acceptance_weight: How much the acceptance counts in the loss.
        sparsity_weight: How much the angles count in the loss.
    """

    batch: BaseBatch
    acceptance_weight: float
    sparsity_weight: float
