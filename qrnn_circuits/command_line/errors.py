"""What the commands do about mistakes and mishaps: one red message, no traceback."""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console

from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.checks import cut
from qrnn_circuits.command_line.plain import plain
from qrnn_circuits.command_line.waiting import clear

if TYPE_CHECKING:
    from qrnn_circuits.training import Ranks

_USAGE_ERROR = 2
_RUN_ERROR = 1
_DEVICE_PACKAGES = ("pennylane", "qiskit", "qiskit_aer", "qiskit_ibm_runtime", "mthree")
# As PyTorch says it of a CPU and of a GPU, and NumPy.
_NO_MEMORY = re.compile(r"can't allocate memory|out of memory|not enough memory", re.IGNORECASE)
# What the system says of an open file that takes nothing more.
_NOT_PRINTED = (
    errno.EBADF,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ENOSPC,
    errno.EPIPE,
)
_ASKED = re.compile(r"allocate (?:([\d.]+ .iB)|(\d+) bytes)")


@contextmanager
def usage_errors(ranks: "Ranks | None" = None) -> Iterator[None]:
    """Ends the command with exit code 2 where what the user gave, named or installed will not do.

    For the part of a command that reads its options and files, and for no other: an error of the
    same type in a computation is a bug, which a traceback helps to find.

    Args:
        ranks: The processes in all of which such an error is raised, by default this one alone.
    """
    try:
        yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        _fail(error, _USAGE_ERROR, ranks)
    except Exception as error:
        from qrnn_circuits.training import RunInUseError

        if (memory := _memory_error(error)) is not None:
            _fail(memory, _USAGE_ERROR, ranks)
        if not isinstance(error, RunInUseError):
            raise
        _fail(error, _USAGE_ERROR, ranks)


@contextmanager
def run_errors(ranks: "Ranks | None" = None) -> Iterator[None]:
    """Ends the command with exit code 1 where a run cannot go on.

    Args:
        ranks: The processes of the run, by default this one alone.
    """
    try:
        yield
    except Exception as error:
        if (memory := _memory_error(error)) is not None:
            _fail(memory, _RUN_ERROR, ranks)
        if isinstance(error, typer.Exit) or not isinstance(error, _known_run_errors()):
            raise
        _fail(error, _RUN_ERROR, ranks)


@contextmanager
def resumable(command: str) -> Iterator[None]:
    """Has the error of a run that can go on say by which command it does.

    Args:
        command: What to type.

    Raises:
        CheckpointError: One was raised meanwhile.
        LogError: One was raised meanwhile.
        RankError: One was raised meanwhile.
    """
    from qrnn_circuits.training import CheckpointError, LogError, RankError

    try:
        yield
    except (CheckpointError, LogError, RankError) as error:
        raise type(error)(f"{error}. Once that is put right, go on with: {command}") from error


@contextmanager
def device_errors() -> Iterator[None]:
    """Ends the command with exit code 1 where a device cannot run the circuits.

    Devices are of many makers, and say by many types what they do not accept.
    """
    from pennylane.exceptions import DeviceError

    from qrnn_circuits.job_store import JobError

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
        _fail(_memory_error(error) or error, _RUN_ERROR)
    except Exception as error:
        if (memory := _memory_error(error)) is not None:
            _fail(memory, _RUN_ERROR)
        if not _is_of_a_device(error):
            raise
        _fail(RuntimeError(f"the device has failed: {brief(error)}"), _RUN_ERROR)


def _is_of_a_device(error: Exception) -> bool:
    """Whether an error is of a type that a package for devices defines."""
    return type(error).__module__.partition(".")[0] in _DEVICE_PACKAGES


def _memory_error(error: Exception) -> MemoryError | None:
    """Says of an error that there is not enough memory, if it is one."""
    text = str(error)
    if not isinstance(error, MemoryError) and not (
        isinstance(error, RuntimeError) and _NO_MEMORY.search(text)
    ):
        return None
    asked = _ASKED.search(text)
    size = f" for {asked[1] or f'{int(asked[2]):,} bytes'}" if asked else ""
    return MemoryError(f"there is not enough memory{size}: choose something smaller")


def _known_run_errors() -> tuple[type[Exception], ...]:
    """Errors in which a run may end, imported once there is one: with them comes torch."""
    from qrnn_circuits import ZeroProbabilityError
    from qrnn_circuits.job_store import JobError
    from qrnn_circuits.numerical_errors import ParameterRangeError, PrecisionError
    from qrnn_circuits.training import (
        CheckpointError,
        LogError,
        RankError,
        RunInUseError,
        SweepError,
        TrainingDiverged,
    )

    return (
        CheckpointError,
        JobError,
        LogError,
        ParameterRangeError,
        PrecisionError,
        RankError,
        RunInUseError,
        SweepError,
        TrainingDiverged,
        ZeroProbabilityError,
    )


def _fail(error: Exception, exit_code: int, ranks: "Ranks | None" = None) -> NoReturn:
    # What all processes raise, the first one says; which of them lose each other, nobody knows.
    if ranks is None or ranks.is_first or _is_of_ranks(error):
        show_error(error)
    raise typer.Exit(exit_code)


def _is_of_ranks(error: Exception) -> bool:
    from qrnn_circuits.training import RankError

    return isinstance(error, RankError)


def show_error(error: Exception) -> None:
    """Prints one red message."""
    clear()
    text = cut(f"Error: {error}")
    # Errors of this package have no number, and say themselves what to do.
    if isinstance(error, OSError) and error.errno is not None:
        text += ". Put that right, or name another place"
    Console(stderr=True).print(plain(text, "bold red"), soft_wrap=True)


@contextmanager
def output_errors() -> Iterator[None]:
    """Ends the program with exit code 1 where what it prints cannot be written."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        # That of a file names it.
        if error.filename is not None or error.errno not in _NOT_PRINTED:
            raise
        # Python would write once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            show_error(OSError(error.errno, error.strerror, "standard output"))
        sys.exit(_RUN_ERROR)
