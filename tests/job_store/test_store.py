import json
import subprocess
import sys
from pathlib import Path

import pytest

from qrnn_circuits.job_store import JobError, JobStatus, JobStore, default_path
from tests.job_store.jobs import add


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


def test_of_jobs_of_one_millisecond_the_last_one_comes_first(store: JobStore) -> None:
    created = "2026-01-02T03:04:05.678+00:00"
    jobs = [add(store, created=created).id for _ in range(3)]
    assert [record.id for record in store.records()] == jobs[::-1]


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


def test_an_unknown_job_is_an_error(store: JobStore) -> None:
    add(store)
    for read in (store.get, store.program, store.payload, store.bits):
        with pytest.raises(JobError, match="there is no job 'x'"):
            read("x")


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


def test_the_path_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "here"))
    assert JobStore().path == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QRNN_JOBS", "~/there")
    assert JobStore().path == tmp_path / "there"
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
