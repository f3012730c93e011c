import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from qrnn_circuits.job_store import (
    DamagedRecord,
    JobDamagedError,
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
    with pytest.raises(JobStoreError, match="it is no file"):
        add(JobStore(tmp_path))


def test_a_full_disk_loses_the_new_job_only(
    store: JobStore, small_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    record = add(store)
    with small_disk(100_000), pytest.raises(JobStoreError):
        add(store, payload=os.urandom(1_000_000))
    assert store.records() == [record]


def change(store: JobStore, job: str, column: str, value: object) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, job))
        connection.commit()


DAMAGE = [
    ("context", "{"),
    ("context", "[1]"),
    ("context", '{"a": NaN}'),
    ("context", "[" * 100_000),
    ("context", b"\xff\xfe"),
    ("context", '{"plan": 5}'),
    ("status", "well"),
    ("status", 5),
    ("created", "yesterday"),
    ("created", "0001-01-01T00:00:00+14:00"),
    ("created", b"2026-01-01"),
    ("shots", "many"),
    ("shots", -1),
    ("shots", 2.5),
    ("circuits", b"\x00"),
    ("usage", "long"),
    ("usage", float("inf")),
    ("seed", "x"),
    ("device", b"\xff"),
    ("backend", "fake\0fez"),
    ("mode", b""),
    ("circuit_hash", b"1"),
    ("service_job", b"1"),
    ("error", b"\xff"),
]


@pytest.mark.parametrize(("column", "value"), DAMAGE)
def test_a_damaged_row_hides_no_other_and_says_what_is_damaged(
    store: JobStore, column: str, value: object
) -> None:
    first, job, last = add(store), add(store).id, add(store)
    change(store, job, column, value)
    (damaged,) = [entry for entry in store.entries() if isinstance(entry, DamagedRecord)]
    assert damaged.id == job
    assert damaged.reason.startswith(f"{column} must be ")
    assert len(damaged.reason) < 200
    assert store.records() == [last, first]
    with pytest.raises(JobDamagedError, match=f"job {job} is damaged in .*: {column} must be "):
        store.get(job)


@pytest.mark.parametrize("value", [None, b"\xff\x00", "a\0b"])
def test_a_job_whose_id_is_no_text_hides_no_other(store: JobStore, value: object) -> None:
    job, other = add(store).id, add(store)
    change(store, job, "id", value)
    assert store.records() == [other]
    (damaged,) = [entry for entry in store.entries() if isinstance(entry, DamagedRecord)]
    assert damaged.id.isprintable()


def test_text_that_is_no_unicode_is_damage(store: JobStore) -> None:
    job, other = add(store).id, add(store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE jobs SET backend = CAST(x'66ff' AS TEXT) WHERE id = ?", (job,))
        connection.commit()
    assert store.records() == [other]


@pytest.mark.parametrize("value", ["{", "[]", b"{}", "[" * 100_000, "{}", ""])
def test_a_damaged_program_is_one_clear_error(store: JobStore, value: object) -> None:
    job = add(store).id
    change(store, job, "program", value)
    with pytest.raises(
        JobDamagedError, match=f"job {job} is damaged .*program must be as it was written"
    ):
        store.program(job)


@pytest.mark.parametrize("column", ["payload", "bits"])
def test_damaged_bytes_are_one_clear_error(store: JobStore, column: str) -> None:
    job = add(store, payload=b"payload" * 10).id
    store.finished(job, b"bits" * 20)
    read = getattr(store, column)
    with closing(sqlite3.connect(store.path)) as connection:
        (sealed,) = connection.execute(f"SELECT {column} FROM jobs").fetchone()
    flipped = bytes([*sealed[:50], sealed[50] ^ 1, *sealed[51:]])
    for value in ("text", 5, b"", b"x", sealed[:-1], sealed + b"\0", flipped):
        change(store, job, column, value)
        with pytest.raises(JobDamagedError, match=f"job {job} is damaged .*{column} must be as it"):
            read(job)
    assert store.get(job).status is JobStatus.DONE


@pytest.mark.parametrize("job", [5, None, b"abc", 2**70, ["a"]])
def test_an_id_that_is_no_text_is_refused(store: JobStore, job: object) -> None:
    add(store)
    for read in (store.get, store.program, store.payload, store.bits):
        with pytest.raises(TypeError, match=r"job_id must be text, .* got "):
            read(job)  # type: ignore[arg-type]


@pytest.mark.parametrize("job", ["\udcff", "a\0b", "'", "", "[bold]"])
def test_an_id_of_strange_text_is_unknown(store: JobStore, job: str) -> None:
    add(store)
    with pytest.raises(JobError, match="there is no job") as caught:
        store.get(job)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "change", [{"shots": 2**63}, {"seed": -1}, {"created": "now"}, {"backend": "\udcff"}]
)
def test_what_could_not_be_read_back_is_not_recorded(
    store: JobStore, change: dict[str, object]
) -> None:
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} must be "):
        add(store, **change)  # type: ignore[arg-type]
    assert not store.path.exists()


def test_any_reason_of_a_service_can_be_kept(store: JobStore) -> None:
    job = add(store).id
    store.failed(job, "a\0b\udcff")
    assert store.get(job).error == "a\\0b\\udcff"


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
            with pytest.raises(JobStoreError, match="cannot use"):
                add(store, payload=os.urandom(20_000))
    assert store.records() == [record]


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


_WRITER = """
import sys
from qrnn_circuits.job_store import JobRecord, JobStore
store = JobStore(sys.argv[1])
# Slow starts would keep the writers apart.
print("ready", flush=True)
sys.stdin.readline()
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
            [sys.executable, "-c", _WRITER, store.path, name, str(jobs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    records = store.records()
    assert sorted((record.context["name"], record.context["number"]) for record in records) == [
        (name, number) for name in "ab" for number in range(jobs)
    ]
    for record in records:
        assert record.status is JobStatus.DONE
        assert record.service_job == f"{record.context['name']}{record.context['number']}"
        assert store.bits(record.id) == record.id.encode()
