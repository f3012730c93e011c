from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobRecord, JobStatus, JobStore

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from tests.backends.runtime_server import RuntimeServer

Qrnn = Callable[..., Result]

OPTIONS = ("--shots", 300, "--steps", 3, "--sequences", 1)


def test_jobs_that_wait_are_cancelled_and_listed_as_such(
    qrnn: Qrnn, trained: Path, store: JobStore, server: RuntimeServer
) -> None:
    for _ in range(2):
        result = qrnn("submit", trained, "--backend", "ibm_manila", *OPTIONS)
        assert result.exit_code == 0, result.stderr
    jobs = [record.id for record in store.records()]
    result = qrnn("cancel", *jobs)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "".join(f"job {job} is cancelled\n" for job in jobs)
    assert [job.status for job in server.jobs.values()] == ["Cancelled"] * 2
    assert [record.status for record in store.records()] == [JobStatus.CANCELLED] * 2
    assert qrnn("jobs").stdout.count("cancelled") == 2
    result = qrnn("results", jobs[0])
    assert result.exit_code == 1
    assert f"Error: job {jobs[0]} on ibm_manila was cancelled" in result.stderr


def test_what_cannot_be_cancelled_is_one_line_each_and_the_others_are(
    qrnn: Qrnn, trained: Path, store: JobStore, server: RuntimeServer
) -> None:
    qrnn("submit", trained, "--backend", "fake_manila", *OPTIONS)
    qrnn("submit", trained, "--backend", "ibm_manila", *OPTIONS)
    waiting, local = store.records()
    other = store.add(
        JobRecord(
            device="default.qubit",
            backend="x",
            mode="job",
            circuits=1,
            shots=1,
            circuit_hash="",
        ),
        {},
    )
    result = qrnn("cancel", "abc", local.id, other.id, waiting.id)
    assert result.exit_code == 1
    assert result.stdout == f"job {waiting.id} is cancelled\n"
    unknown, simulated, without = result.stderr.splitlines()
    assert unknown.startswith("Error: there is no job 'abc'")
    assert simulated.endswith("is simulated when it is fetched: there is nothing to cancel")
    assert without == f"Error: device 'default.qubit' of job {other.id} cancels no jobs"
    assert store.get(local.id).status is JobStatus.SUBMITTED
