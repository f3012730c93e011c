"""What is known of a job, and the checks by which a damaged record is told from a right one."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import uuid4

from qrnn_circuits.bounded_readers.files import check_nesting, parse_json
from qrnn_circuits.checks import cut

# Surrogates, which stand for bytes that are no text, and zeros, at which C ends texts.
_NO_TEXT = re.compile("[\ud800-\udfff\0]")
_SHOWN = 60
# Characters of a text, many times what a service says or calls its jobs.
_LONGEST_TEXT = 2**18


class JobError(Exception):
    """A job that cannot give results: it failed, or is not to be found."""


class JobStoreError(JobError):
    """The file of recorded jobs cannot be read or written."""


class JobDamagedError(JobError):
    """What is recorded of a job is not what was written."""


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
    CANCELLED = "cancelled"
    """It was taken back before it gave results."""


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
        service_job: The service's name of the job, once it is known; of several jobs their names,
            with spaces between them.
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


FIELDS = tuple(each.name for each in fields(JobRecord))
"""The columns of the file that hold a record."""
_OPTIONAL = ("usage", "seed", "service_job", "error")


@dataclass(frozen=True)
class DamagedRecord:
    """A row of the file that is no job.

    Attributes:
        id: Its name, as far as it can be read.
        reason: What is wrong with it.
    """

    id: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """The fields as a dictionary of plain values."""
        return {"id": self.id, "damaged": self.reason}


def to_entry(row: tuple[Any, ...]) -> JobRecord | DamagedRecord:
    """The job of a row of the file, or what is wrong with the row.

    Args:
        row: Values in the order of ``FIELDS``.
    """
    values = dict(zip(FIELDS, row, strict=True))
    try:
        check_values(values)
        values["status"] = JobStatus(values["status"])
        values["context"] = open_json("context", values["context"])
    except ValueError as error:
        name = values["id"]
        readable = is_text(name) and len(name) <= _SHOWN
        return DamagedRecord(name if readable else shown(name), str(error))
    return JobRecord(**values)


def check_values(values: Mapping[str, Any]) -> None:
    """Raises ValueError where a value is none of its field, whoever gave it."""
    for name in FIELDS:
        value = values[name]
        if name in _OPTIONAL and value is None:
            continue
        if name in ("circuits", "shots", "seed"):
            accepted = "an integer from 0 to 2**63 - 1"
            right = type(value) is int and 0 <= value < 2**63
        elif name == "usage":
            accepted = "a number of seconds, at least 0"
            right = type(value) in (int, float) and 0 <= value < math.inf
        elif name == "status":
            accepted = f"one of {', '.join(JobStatus)}"
            right = value in tuple(JobStatus)
        elif name == "created":
            accepted, right = "a time in ISO format", _is_time(value)
        else:
            # What the record holds as JSON has no limit.
            accepted = f"text of at most {_LONGEST_TEXT:,} characters"
            right = is_text(value) and (name == "context" or len(value) <= _LONGEST_TEXT)
        if not right:
            raise ValueError(f"{name} must be {accepted}, got {shown(value)}")


def is_text(value: object) -> bool:
    """Whether a value is text that can be kept and printed."""
    return isinstance(value, str) and not _NO_TEXT.search(value)


def _is_time(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value)).astimezone()
    except (ValueError, OverflowError, OSError):
        return False
    return isinstance(value, str)


def printable(reason: str) -> str:
    """A text of someone else, as it can be kept and shown."""
    text = reason.replace("\0", "\\0").encode(errors="backslashreplace").decode()
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


def shown(value: object) -> str:
    """The beginning of a value, printable."""
    return cut(ascii(value), _SHOWN)


def seal_json(name: str, value: dict[str, Any]) -> str:
    """A JSON object as text, behind its hash.

    Raises:
        TypeError: If it is none.
    """
    try:
        check_nesting(name, value, bits=None)
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} must be a JSON object: {error}") from error
    return f"{sha256(text.encode()).hexdigest()} {text}"


def open_json(name: str, sealed: object) -> dict[str, Any]:
    """Reads what :func:`seal_json` gave.

    Raises:
        ValueError: If it is something else.
    """
    if is_text(sealed):
        digest, _, text = str(sealed).partition(" ")
        if digest == sha256(text.encode()).hexdigest():
            value = parse_json(name, text, bits=None)
            if isinstance(value, dict):
                return value
    raise ValueError(f"{name} must be as it was written, got {shown(sealed)}")


def seal_bytes(data: bytes) -> bytes:
    """Bytes behind their hash."""
    return sha256(data).digest() + data


def open_bytes(name: str, sealed: object) -> bytes:
    """Reads what :func:`seal_bytes` gave.

    Raises:
        ValueError: If it is something else.
    """
    size = sha256().digest_size
    if isinstance(sealed, bytes) and sealed[:size] == sha256(sealed[size:]).digest():
        return sealed[size:]
    raise ValueError(f"{name} must be as it was written, got {shown(sealed)}")
