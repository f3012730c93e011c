"""One input under a limit of time and of memory."""

import resource
import signal
import sys
from random import Random
from types import FrameType

from tests.fuzz.judging import FoundError
from tests.fuzz.targets import Target

_SECONDS = 60
_MEMORY = 2 * 2**30


class HangError(BaseException):
    """An input was read for longer than a minute; no handler of errors may catch it."""


def attack(target: Target, seed: int) -> None:
    """Has a target read the input of a seed.

    Raises:
        FoundError: It took more than a minute, or the process has had more than 2 GiB.
        Exception: Whatever the reader should not have raised.
    """
    previous = signal.signal(signal.SIGALRM, _ring)
    signal.alarm(_SECONDS)
    before = _peak()
    try:
        target(Random(f"{target.__name__}-{seed}"))
    except HangError as hang:
        raise FoundError(f"it took more than {_SECONDS} s") from hang
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    if before <= _MEMORY < _peak():
        raise FoundError(f"it took more than {_MEMORY:,} bytes of memory")


def _ring(number: int, frame: FrameType | None) -> None:
    raise HangError


def _peak() -> int:
    """The most bytes of memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
