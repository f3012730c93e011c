"""The SQLite file of jobs: set up by the first writer, and never taken from another program."""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from qrnn_circuits.job_store.records import JobStoreError

_APPLICATION_ID = 0x71726E6E  # "qrnn", in the file's header
_SCHEMA_VERSION = 2
_BUSY_SECONDS = 30.0
_WAY_OUT = "move it elsewhere, or name another file in QRNN_JOBS"
_NOT_WRITTEN = "; name a file in QRNN_JOBS that can be written, such as a copy of this one"

_SCHEMA = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    created TEXT NOT NULL,
    device TEXT NOT NULL,
    backend TEXT NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    circuits INTEGER NOT NULL,
    shots INTEGER NOT NULL,
    circuit_hash TEXT NOT NULL,
    usage REAL,
    seed INTEGER,
    service_job TEXT,
    error TEXT,
    context TEXT NOT NULL,
    program TEXT NOT NULL,
    payload BLOB,
    bits BLOB
)
"""
# Views, triggers and computed columns are programs, which may not end or remove what is read. What
# ANALYZE of SQLite adds is none.
_IS_OURS = """
SELECT type = 'table' AND name = 'jobs' AND sql = ? FROM sqlite_master
WHERE sql IS NOT NULL AND sql NOT IN (
    'CREATE TABLE sqlite_stat1(tbl,idx,stat)',
    'CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)'
) LIMIT 2
"""


class Database:
    """Transactions in the file of jobs. It holds no open connection.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """The rows that a query selects; none where nothing was written yet.

        Raises:
            JobStoreError: If the file cannot be read or is not ours.
        """
        if not self._holds_data():
            return []
        try:
            return self._selected(query, values)
        except JobStoreError as error:
            if not _lacks_files(error.__cause__):
                raise
        try:
            # Without the file through which processes share the index of the log.
            return self._selected(query, values, alone=True)
        except JobStoreError as error:
            if not _lacks_files(error.__cause__):
                raise
            # SQLite keeps it beside the file that a link leads to.
            log = Path(f"{self.path.resolve()}-wal")
            if log.exists() and log.stat().st_size > 0:
                raise JobStoreError(
                    f"{error}: its latest jobs are in {log.name}, which is read only where files "
                    f"can be written; copy both from {log.parent} there, and name the copy in "
                    "QRNN_JOBS"
                ) from error
        # Where no file can be written, this one does not change.
        return self._selected(query, values, access="immutable=1", unwritten=f"; {_WAY_OUT}")

    def _selected(
        self,
        query: str,
        values: tuple[str, ...],
        *,
        access: str = "mode=rw",
        alone: bool = False,
        unwritten: str = "",
    ) -> list[tuple[Any, ...]]:
        with self._connection(access, alone=alone, unwritten=unwritten) as connection:
            if _is_new(connection):
                return []
            self._check(connection)
            return connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, which is on disk when the context ends without an error.

        Raises:
            JobStoreError: If the file cannot be written or is not ours.
        """
        try:
            _make_folder(self.path.parent)
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise JobStoreError(
                f"cannot record jobs in {self.path}: {error}; name another file in QRNN_JOBS"
            ) from error
        self._holds_data()
        with self._connection(unwritten=_NOT_WRITTEN) as connection:
            if _is_new(connection):
                # One that was there already may be readable by all.
                with suppress(OSError):
                    self.path.chmod(0o600)
                _set_up(connection)
            self._check(connection)
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _holds_data(self) -> bool:
        """Whether there is anything in the file, which SQLite may then open.

        SQLite takes a file of one byte for an empty one, and waits for what is no file. The file is
        not opened here: to close it would drop the locks of other threads.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            # To say that there are no jobs would hide those on a disk that is not mounted.
            if self.path.is_symlink():
                place = self.path.readlink()
                raise self._unusable(
                    f"it is a link to {place}, where there is no file; {_WAY_OUT}"
                ) from None
            return False
        except OSError as error:
            raise self._unusable(f"{error}; {_WAY_OUT}") from error
        if not stat.S_ISREG(found.st_mode):
            raise self._unusable(f"it is no file; {_WAY_OUT}")
        if found.st_size == 1:
            raise self._unusable(f"file is not a database; {_WAY_OUT}")
        return found.st_size > 0

    def _unusable(self, reason: str) -> JobStoreError:
        return JobStoreError(f"cannot use {self.path} as the file of jobs: {reason}")

    @contextmanager
    def _connection(
        self, access: str = "mode=rw", *, alone: bool = False, unwritten: str = ""
    ) -> Iterator[sqlite3.Connection]:
        """A connection; what is told besides where it cannot write is the caller's."""
        try:
            # Creates no file.
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{access}",
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                uri=True,
            )
            with closing(connection):
                connection.text_factory = _to_string
                if alone:
                    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                # A committed job is to survive a power cut as well.
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
        except sqlite3.Error as error:
            way_out = unwritten if _lacks_files(error) else _way_out(error)
            raise self._unusable(f"{error}{way_out}") from error
        except UnicodeDecodeError as error:  # SQLite quotes what a damaged file has for a name.
            reason = error.object.decode(errors="backslashreplace")
            raise self._unusable(f"{reason}; {_WAY_OUT}") from error

    def _check(self, connection: sqlite3.Connection) -> None:
        """Makes sure that the file holds jobs."""
        application, version = _mark(connection)
        if application != _APPLICATION_ID:
            raise JobStoreError(
                f"{self.path} is a database of another program, not a file of jobs: {_WAY_OUT}"
            )
        if version != _SCHEMA_VERSION:
            raise JobStoreError(
                f"{self.path} holds jobs in format {version}; this version of qrnn-circuits reads "
                f"format {_SCHEMA_VERSION}: {_WAY_OUT}"
            )
        if connection.execute(_IS_OURS, (_SCHEMA.strip(),)).fetchall() != [(1,)]:
            raise JobStoreError(
                f"{self.path} has other tables than a file of jobs, which another program has "
                f"changed: {_WAY_OUT}"
            )


def _way_out(error: sqlite3.Error) -> str:
    """What to do about a file that is held by others, or is none of ours."""
    if _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "; try again when the process that uses it has ended"
    return f"; {_WAY_OUT}"


def _code(error: BaseException | None) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _lacks_files(error: BaseException | None) -> bool:
    """Whether SQLite may not have been able to make files of its own, for room or for a right."""
    return _code(error) in (
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    )


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, for their owner alone."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether a database has never held anything, by any program."""
    (changes,) = connection.execute("PRAGMA schema_version").fetchone()
    return _mark(connection) == (0, 0) and changes == 0


def _set_up(connection: sqlite3.Connection) -> None:
    _set_wal_mode(connection)
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have been first.
    if not _tables(connection):
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _mark(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _tables(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT name FROM sqlite_master").fetchall()


def _set_wal_mode(connection: sqlite3.Connection) -> None:
    """Lets readers and a writer work at once; SQLite does not wait for a busy file by itself."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _to_string(data: bytes) -> str:
    """Text of the file, with marks for bytes that are none."""
    return data.decode(errors="surrogateescape")
