"""One owner of a folder at a time.

The owner holds a lock of the operating system, which frees it when a process ends, however it ends;
a suspended process keeps it.
"""

from pathlib import Path

from filelock import FileLock, Timeout

from qrnn_circuits.atomic_files import leftovers

LOCK = ".lock"
"""Name of the file in the folder that is locked."""


def contents(folder: Path) -> set[Path]:
    """What a folder holds beside its lock and the temporary files of writers; nothing if none."""
    if not folder.is_dir():
        return set()
    return set(folder.iterdir()) - {folder / LOCK, *leftovers(folder)}


def check_empty(folder: Path) -> None:
    """Raises a ``FileExistsError`` where a folder holds something already."""
    if contents(folder):
        raise FileExistsError(
            f"{folder} is not empty: name another folder, or go on with a run in it by qrnn train "
            "--resume, in Python by Trainer.resume or EnsembleTrainer.resume"
        )


def check_folder(path: Path) -> None:
    """Raises a ``NotADirectoryError`` where a file has the name of a folder."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} must be a folder, but is a file")


class RunInUseError(RuntimeError):
    """Another process trains the run in a folder, or has done so since this one has read it.

    Example:
        >>> from qrnn_circuits.training import RunFolder
        >>> folder = RunFolder(Path("in_use"))
        >>> folder.path.mkdir()
        >>> with folder.owned(), RunFolder(folder.path).owned():
        ...     pass
        Traceback (most recent call last):
        qrnn_circuits.training.folder_lock.RunInUseError: another process uses the run in in_use...
    """


class FolderLock:
    """Keeps all other processes that would write to a run out of its folder.

    From when it is made until it is released, or its ``with`` statement ends.

    Args:
        folder: The folder.
        name: Of the file in it that is locked.

    Raises:
        OSError: The folder cannot be written.
        RunInUseError: Another process owns it.
    """

    def __init__(self, folder: Path, name: str = LOCK) -> None:
        self._path = folder / name
        self._lock = FileLock(self._path)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise RunInUseError(
                f"another process uses the run in {folder}: wait until it ends, or stop it (a "
                "suspended one has to be woken or killed)"
            ) from None
        self._file = self._identity()

    def check(self) -> None:
        """Makes sure that the folder is still the one that was locked.

        Raises:
            RunInUseError: It, or the locked file in it, was removed, moved or replaced.
        """
        if self._identity() != self._file:
            raise RunInUseError(
                f"{self._path} was removed or replaced while this process worked in the folder, "
                "which may be another's now: nothing more is written there. Where the folder was "
                "moved, go on with what is in it there"
            )

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def release(self) -> None:
        """Leaves the folder to others."""
        self._lock.release()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat(follow_symlinks=False)
        except OSError:
            return None
        # The number of a file that is held open is given to no other one.
        return found.st_dev, found.st_ino
