"""Where the processes that share a sweep meet: Optuna's journal, and locks.

Both are files in the sweep's folder. The locks are the operating system's: it frees them when a
process ends, however it ends.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from qrnn_circuits.atomic_files import cut_torn_line, errors_of
from qrnn_circuits.training.folder_lock import check_folder
from qrnn_circuits.training.sweeps.journal import check_journal, journal_error

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

STUDY = "sweep"
"""Name of the only study of a journal."""
_JOURNAL = "sweep.journal"
_LOCKS = "locks"
# Seconds after which it is told that another process is waited for.
_PATIENCE = 2.0

_logger = logging.getLogger(__name__)


class SweepError(Exception):
    """A file of a sweep could not be written or read; the sweep can go on later.

    Example:
        >>> Path("sweep").mkdir()
        >>> _ = Path("sweep/locks").write_text("no folder")
        >>> try:
        ...     with held_lock(Path("sweep"), "journal"):
        ...         pass
        ... except SweepError as error:
        ...     print(error)
        the sweep in sweep cannot go on: [Errno 17] File exists: 'sweep/locks'. What has ended...
    """


def missing(folder: Path) -> FileNotFoundError:
    """What to raise where a folder holds no sweep, and none is to be begun."""
    return FileNotFoundError(
        f"there is no sweep in {folder} to join: to begin one, give a space of settings that vary, "
        "on the command line --config FILE"
    )


def journal_exists(folder: Path) -> bool:
    """Whether a folder has a journal.

    Raises:
        FileExistsError: It has none, but holds something else.
        NotADirectoryError: It is a file.
    """
    if (folder / _JOURNAL).exists():
        return True
    check_folder(folder)
    if folder.exists() and any(path.name not in (_JOURNAL, _LOCKS) for path in folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty and holds no sweep: name another folder")
    return False


@contextmanager
def held_lock(folder: Path, name: str, *, wait: bool = True) -> Iterator[bool]:
    """Holds a lock while entered.

    Args:
        folder: Of the sweep.
        name: Of the lock.
        wait: Whether to wait while another process holds it.

    Yields:
        Whether it is held; always where ``wait`` is set.

    Raises:
        SweepError: The lock cannot be written.
    """
    with sweep_errors(folder):
        lock = _lock(folder, name)
        if wait:
            _wait_for(lock)
        else:
            with suppress(Timeout):
                lock.acquire(blocking=False)
    try:
        yield lock.is_locked
    finally:
        lock.release()


def open_journal(folder: Path) -> "JournalStorage":
    """Opens a sweep's journal, or begins it.

    Raises:
        SweepError: It cannot be read or written, now or in any use of what is returned.
        ValueError: It is damaged.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path, lock = folder / _JOURNAL, _lock(folder, "journal")

    class JournalLock(JournalFileOpenLock):
        """As Optuna's own lock, which however outlives a killed process by half a minute."""

        def acquire(self) -> bool:
            _wait_for(lock)
            with path.open("r+b") as file:
                cut_torn_line(file)
            return True

        def release(self) -> None:
            lock.release()

    class Journal(JournalFileBackend):
        """As Optuna's own, with the error of a sweep that can go on later."""

        def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
            with sweep_errors(folder), errors_of(path):
                yield from super().read_logs(log_number_from)

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            with sweep_errors(folder), errors_of(path):
                super().append_logs(logs)

    with held_lock(folder, "journal"), sweep_errors(folder):
        check_journal(path, STUDY)
    with readable_journal(folder), sweep_errors(folder):
        return JournalStorage(Journal(str(path), lock_obj=JournalLock(str(path))))


@contextmanager
def readable_journal(folder: Path) -> Iterator[None]:
    """Turns what Optuna raises on values that are not its own into an error that says so.

    Raises:
        ValueError: The journal is damaged.
    """
    try:
        yield
    except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise journal_error(folder / _JOURNAL, f"{type(error).__name__}: {error}") from error


@contextmanager
def sweep_errors(folder: Path) -> Iterator[None]:
    """Turns what the system refuses into the error of a sweep that can go on later.

    Raises:
        SweepError: An OSError was raised.
    """
    try:
        yield
    except OSError as error:
        raise SweepError(
            f"the sweep in {folder} cannot go on: {error}. What has ended is kept: put that "
            "right and begin the same sweep again"
        ) from error


def _wait_for(lock: FileLock) -> None:
    """Acquires a lock, and says so where that takes long."""
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        _logger.warning(
            "another process holds %s: waiting until it frees it (a suspended one has to be woken "
            "or killed)",
            lock.lock_file,
        )
        lock.acquire()


def _lock(folder: Path, name: str) -> FileLock:
    locks = folder / _LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / f"{name}.lock", poll_interval=0.01)
