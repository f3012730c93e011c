"""The record of submitted jobs: one SQLite file, which many processes read and write at once."""

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

_APPLICATION_ID = 0x71726E6E  # "qrnn", in the file's header
_SCHEMA_VERSION = 1
_BUSY_SECONDS = 30.0

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


class JobError(Exception):
    """A job that cannot give results: it failed, or is not to be found."""


class JobStoreError(JobError):
    """The file of recorded jobs cannot be read or written."""


class JobPendingError(JobError):
    """A job has no results yet."""


class JobStatus(StrEnum):
    """How far a job has come, as far as the file knows."""

    RECORDED = "recorded"
    """On disk; whether the service has received it is not known."""
    SUBMITTED = "submitted"
    """Received by the service, or for a local chip ready to be simulated."""
    DONE = "done"
    """Results are on disk."""
    FAILED = "failed"
    """It ended without results, or was refused."""


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """What is known of one job.

    A new one gets its id, the time and the first status by itself.

    Attributes:
        device: Name of the PennyLane device.
        backend: Name of the chip.
        mode: ``"job"``, ``"batch"`` or ``"session"``.
        circuits: Number of circuits with their parameter values.
        shots: Shots of all circuits together.
        circuit_hash: Of the circuits, their values and their shots: equal for equal work.
        usage: Estimated seconds of the chip's time; None where it is not known.
        seed: Of a local simulation; None for a job of the service.
        context: Whatever the caller wanted to find again with the results: a JSON object.
        id: Our name of it.
        created: Time of the submission, UTC, in ISO format.
        status: How far it has come.
        service_job: The service's name of the job, once it is known.
        error: Why it failed, or what went wrong last.
    """

    device: str
    backend: str
    mode: str
    circuits: int
    shots: int
    circuit_hash: str
    usage: float | None = None
    seed: int | None = None
    context: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    created: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds")
    )
    status: JobStatus = JobStatus.RECORDED
    service_job: str | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields as a dictionary of plain values."""
        return asdict(self) | {"status": self.status.value}


_FIELDS = tuple(each.name for each in fields(JobRecord))


def default_path() -> Path:
    """Where jobs are recorded: ``$QRNN_JOBS``, or a file in the user's data folder."""
    if path := os.environ.get("QRNN_JOBS"):
        return Path(path)
    import platformdirs

    return platformdirs.user_data_path("qrnn-circuits") / "jobs.sqlite"


class JobStore:
    """Jobs on disk. Every method is one transaction: it has happened wholly or not at all.

    The file is created with the first job. A store holds no open connection, so it can be shared
    by threads and processes.

    Args:
        path: The file; by default :func:`default_path`.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = default_path() if path is None else Path(path)

    def add(
        self, record: JobRecord, program: Mapping[str, Any], payload: bytes | None = None
    ) -> JobRecord:
        """Records a new job; it is on disk when this returns.

        Args:
            record: The job.
            program: How the device turns bits into results: a JSON object.
            payload: What the device needs to run the job later.

        Returns:
            The record.

        Raises:
            JobStoreError: If the file cannot be written or is not ours.
            TypeError: If the record's context or ``program`` is no JSON object.
        """
        row = record.to_json() | {
            "context": _to_text("context", record.context),
            "program": _to_text("program", dict(program)),
            "payload": payload,
        }
        names = ", ".join(row)
        places = ", ".join(f":{name}" for name in row)
        with self._writing() as connection:
            connection.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", row)
        return record

    def records(self) -> list[JobRecord]:
        """All jobs, the latest first.

        Raises:
            JobStoreError: If the file cannot be read or is not ours.
        """
        if not self.path.exists():
            return []
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(_FIELDS)} FROM jobs ORDER BY created DESC, rowid DESC"
            ).fetchall()
        return [_record(row) for row in rows]

    def get(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        return _record(self._row(job_id, *_FIELDS))

    def program(self, job_id: str) -> dict[str, Any]:
        """How the device turns a job's bits into results.

        Raises:
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        (text,) = self._row(job_id, "program")
        program: dict[str, Any] = json.loads(text)
        return program

    def payload(self, job_id: str) -> bytes | None:
        """What the device needs to run a job.

        Raises:
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        (payload,) = self._row(job_id, "payload")
        return payload if payload is None else bytes(payload)

    def bits(self, job_id: str) -> bytes | None:
        """What a job gave, as the device packed it; None before it is done.

        Raises:
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        (bits,) = self._row(job_id, "bits")
        return bits if bits is None else bytes(bits)

    def submitted(self, job_id: str, service_job: str | None = None) -> None:
        """Notes that a job can be fetched, with the service's name of it."""
        self._update(job_id, status=JobStatus.SUBMITTED, service_job=service_job, error=None)

    def finished(self, job_id: str, bits: bytes) -> None:
        """Keeps what a job gave, unless another process was first."""
        self._update(job_id, status=JobStatus.DONE, bits=bits, error=None)

    def failed(self, job_id: str, reason: str) -> None:
        """Notes why a job will give no results."""
        self._update(job_id, status=JobStatus.FAILED, error=reason)

    def troubled(self, job_id: str, reason: str) -> None:
        """Notes what went wrong with a job that may still give results."""
        self._update(job_id, error=reason)

    def _update(self, job_id: str, **values: str | bytes | None) -> None:
        """Changes a job that is not done: what is done stays as it is."""
        changes = ", ".join(f"{name} = :{name}" for name in values)
        with self._writing() as connection:
            connection.execute(
                f"UPDATE jobs SET {changes} WHERE id = :id AND status != :done",
                values | {"id": job_id, "done": JobStatus.DONE},
            )

    def _row(self, job_id: str, *columns: str) -> tuple[Any, ...]:
        row = None
        if self.path.exists():
            with self._connection() as connection:
                row = connection.execute(
                    f"SELECT {', '.join(columns)} FROM jobs WHERE id = ?", (job_id,)
                ).fetchone()
        if row is None:
            raise JobError(f"there is no job {job_id!r} in {self.path}; `qrnn jobs` lists all")
        return tuple(row)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobStoreError(f"cannot record jobs in {self.path}: {error}") from error
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            with closing(connection):
                # A committed job is to survive a power cut as well.
                connection.execute("PRAGMA synchronous = FULL")
                self._check(connection)
                yield connection
        except sqlite3.DatabaseError as error:
            raise JobStoreError(f"cannot use {self.path} as the file of jobs: {error}") from error

    def _check(self, connection: sqlite3.Connection) -> None:
        """Makes sure that the file holds jobs; an empty one is set up."""
        if _mark(connection) == (0, 0) and not _tables(connection):
            _set_wal_mode(connection)
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have been first.
            if not _tables(connection):
                connection.execute(_SCHEMA)
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            connection.execute("COMMIT")
        application, version = _mark(connection)
        if application != _APPLICATION_ID:
            raise JobStoreError(f"{self.path} is a database of another program, not a file of jobs")
        if version != _SCHEMA_VERSION:
            raise JobStoreError(
                f"{self.path} holds jobs in format {version}; this version of qrnn-circuits reads "
                f"format {_SCHEMA_VERSION}"
            )


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


def _record(row: tuple[Any, ...]) -> JobRecord:
    values = dict(zip(_FIELDS, row, strict=True))
    values["status"] = JobStatus(values["status"])
    values["context"] = json.loads(values["context"])
    return JobRecord(**values)


def _to_text(name: str, value: dict[str, Any]) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a JSON object: {error}") from error
