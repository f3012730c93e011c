"""When a service that did not answer is asked again."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """How often the service is asked again after the connection is lost, and when.

    Attributes:
        attempts: How often it is asked at most, at least once.
        first: Seconds before the second attempt.
        factor: By which every further wait is longer than the one before.
        longest: Seconds that a wait lasts at most.
    """

    attempts: int = 6
    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")
        for name in ("first", "factor", "longest"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    def waits(self) -> Iterator[float]:
        """Seconds to wait after each attempt but the last."""
        wait = self.first
        for _ in range(self.attempts - 1):
            yield min(wait, self.longest)
            wait *= self.factor
