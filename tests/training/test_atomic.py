from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from qrnn_circuits.training import atomic
from qrnn_circuits.training.atomic import leftovers, write_atomically

SmallDisk = Callable[[int], AbstractContextManager[None]]


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, small_disk: SmallDisk
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with small_disk(1000), pytest.raises(OSError, match="too large"):
        write_atomically(path, bytes(2000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_are_the_temporary_files_of_a_killed_writer(tmp_path: Path) -> None:
    for name in (".file.123.tmp", "file.tmp", ".hidden", "file"):
        (tmp_path / name).touch()
    assert leftovers(tmp_path) == [tmp_path / ".file.123.tmp"]


def test_a_link_laid_beforehand_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "token_hex", lambda _: "known")
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (tmp_path / ".file.known.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"kept"
