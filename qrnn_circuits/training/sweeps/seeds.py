"""How the seeds of a sweep's trial did, as one value and its spread."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qrnn_circuits.training.ensemble import SeedResult


@dataclass(frozen=True)
class SeedSpread:
    """The best and the worst of the seeds of a trial.

    Attributes:
        best: The smallest sampled error of a seed's best validation; ``None`` where all diverged,
            or before the trial is over.
        worst: The largest; ``None`` where a seed diverged, which is worse than any number.
        diverged: Number of seeds that diverged; ``None`` before the trial is over.

    Example:
        >>> SeedSpread.read({"best": 0.1, "diverged": 1})
        SeedSpread(best=0.1, worst=None, diverged=1)
    """

    best: float | None
    worst: float | None
    diverged: int | None

    @classmethod
    def of(cls, results: Sequence[SeedResult]) -> "SeedSpread":
        """That of results."""
        errors = _figures(results, "sampled_error")
        best, worst = (e if math.isfinite(e) else None for e in (min(errors), max(errors)))
        return cls(best, worst, errors.count(math.inf))

    @classmethod
    def read(cls, notes: Mapping[str, Any]) -> "SeedSpread":
        """That which the notes of a trial hold.

        Raises:
            TypeError: A note has the wrong type.
        """
        for name in ("best", "worst", "diverged"):
            if type(notes.get(name, 0)) not in (int, float):
                raise TypeError(f"a trial has {name} {notes[name]!r}")
        return cls(notes.get("best"), notes.get("worst"), notes.get("diverged"))


def medians(results: Sequence[SeedResult]) -> dict[str, float] | None:
    """The medians over the best validations of the seeds; of two in the middle, their mean.

    Args:
        results: Of all seeds; one that diverged counts as worse than any number.

    Returns:
        Loss, error and sampled error; ``None`` where a diverged seed is in the middle.

    Example:
        >>> medians([]) is None
        True
    """
    names = ("loss", "error", "sampled_error")
    if not results:
        return None
    found = {name: statistics.median(_figures(results, name)) for name in names}
    return found if all(map(math.isfinite, found.values())) else None


def _figures(results: Sequence[SeedResult], name: str) -> list[float]:
    return [
        math.inf if result.diverged or result.best is None else getattr(result.best, name)
        for result in results
    ]
