"""Batches of several jobs at the local service, as Runtime's own client sends them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qrnn_backends.ibm import limits
from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.ibm.service import (
    ConnectionLostError,
    JobCancelledError,
    JobFailedError,
    ServiceError,
)
from qrnn_circuits.job_store import JobError, JobPendingError, JobStatus, JobStore
from tests.backends.runtime_server import Fault, RuntimeServer
from tests.backends.tapes import flip, tape_of


def flips() -> list[QuantumScript]:
    """Three numbers of shots; by their angles, every tape reads something else."""
    return [
        flip(0, shots=10),
        flip(np.pi, shots=20),
        QuantumScript([qml.X(1)], [qml.counts(wires=[0, 1])], 30),
        flip(np.pi, shots=10),
        flip(0, shots=20),
    ]


def check(results: tuple[object, ...]) -> None:
    for found, place in zip(
        (results[0], results[1], results[3], results[4]), (0, 3, 3, 0), strict=True
    ):
        np.testing.assert_array_equal(found, np.eye(4)[place])
    assert results[2] == {"01": 30}


def conditioned(angle: float, shots: int = 100) -> QuantumScript:
    """A circuit with one condition."""

    def circuit() -> object:
        qml.RX(angle, 0)
        value = qml.measure(0)
        qml.cond(value, qml.X)(1)
        return qml.probs(wires=1)

    return tape_of(circuit, shots)


def test_a_batch_of_several_jobs_is_one_record_with_results_in_order(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dev = device()
    estimate = dev.estimate(flips())
    assert len(estimate.jobs) == 3
    assert "5 circuits, 90 shots" in str(estimate)
    assert str(estimate).endswith(", 3 jobs")
    with qml.Tracker(dev) as tracker:
        job = dev.submit(flips())
    assert tracker.totals["jobs"] == len(server.jobs) == 3
    assert caplog.messages == [
        "the batch takes 3 jobs: there are 3 numbers of shots, of which a job has one"
    ]
    (record,) = JobStore(path).records()
    assert (record.id, record.circuits, record.shots) == (job, 5, 90)
    assert str(record.service_job).split() == list(server.jobs)
    assert [sent.program.shots for sent in server.jobs.values()] == [10, 20, 30]
    check(device(None).fetch(job))
    assert JobStore(path).get(job).status is JobStatus.DONE
    requests = server.requests.total()
    check(device(None).fetch(job))
    assert server.requests.total() == requests


def test_conditions_above_the_limit_of_a_job_take_several(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(limits, "LIMITS", limits.LIMITS._replace(broadcasts=2 * 59))
    dev = device()
    job = dev.submit([conditioned(angle) for angle in (0, np.pi, np.pi, 0, np.pi)])
    assert [len(sent.program.items[0].circuit_arguments) for sent in server.jobs.values()] == [
        2,
        2,
        1,
    ]
    assert caplog.messages == [
        "the batch takes 3 jobs: conditions that cost 5 one-bit broadcasts, of which a job holds 2"
    ]
    found = np.array(device(None).fetch(job))
    np.testing.assert_array_equal(found[:, 1], [0, 1, 1, 0, 1])
    monkeypatch.setattr(limits, "LIMITS", limits.LIMITS._replace(broadcasts=58))
    with pytest.raises(ValueError, match="circuit 0 of the batch needs too much for a job: cond"):
        dev.submit([conditioned(0)])
    assert len(server.jobs) == 3


def test_the_status_of_a_batch_follows_its_jobs(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    job = device().submit(flips())
    first, second, third = server.jobs.values()
    second.status = third.status = "Queued"
    message = (
        f"job {job} on ibm_manila: number 2 of its 3 jobs: the job is QUEUED at the service "
        rf"\({second.id}\); number 3 of its 3 jobs: the job is QUEUED"
    )
    with pytest.raises(JobPendingError, match=message):
        device(None).fetch(job, wait=False)
    assert JobStore(path).get(job).status is JobStatus.SUBMITTED
    first.status, third.status, third.reason = "Queued", "Failed", "the fridge is warm"
    # Also where the others are not done.
    for wait in (True, False):
        with pytest.raises(JobFailedError, match=r"(?s)3 of its 3 jobs: .*the fridge is warm"):
            device(None).fetch(job, wait=wait)
    assert JobStore(path).get(job).status is JobStatus.FAILED


def test_results_that_can_be_read_once_are_read_when_all_jobs_are_done(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    job = device(options={"environment": {"private": True}}).submit(flips())
    *done, last = server.jobs.values()
    last.status = "Queued"
    for _ in range(2):
        with pytest.raises(JobPendingError, match="number 3 of its 3 jobs: the job is QUEUED"):
            device(None).fetch(job, wait=False)
    assert not any(sent.read for sent in done)
    last.status = "Completed"
    check(device(None).fetch(job))


def test_results_that_were_read_elsewhere_are_no_damaged_record(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    job = device(options={"environment": {"private": True}}).submit([flip()])
    (sent,) = server.jobs.values()
    sent.read = True
    with pytest.raises(ServiceError, match="has no results of it any more, as of a private job"):
        device(None).fetch(job)


@pytest.mark.parametrize("wait", [True, False])
def test_a_job_that_the_service_stops_because_it_runs_too_long_has_failed(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path, wait: bool
) -> None:
    job = device().submit([flip()])
    (sent,) = server.jobs.values()
    sent.status = "Cancelled - Ran too long"
    with pytest.raises(JobFailedError, match="the service says: CANCELLED - RAN TOO LONG"):
        device(None).fetch(job, wait=wait)
    assert JobStore(path).get(job).status is JobStatus.FAILED


def test_jobs_whose_answers_were_lost_are_found_by_their_tags(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    dev = device(backoff=Backoff(attempts=1))
    dev.estimate(flips())
    server.faults = [Fault("POST", "/jobs", "lose")]
    with pytest.raises(ConnectionLostError, match="The job is recorded as"):
        dev.submit(flips())
    (record,) = JobStore(path).records()
    assert (record.status, record.service_job) == (JobStatus.RECORDED, None)
    with pytest.raises(JobError, match="has not reached the service: 2 of its 3 jobs; if it"):
        device(None).fetch(record.id)
    # A process that ended after the last job was sent.
    job = dev.submit(flips())
    with JobStore(path)._database.writing() as connection:
        connection.execute("UPDATE jobs SET service_job = NULL, status = 'recorded'")
    check(device(None).fetch(job))


def test_jobs_before_one_that_is_refused_are_cancelled(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dev = device(mode="batch")
    server.outcome = "Queued"
    dev.submit([flip()])
    sent: list[str] = []
    send = dev._service.send

    def refused(*arguments: object) -> str:
        if len(sent) == 2:
            server.faults = [Fault("POST", "/jobs", 400, message="no more")]
        sent.append(send(*arguments))  # type: ignore[arg-type]
        return sent[-1]

    monkeypatch.setattr(dev._service, "send", refused)
    with pytest.raises(ServiceError, match="no more"):
        dev.submit(flips())
    assert [job.status for job in server.jobs.values()] == ["Queued", "Cancelled", "Cancelled"]
    assert JobStore(path).records()[0].status is JobStatus.FAILED


def test_the_limit_of_usage_is_shared_by_the_jobs(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    tapes = [flip(shots=shots) for shots in (10, 10_000)]
    estimate = device().estimate(tapes)
    device(max_usage=100).submit(tapes)
    costs = [job.payload["cost"] for job in server.jobs.values()]
    expected = [np.ceil(100 * seconds / estimate.seconds) for seconds in estimate.jobs]
    assert costs == expected
    assert 100 <= sum(costs) <= 102


def test_twirled_circuits_give_the_shots_that_were_asked_for(
    device: Callable[..., IBMDevice], server: RuntimeServer, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"twirling": {"enable_gates": True, "num_randomizations": 7}}
    dev = device(options=options)
    angles = (0, np.pi, np.pi)
    job = dev.submit([flip(angle, shots=100) for angle in angles])
    (sent,) = server.jobs.values()
    found = dev.fetch(job)
    assert (sent.program.shots, sent.program.items[0].shape) == (15, (7, 3))
    np.testing.assert_array_equal(np.array(found)[:, 3], [0, 1, 1])


def test_conditions_and_twirling_take_the_sampler_of_the_service_which_says_that_it_ends(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    dev = device(options={"twirling": {"enable_gates": True}})
    with pytest.warns(DeprecationWarning, match="The SamplerV2 class is deprecated"):
        job = dev.submit([conditioned(np.pi)])
    (sent,) = server.jobs.values()
    assert sent.payload["program_id"] == "sampler"
    np.testing.assert_array_equal(device(None).fetch(job), [[0, 1]])


def test_options_that_the_service_refuses_are_refused_before_anything_is_recorded(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    dev = device(options={"dynamical_decoupling": {"enable": True}})
    with pytest.raises(ValueError, match=r"'dynamical_decoupling\.enable' must be False"):
        dev.submit([conditioned(0)])
    from qiskit_ibm_runtime.fake_provider import FakeFractionalBackend

    local = IBMDevice(
        backend=FakeFractionalBackend(), jobs=path, options={"twirling": {"enable_gates": True}}
    )
    with pytest.raises(ValueError, match=r"'twirling\.enable_gates' must be False .*\(rx"):
        local.submit([QuantumScript([qml.RX(0.3, 0)], [qml.probs(wires=0)], 10)])
    assert not server.jobs
    assert JobStore(path).records() == []


def test_forms_for_the_middle_of_a_circuit_reach_the_service(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    server.chips = ("boston",)

    def circuit() -> object:
        qml.X(0)
        value = qml.measure(0, reset=True)
        return qml.expval(value), qml.probs(wires=0)

    dev = device("ibm_boston", optimization_level=1)
    job = dev.submit([tape_of(circuit, 20)])
    (sent,) = server.jobs.values()
    names = sent.circuits[0].count_ops()
    assert (names["measure_2"], names["reset_2"], names["measure"]) == (1, 1, 1)
    ((value, probabilities),) = device(None).fetch(job)
    assert value == 1
    np.testing.assert_array_equal(probabilities, [1, 0])


def test_all_jobs_of_a_batch_are_cancelled(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.outcome = "Queued"
    job = device().submit(flips())
    device(None).cancel(job)
    assert [sent.status for sent in server.jobs.values()] == ["Cancelled"] * 3
    assert JobStore(path).get(job).status is JobStatus.CANCELLED


def test_a_batch_of_which_a_job_was_cancelled_elsewhere_is_cancelled(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    job = device().submit(flips())
    list(server.jobs.values())[1].status = "Cancelled"
    with pytest.raises(JobCancelledError, match=r"number 2 of its 3 jobs: .*was cancelled"):
        device(None).fetch(job)
    assert JobStore(path).get(job).status is JobStatus.CANCELLED


@pytest.mark.parametrize("outcome", ["Failed", "Cancelled"])
def test_jobs_that_wait_beside_one_that_has_ended_are_cancelled(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path, outcome: str
) -> None:
    server.outcome = "Queued"
    job = device().submit(flips())
    first, second, third = server.jobs.values()
    second.status = outcome
    with pytest.raises(JobFailedError):
        device(None).fetch(job)
    recorded = JobStore(path).get(job).status
    for _ in range(2):
        device(None).cancel(job)
    assert [sent.status for sent in (first, second, third)] == ["Cancelled", outcome, "Cancelled"]
    assert JobStore(path).get(job).status is recorded


@pytest.mark.parametrize("mode", ["job", "batch", "session"])
def test_a_device_of_any_mode_is_closed(
    device: Callable[..., IBMDevice], server: RuntimeServer, mode: str
) -> None:
    with device(mode=mode) as dev:
        job = dev.submit(flips())
    dev.close()
    assert len(device(None).fetch(job)) == len(flips())
    assert all(not session["accepting_jobs"] for session in server.sessions.values())


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_a_job_that_qiskit_does_not_send_is_recorded_as_failed(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    # Twirling with conditions takes the sampler that is deprecated.
    dev = device(options={"twirling": {"enable_gates": True}})
    with pytest.raises(DeprecationWarning, match="SamplerV2 class is deprecated"):
        dev.submit([conditioned(np.pi)])
    (record,) = JobStore(path).records()
    assert record.status is JobStatus.FAILED
    assert record.error is not None
    assert "SamplerV2 class is deprecated" in record.error
    assert not server.jobs
