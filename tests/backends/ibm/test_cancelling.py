from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.ibm.jobs import SubmittedJob
from qrnn_backends.ibm.service import ConnectionLostError, JobCancelledError, ServiceError
from qrnn_circuits.job_store import JobError, JobStatus, JobStore
from tests.backends.runtime_server import Fault, RuntimeServer
from tests.backends.tapes import flip


@pytest.fixture
def waiting(server: RuntimeServer, device: Callable[..., IBMDevice]) -> SubmittedJob:
    """A job in the queue of a chip."""
    server.outcome = "Queued"
    return device().submit([flip()])


def test_a_cancelled_job_does_not_run_and_is_recorded_as_such(
    waiting: SubmittedJob, device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    waiting.cancel()
    (sent,) = server.jobs.values()
    assert sent.status == "Cancelled"
    assert JobStore(path).get(waiting).status is JobStatus.CANCELLED
    with pytest.raises(JobCancelledError, match=f"^job {waiting} on ibm_manila was cancelled$"):
        device(None).fetch(waiting)
    waiting.cancel()
    assert server.requests["POST /jobs"] == 2, "one to send it and one to cancel it"


def test_any_process_cancels_a_job_by_its_id(
    waiting: SubmittedJob, device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    device(None).cancel(str(waiting))
    assert [job.status for job in server.jobs.values()] == ["Cancelled"]


def test_a_job_whose_answer_was_lost_is_cancelled(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.outcome = "Queued"
    server.faults = [Fault("POST", "/jobs", "lose")]
    with pytest.raises(ConnectionLostError):
        device(backoff=Backoff(attempts=1)).submit([flip()])
    (record,) = JobStore(path).records()
    device(None).cancel(record.id)
    assert [job.status for job in server.jobs.values()] == ["Cancelled"]
    assert JobStore(path).get(record.id).status is JobStatus.CANCELLED


@pytest.mark.parametrize("kind", ["drop", "lose", 503])
def test_trouble_on_the_way_does_not_keep_a_job_from_being_cancelled(
    waiting: SubmittedJob, server: RuntimeServer, path: Path, kind: str | int
) -> None:
    server.faults = [Fault("POST", "/jobs/", kind)]
    waiting.cancel()
    assert [job.status for job in server.jobs.values()] == ["Cancelled"]
    assert JobStore(path).get(waiting).status is JobStatus.CANCELLED


def test_a_refusal_is_told_and_the_job_goes_on(
    waiting: SubmittedJob, device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.faults = [Fault("POST", "/jobs/", 400, message="not now")]
    with pytest.raises(ServiceError, match=r"cannot cancel the job .*not now"):
        waiting.cancel()
    assert JobStore(path).get(waiting).status is JobStatus.SUBMITTED
    (sent,) = server.jobs.values()
    sent.status = "Completed"
    np.testing.assert_array_equal(device().fetch(waiting), [[0, 0, 0, 1]])


@pytest.mark.parametrize("outcome", ["Completed", "Failed", "Cancelled - Ran too long"])
def test_a_job_that_has_ended_at_the_service_is_not_cancelled(
    waiting: SubmittedJob, server: RuntimeServer, path: Path, outcome: str
) -> None:
    (sent,) = server.jobs.values()
    sent.status = outcome
    with pytest.raises(JobError, match=f"job {waiting} on ibm_manila has ended already .*results"):
        waiting.cancel()
    assert JobStore(path).get(waiting).status is JobStatus.SUBMITTED


def test_a_job_that_ends_while_it_is_cancelled_keeps_its_results(
    waiting: SubmittedJob, server: RuntimeServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server.answer

    def late(method: str, path: str, *rest: object) -> object:
        if path.endswith("/cancel"):
            next(iter(server.jobs.values())).status = "Completed"
        return answer(method, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(server, "answer", late)
    with pytest.raises(JobError, match=r"has ended already .the service says DONE"):
        waiting.cancel()
    assert JobStore(path).get(waiting).status is JobStatus.SUBMITTED


def test_what_cannot_be_cancelled_is_one_line(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    local = device("fake_manila", noise=False).submit([flip()])
    done = device().submit([flip()])
    device().fetch(done)
    lost = device().submit([flip()])
    JobStore(path).failed(lost, "the fridge is warm")
    server.faults = [Fault("POST", "/jobs", "drop")]
    with pytest.raises(ConnectionLostError):
        device(backoff=Backoff(attempts=1)).submit([flip()])
    unsent = JobStore(path).records()[0].id
    for job, reason in {
        "x": "there is no job 'x'",
        local: "fake_manila is simulated when it is fetched: there is nothing to cancel",
        done: f"job {done} on ibm_manila is done: `qrnn results {done}` gives",
        lost: "has failed already: the fridge is warm",
        unsent: "has not reached the service",
    }.items():
        with pytest.raises(JobError, match=reason) as caught:
            device(None).cancel(job)
        assert "\n" not in str(caught.value)
    assert not any(job.status == "Cancelled" for job in server.jobs.values())
