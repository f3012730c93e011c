import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from qrnn_circuits import job_store as module
from qrnn_circuits.job_store import (
    JobError,
    JobRecord,
    JobStatus,
    JobStore,
    JobStoreError,
    default_path,
)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "folder" / "jobs.sqlite")


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


def test_what_is_added_is_found_by_another_store(store: JobStore) -> None:
    record = add(store, payload=b"\x00\xff", usage=2.5, seed=7, context={"task": "xor"})
    found = JobStore(store.path)
    assert found.get(record.id) == record
    assert found.records() == [record]
    assert found.payload(record.id) == b"\x00\xff"
    assert found.program(record.id) == {"readouts": []}
    assert found.bits(record.id) is None
    assert record.status is JobStatus.RECORDED
    assert json.loads(json.dumps(record.to_json()))["status"] == "recorded"


def test_the_latest_job_comes_first(store: JobStore) -> None:
    ids = [add(store).id for _ in range(5)]
    assert [record.id for record in store.records()] == ids[::-1]


def test_a_job_goes_from_recorded_to_done(store: JobStore) -> None:
    job = add(store).id
    store.troubled(job, "the line is dead")
    assert store.get(job).error == "the line is dead"
    store.submitted(job, "abc")
    record = store.get(job)
    assert (record.status, record.service_job, record.error) == (JobStatus.SUBMITTED, "abc", None)
    store.finished(job, b"bits")
    assert store.get(job).status is JobStatus.DONE
    assert store.bits(job) == b"bits"


def test_what_is_done_stays_as_it_is(store: JobStore) -> None:
    job = add(store).id
    store.submitted(job, "abc")
    store.finished(job, b"first")
    before = store.get(job)
    store.finished(job, b"second")
    store.failed(job, "too late")
    store.submitted(job, "other")
    assert store.get(job) == before
    assert store.bits(job) == b"first"


def test_a_failed_job_keeps_the_reason(store: JobStore) -> None:
    job = add(store).id
    store.failed(job, "the chip is on fire")
    record = store.get(job)
    assert (record.status, record.error) == (JobStatus.FAILED, "the chip is on fire")


def test_reading_creates_no_file(store: JobStore) -> None:
    assert store.records() == []
    with pytest.raises(JobError, match="there is no job 'x'"):
        store.get("x")
    assert not store.path.parent.exists()


def test_an_unknown_job_is_an_error(store: JobStore) -> None:
    add(store)
    for read in (store.get, store.program, store.payload, store.bits):
        with pytest.raises(JobError, match="there is no job 'x'"):
            read("x")


def test_a_file_that_is_no_database_is_an_error_and_stays(store: JobStore) -> None:
    store.path.parent.mkdir()
    store.path.write_text("notes\n" * 1000)
    for use in (lambda: add(store), store.records, lambda: store.get("x")):
        with pytest.raises(JobStoreError, match=r"jobs\.sqlite.*not a database"):
            use()
    assert store.path.read_text() == "notes\n" * 1000


def test_a_database_of_another_program_is_an_error_and_stays(store: JobStore) -> None:
    store.path.parent.mkdir()
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("CREATE TABLE jobs (id TEXT)")
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


def test_a_damaged_file_is_an_error(store: JobStore) -> None:
    for _ in range(50):
        add(store, payload=os.urandom(2000))
    data = bytearray(store.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    store.path.write_bytes(bytes(data))
    with pytest.raises(JobStoreError, match="malformed"):
        store.records()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JobStoreError, match="cannot"):
        add(JobStore(tmp_path / "file" / "jobs.sqlite"))
    with pytest.raises(JobStoreError, match="unable to open"):
        add(JobStore(tmp_path))


def test_a_full_disk_loses_the_new_job_only(
    store: JobStore, small_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    record = add(store)
    with small_disk(100_000), pytest.raises(JobStoreError):
        add(store, payload=os.urandom(1_000_000))
    assert store.records() == [record]


def test_context_must_be_json(store: JobStore) -> None:
    for context in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(TypeError, match="context must be a JSON object"):
            add(store, context=context)


def test_the_path_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "here"))
    assert JobStore().path == tmp_path / "here"
    monkeypatch.delenv("QRNN_JOBS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path().name == "jobs.sqlite"
    assert default_path().parent.name == "qrnn-circuits"


# The module alone: the package imports torch, and slow starts would keep the writers apart.
_WRITER = """
import sys
sys.path.append(sys.argv[4])
from job_store import JobRecord, JobStore
store = JobStore(sys.argv[1])
for number in range(int(sys.argv[3])):
    job = JobRecord(device="qrnn.ibm", backend="fake_fez", mode="job", circuits=1, shots=1,
                    circuit_hash="", context={"name": sys.argv[2], "number": number})
    store.add(job, {})
    store.submitted(job.id, f"{sys.argv[2]}{number}")
    store.finished(job.id, job.id.encode())
    store.records()
"""


def test_processes_that_write_at_once_lose_nothing(store: JobStore) -> None:
    jobs = 40
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                _WRITER,
                store.path,
                name,
                str(jobs),
                Path(module.__file__).parent,
            ]
        )
        for name in "ab"
    ]
    assert [process.wait() for process in processes] == [0, 0]
    records = store.records()
    assert sorted((record.context["name"], record.context["number"]) for record in records) == [
        (name, number) for name in "ab" for number in range(jobs)
    ]
    for record in records:
        assert record.status is JobStatus.DONE
        assert record.service_job == f"{record.context['name']}{record.context['number']}"
        assert store.bits(record.id) == record.id.encode()
