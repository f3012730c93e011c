"""Times several ways to do the same, in turn, so that all of them meet the machine alike."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

Way = TypeVar("Way", bound=Hashable)
_TOLERANCE = 0.2


def interleaved_seconds(
    ways: Mapping[Way, Callable[[], object]], repeats: int, most: float
) -> dict[Way, list[float]]:
    """Processor times of the calls of each way, after a first call that does not count.

    Processor time is that of the process: on an idle machine and one thread the time on the clock.

    Args:
        ways: What to call.
        repeats: How often.
        most: No further calls once all of a way together took so many seconds, at least one.
    """
    times: dict[Way, list[float]] = {way: [] for way in ways}
    for call in ways.values():
        call()
    for _ in range(repeats):
        for way, call in ways.items():
            if sum(times[way]) < most:
                start = time.process_time()
                call()
                times[way].append(time.process_time() - start)
    return times


def summary(excesses: Sequence[float]) -> str:
    """How near chosen ways come to the fastest ones.

    Args:
        excesses: By which share of its time each is slower than the fastest.
    """
    near = sum(excess <= _TOLERANCE for excess in excesses)
    return (
        f"{near} of {len(excesses)} within {_TOLERANCE:.0%} of the faster; at worst "
        f"{max(excesses):.0%} slower"
    )
