"""Files that are either wholly there or not there at all, whatever happens while writing."""

import os
from pathlib import Path
from secrets import token_hex

_SUFFIX = ".tmp"


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that a crash at any moment leaves the old content or the new, never a mix.

    The bytes go to a temporary file in the same folder, are forced to the disk, and take the
    place of ``path`` in one rename.

    Raises:
        OSError: The data could not be written, for example on a full disk. ``path`` is as before.
    """
    # Nobody can lay a link of this name beforehand, and one that exists is not followed.
    temporary = path.with_name(f".{path.name}.{token_hex(8)}{_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def leftovers(folder: Path) -> list[Path]:
    """The temporary files that a killed process left in a folder."""
    return sorted(folder.glob(f".*{_SUFFIX}"))


def _sync_folder(folder: Path) -> None:
    """Forces a rename in the folder to the disk, where the system can open folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
