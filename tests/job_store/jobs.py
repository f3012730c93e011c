"""A job to be recorded, and to be damaged."""

import sqlite3
from contextlib import closing

from qrnn_circuits.job_store import JobRecord, JobStore


def add(store: JobStore, payload: bytes | None = None, **changes: object) -> JobRecord:
    values: dict[str, object] = {
        "device": "qrnn.ibm",
        "backend": "fake_fez",
        "mode": "job",
        "circuits": 2,
        "shots": 200,
        "circuit_hash": "0" * 32,
    }
    record = JobRecord(**(values | changes))  # type: ignore[arg-type]
    return store.add(record, {"readouts": []}, payload)


def damage(store: JobStore, job: str, column: str, value: object) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, job))
        connection.commit()
