"""Which network of a run is the best, and when the run is over."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from qrnn_circuits.checks import check_bool, check_integer
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.validation import FIGURES, Validation

_MARKEDLY = 1.25
# Retreats after which the learning rate, halved by each, is next to 0.
_MOST_RETREATS = 1000


@dataclass(frozen=True)
class Standing:
    """What a run remembers of its validations.

    Attributes:
        best: The validation with the smallest sampled error; of equals, the one with the smallest
            error; of equals in both, the first. Once networks are pruned, only those count.
        last: The latest validation.
        without_improvement: How many validations have passed since the best one.
        retreats: How often the run has gone back to its best checkpoint.
    """

    best: Validation | None = None
    last: Validation | None = None
    without_improvement: int = 0
    retreats: int = 0

    def after(self, validation: Validation) -> "Standing":
        """The standing once another validation is known."""
        if self.best is None or validation.rank < self.best.rank:
            return replace(self, best=validation, last=validation, without_improvement=0)
        return replace(self, last=validation, without_improvement=self.without_improvement + 1)

    def calls_for_retreat(self, config: RunConfig) -> bool:
        """Whether the run should go back to its best checkpoint after the latest validation.

        It should where ``retreat`` validations in a row brought no improvement and the latest is
        markedly worse than the best: a run on a plateau is left to cross it.
        """
        if config.retreat is None or self.best is None or self.last is None:
            return False
        due = self.without_improvement > 0 and self.without_improvement % config.retreat == 0
        due = due and self.retreats < _MOST_RETREATS
        return due and self.last.sampled_error > _MARKEDLY * self.best.sampled_error

    def reason_to_stop(self, config: RunConfig, step: int) -> str | None:
        """Why a run at this step is over, as a clause for the user, or ``None``."""
        unpruned = config.prune_tolerance is not None and not (self.last and self.last.pruned)
        if self.last is not None and not unpruned:
            if config.stop_error is not None and self.last.error <= config.stop_error:
                return f"the validation error reached {self.last.error:g} (stop_error)"
            if config.stop_loss is not None and self.last.loss <= config.stop_loss:
                return f"the validation loss reached {self.last.loss:.3g} (stop_loss)"
        trying = config.schedule.tried(step) and step < config.steps
        patience = None if trying or unpruned else config.patience
        if patience is not None and self.without_improvement >= patience:
            return f"{self.without_improvement} validations brought no improvement (patience)"
        if step >= config.steps:
            return f"all {config.steps} steps are done"
        return None

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Standing":
        """Rebuilds what :meth:`to_json` took apart.

        Raises:
            KeyError: A value is missing.
            TypeError: A value has the wrong type.
            ValueError: A value is out of range.
        """
        best, last = (
            None if values[name] is None else _validation(values[name]) for name in ("best", "last")
        )
        check_integer("without_improvement", values["without_improvement"], 0)
        check_integer("retreats", values["retreats"], 0, _MOST_RETREATS)
        return cls(best, last, values["without_improvement"], values["retreats"])


def _validation(values: Mapping[str, Any]) -> Validation:
    """Rebuilds a validation, which only has numbers."""
    validation = Validation(**values)
    check_integer("step", validation.step, 0)
    check_bool("pruned", validation.pruned)
    for name in FIGURES:
        if type(getattr(validation, name)) not in (int, float):
            raise TypeError(f"{name} must be a number, got {getattr(validation, name)!r}")
    return validation
