"""What changes from step to step of a run, as functions of the step alone.

A run has one attempt, or several trials of which the best goes on: with ``restarts`` it starts anew
every ``restart_after`` steps, and after the last trial it goes on from the checkpoint that was best
of all. Every trial begins the same schedule, which is laid out over the steps of one attempt.
"""

import math

from qrnn_circuits.settings.run_settings import RunSettings

# The part of an attempt in which sequences are shorter than those of the task.
CURRICULUM_SHARE = 2 / 3
# The part of an attempt after which small rotations are pruned.
PRUNE_SHARE = 3 / 4


class Schedule:
    """The schedule of a run's settings.

    Attributes:
        lengths: Lengths of sequences that come before that of the task.

    Example:
        >>> settings = RunSettings(task="xor", steps=900, curriculum="3,6", restarts=0)
        >>> schedule = Schedule(settings)
        >>> [schedule.length(step) for step in (0, 300, 600)]
        [3, 6, None]
    """

    def __init__(self, settings: RunSettings) -> None:
        """Takes the settings.

        Raises:
            ValueError: ``restarts`` and ``restart_after`` do not fit each other or the steps, or
                ``curriculum`` holds no growing lengths.
        """
        self._settings = settings
        self.lengths = _lengths(settings.curriculum)
        trials = settings.restarts + 1
        if (settings.restarts > 0) != (settings.restart_after is not None):
            raise ValueError(
                "restarts and restart_after go together, got "
                f"{settings.restarts} and {settings.restart_after}"
            )
        if settings.restart_after is not None and trials * settings.restart_after > settings.steps:
            raise ValueError(
                f"steps must be at least (restarts + 1) * restart_after, "
                f"{trials * settings.restart_after}, got {settings.steps}"
            )

    @property
    def attempt(self) -> int:
        """Number of steps of one attempt, from its start to the end of the run."""
        return self._settings.steps - self._settings.restarts * (self._settings.restart_after or 0)

    def trial(self, step: int) -> int | None:
        """Which trial takes a step, from 0; None once the best one goes on, or without restarts.

        Args:
            step: Optimiser steps taken before it.
        """
        after, restarts = self._settings.restart_after, self._settings.restarts
        if after is None or step >= (restarts + 1) * after:
            return None
        return step // after

    def tried(self, step: int) -> bool:
        """Whether the last of so many steps was one of a trial."""
        return step > 0 and self.trial(step - 1) is not None

    def begins(self, step: int) -> bool:
        """Whether a step is the first of a trial but the first one, or of what follows them."""
        return step > 0 and self.trial(step) != self.trial(step - 1)

    def position(self, step: int) -> int:
        """Steps that the attempt has taken before a step of the run.

        Args:
            step: Optimiser steps of the whole run taken before it.
        """
        trial, after = self.trial(step), self._settings.restart_after or 0
        return step - (self._settings.restarts if trial is None else trial) * after

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step.

        Args:
            step: Optimiser steps taken before it, from 0 to ``steps - 1``.
        """
        rate = self._settings.learning_rate
        if self._settings.decay == "none":
            return rate
        return rate * (1 + math.cos(math.pi * self.position(step) / self.attempt)) / 2

    def acceptance_weight(self, step: int) -> float:
        """The weight of the acceptance in the loss of a step.

        Args:
            step: Optimiser steps taken before it.
        """
        warmup = self._settings.acceptance_warmup
        grown = min((self.position(step) + 1) / warmup, 1.0) if warmup else 1.0
        return self._settings.acceptance_weight * grown

    def sparsity_weight(self, step: int) -> float:
        """The weight of the angles in the loss of a step: it grows from 0 until they are pruned.

        Args:
            step: Optimiser steps taken before it.
        """
        if self.prune_tolerance(step) is not None:
            return 0.0
        grown = min((self.position(step) + 1) / (PRUNE_SHARE * self.attempt), 1.0)
        return self._settings.sparsity_weight * grown

    def prune_tolerance(self, step: int) -> float | None:
        """Up to which angle rotations are set to none after a step, in radians; None for not yet.

        Args:
            step: Optimiser steps taken before it.
        """
        pruned = self.position(step) >= PRUNE_SHARE * self.attempt
        return self._settings.prune_tolerance if pruned else None

    def length(self, step: int) -> int | None:
        """Steps of the sequences that are trained on; None for those of the task.

        Args:
            step: Optimiser steps taken before it.
        """
        part = self.position(step) / (CURRICULUM_SHARE * self.attempt)
        place = int(part * len(self.lengths))
        return self.lengths[place] if place < len(self.lengths) else None


def _lengths(curriculum: str | None) -> tuple[int, ...]:
    """The lengths of a curriculum."""
    if curriculum is None:
        return ()
    try:
        lengths = tuple(int(length) for length in curriculum.split(","))
    except (AttributeError, ValueError):
        lengths = ()
    if not lengths or lengths[0] < 1 or list(lengths) != sorted(set(lengths)):
        raise ValueError(
            "curriculum must be growing lengths separated by commas, such as 3,6,12, got "
            f"{curriculum!r}"
        )
    return lengths
