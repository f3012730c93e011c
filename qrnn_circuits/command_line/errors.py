"""What the commands do about mistakes and mishaps: one red message, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from qrnn_circuits import ZeroProbabilityError
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.waiting import clear
from qrnn_circuits.job_store import JobError
from qrnn_circuits.numerical_errors import ParameterRangeError, PrecisionError
from qrnn_circuits.training import (
    CheckpointError,
    LogError,
    RankError,
    Ranks,
    RunInUseError,
    TrainingDiverged,
)

_USAGE_ERROR = 2
_RUN_ERROR = 1


@contextmanager
def usage_errors(ranks: Ranks | None = None) -> Iterator[None]:
    """Ends the command with exit code 2 where what the user gave or named is not acceptable.

    For the part of a command that reads its options and files, and for no other: an error of the
    same type in a computation is a bug, which a traceback helps to find.

    Args:
        ranks: The processes in all of which such an error is raised, by default this one alone.
    """
    try:
        yield
    except (TypeError, ValueError, OSError, RunInUseError) as error:
        _fail(error, _USAGE_ERROR, ranks)


@contextmanager
def run_errors(ranks: Ranks | None = None) -> Iterator[None]:
    """Ends the command with exit code 1 where a run cannot go on.

    Args:
        ranks: The processes of the run, by default this one alone.
    """
    try:
        yield
    except (
        CheckpointError,
        JobError,
        LogError,
        ParameterRangeError,
        PrecisionError,
        RankError,
        RunInUseError,
        TrainingDiverged,
        ZeroProbabilityError,
    ) as error:
        _fail(error, _RUN_ERROR, ranks)


@contextmanager
def device_errors() -> Iterator[None]:
    """Ends the command with exit code 1 where a device cannot run the circuits.

    Devices are of many makers, and say by many types what they do not accept.
    """
    from pennylane.exceptions import DeviceError

    try:
        yield
    except (
        DeviceError,
        ImportError,
        JobError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        _fail(error, _RUN_ERROR)


def _fail(error: Exception, exit_code: int, ranks: Ranks | None = None) -> NoReturn:
    # What all processes raise, the first one says; which of them lose each other, nobody knows.
    if ranks is None or ranks.is_first or isinstance(error, RankError):
        show_error(error)
    raise typer.Exit(exit_code)


def show_error(error: Exception) -> None:
    """Prints one red message."""
    clear()
    Console(stderr=True).print(plain(f"Error: {error}", "bold red"), soft_wrap=True)
