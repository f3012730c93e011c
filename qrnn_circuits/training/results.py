"""How a run ends."""

from dataclasses import dataclass
from pathlib import Path

from qrnn_circuits.training.config import RunConfig
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

    @classmethod
    def at(cls, step: int, what: str, config: RunConfig, checkpoint: Path) -> "TrainingDiverged":
        """Says what has happened, and what to do about it.

        Args:
            step: Of the run.
            what: What is no number, as a clause.
            config: Of the run.
            checkpoint: What is left of it.
        """
        rates = f"learning_rate (this one has {config.learning_rate:g})"
        if config.readout_learning_rate is not None:
            rates += f" or readout_learning_rate ({config.readout_learning_rate:g})"
        return cls(
            f"training diverged at step {step}: {what}. Start another run with a smaller {rates}, "
            f"or with dtype float64. The last checkpoint stays in {checkpoint}"
        )


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
