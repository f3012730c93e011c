"""The record of submitted jobs: one SQLite file, which many processes read and write at once."""

from qrnn_circuits.job_store.records import (
    DamagedRecord,
    JobDamagedError,
    JobError,
    JobPendingError,
    JobRecord,
    JobStatus,
    JobStoreError,
)
from qrnn_circuits.job_store.store import JobStore, default_path

__all__ = [
    "DamagedRecord",
    "JobDamagedError",
    "JobError",
    "JobPendingError",
    "JobRecord",
    "JobStatus",
    "JobStore",
    "JobStoreError",
    "default_path",
]
