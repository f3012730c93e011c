"""Jobs on disk, which any process finds again."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qrnn_circuits.bounded_readers.files import full_path
from qrnn_circuits.job_store.database import Database
from qrnn_circuits.job_store.records import (
    FIELDS,
    DamagedRecord,
    JobDamagedError,
    JobError,
    JobRecord,
    JobStatus,
    check_values,
    is_text,
    open_bytes,
    open_json,
    printable,
    seal_bytes,
    seal_json,
    to_entry,
)


def default_path() -> Path:
    """Where jobs are recorded: ``$QRNN_JOBS``, or a file in the user's data folder."""
    if path := os.environ.get("QRNN_JOBS"):
        return full_path(path)
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
        self._database = Database(self.path)

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
            ValueError: If a field of the record is of another type or out of range.
        """
        row = record.to_json() | {
            "context": seal_json("context", record.context),
            "program": seal_json("program", dict(program)),
            "payload": None if payload is None else seal_bytes(payload),
        }
        check_values(row)
        names = ", ".join(row)
        places = ", ".join(f":{name}" for name in row)
        with self._database.writing() as connection:
            connection.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", row)
        return record

    def records(self) -> list[JobRecord]:
        """All jobs that can be read, the latest first.

        Raises:
            JobStoreError: If the file cannot be read or is not ours.
        """
        return [entry for entry in self.entries() if isinstance(entry, JobRecord)]

    def entries(self) -> list[JobRecord | DamagedRecord]:
        """All jobs, the latest first, and in their places those that are damaged.

        Raises:
            JobStoreError: If the file cannot be read or is not ours.
        """
        columns = ", ".join(FIELDS)
        rows = self._database.read(f"SELECT {columns} FROM jobs ORDER BY created DESC, rowid DESC")
        return [to_entry(row) for row in rows]

    def get(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            JobDamagedError: If it is not as it was written.
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        entry = to_entry(self._row(job_id, *FIELDS))
        if isinstance(entry, DamagedRecord):
            raise self._damaged(job_id, entry.reason)
        return entry

    def program(self, job_id: str) -> dict[str, Any]:
        """How the device turns a job's bits into results.

        Raises:
            JobDamagedError: If it is not as it was written.
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        (text,) = self._row(job_id, "program")
        try:
            return open_json("program", text)
        except ValueError as error:
            raise self._damaged(job_id, error) from None

    def payload(self, job_id: str) -> bytes | None:
        """What the device needs to run a job.

        Raises:
            JobDamagedError: If it is not as it was written.
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        return self._bytes(job_id, "payload")

    def bits(self, job_id: str) -> bytes | None:
        """What a job gave, as the device packed it; None before it is done.

        Raises:
            JobDamagedError: If it is not as it was written.
            JobError: If there is no such job.
            JobStoreError: If the file cannot be read or is not ours.
        """
        return self._bytes(job_id, "bits")

    def submitted(self, job_id: str, service_job: str | None = None) -> None:
        """Notes that a job can be fetched, with the service's name of it."""
        self._update(job_id, status=JobStatus.SUBMITTED, service_job=service_job, error=None)

    def finished(self, job_id: str, bits: bytes) -> None:
        """Keeps what a job gave, unless another process was first."""
        self._update(job_id, status=JobStatus.DONE, bits=seal_bytes(bits), error=None)

    def failed(self, job_id: str, reason: str) -> None:
        """Notes why a job will give no results."""
        self._update(job_id, status=JobStatus.FAILED, error=printable(reason))

    def cancelled(self, job_id: str) -> None:
        """Notes that a job was taken back."""
        self._update(job_id, status=JobStatus.CANCELLED, error=None)

    def troubled(self, job_id: str, reason: str) -> None:
        """Notes what went wrong with a job that may still give results."""
        self._update(job_id, error=printable(reason))

    def _update(self, job_id: str, **values: str | bytes | None) -> None:
        """Changes a job that is not done: what is done stays as it is."""
        changes = ", ".join(f"{name} = :{name}" for name in values)
        with self._database.writing() as connection:
            connection.execute(
                f"UPDATE jobs SET {changes} WHERE id = :id AND status != :done",
                values | {"id": job_id, "done": JobStatus.DONE},
            )

    def _bytes(self, job_id: str, column: str) -> bytes | None:
        (value,) = self._row(job_id, column)
        try:
            return None if value is None else open_bytes(column, value)
        except ValueError as error:
            raise self._damaged(job_id, error) from None

    def _damaged(self, job_id: str, reason: object) -> JobDamagedError:
        return JobDamagedError(f"job {job_id} is damaged in {self.path}: {reason}")

    def _row(self, job_id: str, *columns: str) -> tuple[Any, ...]:
        if not isinstance(job_id, str):
            raise TypeError(f"job_id must be text, as `qrnn jobs` lists it, got {job_id!r}")
        rows = []
        if is_text(job_id):
            rows = self._database.read(
                f"SELECT {', '.join(columns)} FROM jobs WHERE id = ?", job_id
            )
        if not rows:
            raise JobError(f"there is no job {job_id!r} in {self.path}; `qrnn jobs` lists all")
        return rows[0]
