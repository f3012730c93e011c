import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from qrnn_circuits.job_store import JobError, JobStore, JobStoreError
from tests.job_store.jobs import add


def test_reading_creates_no_file(store: JobStore) -> None:
    assert store.records() == []
    with pytest.raises(JobError, match="there is no job 'x'"):
        store.get("x")
    assert not store.path.parent.exists()


def test_a_file_that_is_no_database_is_an_error_and_stays(store: JobStore) -> None:
    store.path.parent.mkdir()
    store.path.write_text("notes\n" * 1000)
    for use in (lambda: add(store), store.records, lambda: store.get("x")):
        with pytest.raises(JobStoreError, match=r"jobs\.sqlite.*not a database"):
            use()
    assert store.path.read_text() == "notes\n" * 1000


@pytest.mark.parametrize(
    "statements", ["CREATE TABLE jobs (id TEXT)", "CREATE TABLE notes (text); DROP TABLE notes"]
)
def test_a_database_of_another_program_is_an_error_and_stays(
    statements: str, store: JobStore
) -> None:
    store.path.parent.mkdir()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.executescript(statements)
    before = store.path.read_bytes()
    for use in (lambda: add(store), store.records):
        with pytest.raises(JobStoreError, match="database of another program"):
            use()
    assert store.path.read_bytes() == before


def test_a_later_format_is_an_error(store: JobStore) -> None:
    add(store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JobStoreError, match="format 99"):
        store.records()


_COPIED = "ALTER TABLE jobs RENAME TO others; CREATE VIEW jobs AS "


@pytest.mark.parametrize(
    "change",
    [
        _COPIED + "SELECT * FROM others",
        _COPIED + "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
        "SELECT others.* FROM others, n",
        "CREATE TRIGGER t AFTER UPDATE ON jobs BEGIN DELETE FROM jobs; END",
        "ALTER TABLE jobs ADD COLUMN a AS (hex(zeroblob(400000000)))",
        "ALTER TABLE jobs DROP COLUMN seed",
        "DROP TABLE jobs",
        "CREATE TABLE others (id TEXT)",
    ],
)
def test_a_file_with_other_tables_views_or_triggers_is_an_error_and_stays(
    store: JobStore, change: str
) -> None:
    record = add(store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.executescript(change)
    before = store.path.read_bytes()
    for use in (
        store.records,
        lambda: store.get(record.id),
        lambda: add(store),
        lambda: store.finished(record.id, b"bits"),
    ):
        with pytest.raises(JobStoreError, match=r"has other tables .*another file in QRNN_JOBS"):
            use()
    assert store.path.read_bytes() == before


@pytest.mark.parametrize("command", ["ANALYZE", "VACUUM", "REINDEX"])
def test_what_maintains_a_file_of_jobs_leaves_it_one(store: JobStore, command: str) -> None:
    record = add(store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(command)
    assert store.records() == [record]
    assert len({record.id, add(store).id}) == len(store.records()) == 2


def test_a_damaged_file_is_an_error(store: JobStore) -> None:
    for _ in range(50):
        add(store, payload=os.urandom(2000))
    data = bytearray(store.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    store.path.write_bytes(bytes(data))
    with pytest.raises(JobStoreError, match="malformed"):
        store.records()


def test_a_damaged_name_that_sqlite_quotes_is_an_error(store: JobStore) -> None:
    add(store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = store.path.read_bytes()
    store.path.write_bytes(content.replace(b"tablejobsjobs", b"tablejob\xffjob\xff", 1))
    with pytest.raises(JobStoreError, match=r"malformed database schema \(job\\xff\); move it"):
        store.records()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JobStoreError, match="cannot"):
        add(JobStore(tmp_path / "file" / "jobs.sqlite"))
    with pytest.raises(JobStoreError, match="it is no file"):
        add(JobStore(tmp_path))


def test_a_place_that_cannot_be_reached_is_not_told_as_one_without_jobs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "unmounted" / "jobs.sqlite")
    for name in ("file/jobs.sqlite", "link"):
        store = JobStore(tmp_path / name)
        for use in (store.entries, lambda store=store: add(store)):
            with pytest.raises(JobStoreError, match="name another file in QRNN_JOBS"):
                use()


def test_a_full_disk_loses_the_new_job_only(
    store: JobStore, small_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    record = add(store)
    with small_disk(100_000), pytest.raises(JobStoreError):
        add(store, payload=os.urandom(1_000_000))
    assert store.records() == [record]


@pytest.mark.parametrize("content", [b"x", b"\0", b"xy", b"SQLite format 3", b"n" * 4096])
def test_a_file_of_another_kind_is_never_overwritten(store: JobStore, content: bytes) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(content)
    for use in (lambda: add(store), store.records, lambda: store.failed("x", "y")):
        with pytest.raises(JobStoreError, match="not a database"):
            use()
    assert store.path.read_bytes() == content
    assert list(store.path.parent.iterdir()) == [store.path]


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    store = JobStore(tmp_path / "pipe")
    for use in (lambda: add(store), store.records):
        with pytest.raises(JobStoreError, match="it is no file"):
            use()


def test_an_empty_file_holds_no_jobs_and_takes_them(store: JobStore) -> None:
    store.path.parent.mkdir()
    store.path.touch()
    assert store.records() == []
    assert store.path.stat().st_size == 0
    record = add(store)
    assert store.records() == [record]


def test_jobs_are_listed_on_a_full_disk(
    store: JobStore, small_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    record = add(store, payload=b"payload")
    for size in (0, 100, 10_000):
        with small_disk(size):
            assert store.records() == [record]
            assert store.payload(record.id) == b"payload"
            with pytest.raises(JobStoreError, match=r"cannot use .* name a file in QRNN"):
                add(store, payload=os.urandom(20_000))
    assert store.records() == [record]


@pytest.fixture
def read_only() -> Callable[[Path], AbstractContextManager[None]]:
    """Takes away the right to write in a folder; root keeps it, and is another user meanwhile."""

    @contextmanager
    def without_rights(folder: Path) -> Iterator[None]:
        root = os.geteuid() == 0
        modes = {path: path.stat().st_mode for path in (folder, *folder.iterdir())}
        for path in modes:
            path.chmod(0o555 if path == folder else 0o444)
        if root:
            os.seteuid(65534)
        try:
            yield
        finally:
            if root:
                os.seteuid(0)
            for path, mode in modes.items():
                path.chmod(mode)

    return without_rights


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, as pytest's are not."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_jobs_are_read_where_nothing_can_be_written(
    open_folder: Path, read_only: Callable[[Path], AbstractContextManager[None]]
) -> None:
    store = JobStore(open_folder / "jobs.sqlite")
    record = add(store, payload=b"payload")
    with read_only(open_folder):
        assert store.records() == [record]
        assert store.payload(record.id) == b"payload"
        for write in (lambda: add(store), lambda: store.finished(record.id, b"bits")):
            with pytest.raises(JobStoreError, match=r"readonly.*; name a file in QRNN_JOBS"):
                write()
    assert store.records() == [record]


def test_jobs_in_a_log_that_cannot_be_read_are_not_left_out(
    open_folder: Path,
    read_only: Callable[[Path], AbstractContextManager[None]],
    small_disk: Callable[[int], AbstractContextManager[None]],
) -> None:
    store = JobStore(open_folder / "jobs.sqlite")
    add(store)
    with closing(sqlite3.connect(store.path)) as reader:
        reader.execute("SELECT id FROM jobs").fetchall()
        add(store)
        copied = open_folder / "copied"
        copied.mkdir()
        for name in ("jobs.sqlite", "jobs.sqlite-wal"):
            (copied / name).write_bytes((open_folder / name).read_bytes())
    with read_only(copied), pytest.raises(JobStoreError, match=r"jobs\.sqlite-wal.* copy both"):
        JobStore(copied / "jobs.sqlite").records()
    link = open_folder / "link.sqlite"
    link.symlink_to(copied / "jobs.sqlite")
    with read_only(copied), pytest.raises(JobStoreError, match=r"jobs\.sqlite-wal.* copy both"):
        JobStore(link).records()
    with small_disk(0):
        assert len(JobStore(copied / "jobs.sqlite").records()) == 2


def test_only_their_owner_can_read_jobs(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = JobStore(tmp_path / "data" / "folder" / "jobs.sqlite")
        add(store)
        with closing(sqlite3.connect(store.path)) as reader:
            # Keeps the files of the log.
            reader.execute("SELECT id FROM jobs").fetchall()
            add(store)
            modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(["jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"], 0o600)
    for folder in (store.path.parent, store.path.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_an_empty_file_that_all_can_read_becomes_its_owners_alone(store: JobStore) -> None:
    store.path.parent.mkdir()
    store.path.touch()
    store.path.chmod(0o644)
    add(store)
    assert store.path.stat().st_mode & 0o777 == 0o600
    # What a user opens later on purpose stays so.
    store.path.chmod(0o640)
    add(store)
    assert store.path.stat().st_mode & 0o777 == 0o640


def test_a_file_whose_first_writer_was_killed_takes_jobs(store: JobStore) -> None:
    store.path.parent.mkdir()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert store.path.stat().st_size > 0
    assert store.records() == []
    record = add(store)
    assert store.records() == [record]


_HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(0.5)
connection.execute("COMMIT")
"""


def test_a_first_writer_waits_for_a_process_that_holds_the_empty_file(store: JobStore) -> None:
    store.path.parent.mkdir()
    store.path.touch()
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, store.path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        # SQLite itself does not wait to change the mode of the log.
        record = add(store)
    assert store.records() == [record]
