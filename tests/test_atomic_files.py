import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from qrnn_circuits import atomic_files
from qrnn_circuits.atomic_files import (
    check_target,
    cut_torn_line,
    leftovers,
    remove_leftovers,
    write_atomically,
)

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
    with small_disk(1000), pytest.raises(OSError, match="too large") as caught:
        write_atomically(path, bytes(2000))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_are_the_temporary_files_of_a_killed_writer(tmp_path: Path) -> None:
    for name in (".file.123.tmp", "file.tmp", ".hidden", "file", ".cache.tmp", ".a.notes.tmp"):
        (tmp_path / name).touch()
    assert leftovers(tmp_path) == [tmp_path / ".file.123.tmp"]


def test_a_link_laid_beforehand_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic_files, "token_hex", lambda _: "known")
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (tmp_path / ".file.known.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"kept"


_WRITER = """
import os, sys, time
from pathlib import Path
from qrnn_circuits.atomic_files import write_atomically
os.fsync = lambda _: (print("written", flush=True), time.sleep(60))
write_atomically(Path(sys.argv[1]), b"half")
"""


def test_what_a_killed_writer_left_goes_with_the_next_write_and_a_living_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        write_atomically(path, b"new")
        remove_leftovers(tmp_path)
        assert len(leftovers(tmp_path)) == 1
        process.kill()
    write_atomically(tmp_path / "other", b"new")
    assert len(leftovers(tmp_path)) == 1
    write_atomically(path, b"newer")
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "other"]


def test_threads_that_write_one_file_at_once_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    failures: list[Exception] = []

    def write(number: int) -> None:
        try:
            for _ in range(50):
                write_atomically(path, bytes([number]) * 1000)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert path.read_bytes() in [bytes([number]) * 1000 for number in range(4)]
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_of_ours_is_not_removed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"kept")
    (tmp_path / ".file.1a.tmp").symlink_to(victim)
    (tmp_path / ".file.2b.tmp").mkdir()
    os.mkfifo(tmp_path / ".file.3c.tmp")
    remove_leftovers(tmp_path)
    assert len(leftovers(tmp_path)) == 3
    assert victim.read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("content", "kept"),
    [(b"", b""), (b"one\n", b"one\n"), (b"one\ntw", b"one\n"), (b"on", b""), (b"\n\0", b"\n")],
)
@pytest.mark.parametrize("mode", ["r+b", "a+b"])
def test_only_whole_lines_stay(tmp_path: Path, content: bytes, kept: bytes, mode: str) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    with path.open(mode) as file:
        cut_torn_line(cast(BinaryIO, file))
    assert path.read_bytes() == kept


def test_where_no_file_can_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    check_target(tmp_path / "page.html")
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent for page.html: make it first"):
        check_target(tmp_path / "absent" / "page.html")
    with pytest.raises(IsADirectoryError, match="is a folder: name a file"):
        check_target(tmp_path)
