"""Files that are either wholly there or not there at all, whatever happens while writing."""

import errno
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]+\.tmp")
# Elsewhere, files that are open can neither be removed nor renamed.
_HAS_LOCKS = find_spec("fcntl") is not None


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a crash at any moment leaves the old content or the new, never a mix.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the
    place of ``path`` in one rename. What a killed process has left of an earlier write is removed.

    Raises:
        OSError: The data could not be written, for example on a full disk. ``path`` is as before.
    """
    remove_leftovers(path.parent, path.name)
    with errors_of(path):
        with _temporary_file(path) as (file, temporary):
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                if not _HAS_LOCKS:
                    file.close()
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)


def check_target(path: Path) -> None:
    """Checks where a file is to go, before anything that takes long.

    Raises:
        FileNotFoundError: There is no folder for it.
        IsADirectoryError: A folder has its name.
        PermissionError: No file can be made in the folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for {path.name}: make it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file, such as one in it")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON object for people to read as well, as :func:`write_atomically` does.

    Raises:
        OSError: It could not be written. ``path`` is as before.
    """
    write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())


def cut_torn_line(file: BinaryIO) -> None:
    """Cuts off what a killed process, or one on a full disk, has written of a line.

    Args:
        file: Of whole lines but for the last one, open for reading and writing.
    """
    end = file.seek(0, os.SEEK_END)
    if not end:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Lets an error of the system name a file, which one of an open file does not.

    Raises:
        OSError: One was raised meanwhile.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def leftovers(folder: Path) -> list[Path]:
    """The temporary files in a folder, which a killed process left or a living one writes."""
    return sorted(path for path in folder.glob(".*.tmp") if _TEMPORARY.fullmatch(path.name))


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Removes the temporary files of killed processes from a folder, and of no living one.

    Args:
        folder: The folder.
        name: Of the file that they were to become; by default of any.
    """
    for path in leftovers(folder):
        found = _TEMPORARY.fullmatch(path.name)
        if found and name in (None, found[1]):
            # What another user has left is not ours to remove.
            with suppress(OSError):
                _remove_abandoned(path)


@contextmanager
def _temporary_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file beside another one, locked as long as it is open."""
    while True:
        # Nobody can lay a link of this name beforehand, and one that exists is not followed.
        temporary = path.with_name(f".{path.name}.{token_hex(8)}.tmp")
        with temporary.open("xb") as file:
            # On a file system without locks, nobody takes the file for abandoned either.
            with suppress(OSError):
                _lock(file.fileno(), wait=True)
            # Before it was locked, another process may have taken it for abandoned.
            if os.fstat(file.fileno()).st_nlink:
                yield file, temporary
                return


def _remove_abandoned(path: Path) -> None:
    """Removes a temporary file unless a living process writes it.

    Raises:
        OSError: One does, or the file is not to be removed for another reason.
    """
    # Not read only, for which network file systems give no lock.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _lock(descriptor, wait=False)
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> None:
    """Locks an open file, where the system has such locks.

    Raises:
        OSError: Another process has locked it, or there are no locks on this file system.
    """
    if _HAS_LOCKS:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    """Forces a rename in the folder to the disk, where the system can open folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
