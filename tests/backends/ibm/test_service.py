import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
from pennylane.tape import QuantumScript

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.ibm.service import ConnectionLostError, JobFailedError, ServiceError
from qrnn_circuits.job_store import JobError, JobPendingError, JobStatus, JobStore
from tests.backends.runtime_server import Fault, RuntimeServer
from tests.backends.tapes import flip


def test_a_device_opens_no_connection_before_it_must(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    device()
    device("least_busy", mode="session").close()
    with pytest.raises(JobError, match="there is no job"):
        device().fetch("x")
    assert not server.requests


def test_a_job_is_fetched_by_a_device_that_knows_only_its_id(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    job = device().submit([flip(), flip(0)], context={"task": "xor"})
    record = JobStore(path).get(job)
    assert record.status is JobStatus.SUBMITTED
    assert record.service_job in server.jobs
    assert (record.backend, record.mode, record.context) == ("ibm_manila", "job", {"task": "xor"})
    first = device(None).fetch(job)
    np.testing.assert_array_equal(first, [[0, 0, 0, 1], [1, 0, 0, 0]])
    requests = server.requests.total()
    np.testing.assert_array_equal(device(None).fetch(job), first)
    assert server.requests.total() == requests, "results on disk need no service"


def test_a_hundred_tapes_are_one_job_with_one_circuit(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    dev = device()
    with qml.Tracker(dev) as tracker:
        dev.execute([flip(angle) for angle in np.linspace(0, 1, 100)])
    assert tracker.totals["jobs"] == 1
    (job,) = server.jobs.values()
    (item,) = job.program.items
    assert item.circuit.num_parameters == 1
    assert np.shape(item.circuit_arguments) == (100, 1)
    assert job.program.shots == 100


def test_the_least_busy_chip_is_found(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    device("least_busy").submit([flip()])
    wide = QuantumScript([qml.CNOT([wire, wire + 1]) for wire in range(5)], [qml.counts()], 10)
    device("least_busy").submit([wide])
    # Manila has the shorter queue and 5 qubits.
    assert [job.backend for job in server.jobs.values()] == ["ibm_manila", "ibm_fez"]
    wider = QuantumScript([qml.X(wire) for wire in range(157)], [qml.counts()], 10)
    with pytest.raises(ValueError, match=r"has 157 qubits; it has ibm_fez, ibm_lima, ibm_manila"):
        device("least_busy").submit([wider])


@pytest.mark.parametrize("mode", ["batch", "session"])
def test_a_session_lasts_until_the_device_is_closed(
    mode: str, device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    with device(mode=mode) as dev:
        assert not server.sessions
        dev.submit([flip()])
        dev.submit([flip()])
        ((identity, session),) = server.sessions.items()
        assert session["mode"] == {"batch": "batch", "session": "dedicated"}[mode]
        assert session["accepting_jobs"]
    assert not session["accepting_jobs"]
    assert [job.payload["session_id"] for job in server.jobs.values()] == [identity] * 2


def test_options_reach_the_service(device: Callable[..., IBMDevice], server: RuntimeServer) -> None:
    options = {
        "dynamical_decoupling": {"enable": True, "sequence_type": "XY4"},
        "twirling": {"enable_gates": True, "enable_measure": True},
        "execution": {"scheduler_timing": True},
        "environment": {"job_tags": ["mine"]},
    }
    job = device(options=options, max_usage=100.5).submit([flip()])
    (sent,) = server.jobs.values()
    known = sent.program.passthrough_data["post_processor"]["options"]
    assert (
        known["dynamical_decoupling"] | options["dynamical_decoupling"]
        == (known["dynamical_decoupling"])
    )
    assert known["twirling"] | options["twirling"] == known["twirling"]
    assert sent.params["options"]["scheduler_timing"] is True
    assert sorted(sent.tags) == ["mine", f"qrnn-{job}"]
    assert sent.payload["cost"] == 101


def test_readout_errors_are_recorded_as_the_service_gives_them(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    job = device(mitigation="m3").submit([flip()])
    (entry,) = JobStore(path).program(job)["pubs"]
    (sent,) = server.jobs.values()
    (circuit,) = sent.circuits
    properties = server.answer("GET", "/backends/ibm_manila/properties", {}, b"")["qubits"]
    expected: dict[int, list[list[float]]] = {}
    for instruction in circuit.get_instructions("measure"):
        values = {
            value["name"]: value["value"]
            for value in properties[circuit.find_bit(instruction.qubits[0]).index]
        }
        up, down = values["prob_meas1_prep0"], values["prob_meas0_prep1"]
        bit = circuit.find_bit(instruction.clbits[0]).index
        expected[bit] = [[1 - up, down], [up, 1 - down]]
    np.testing.assert_allclose(entry["matrices"], [expected[0], expected[1]])
    np.testing.assert_allclose(device(None).fetch(job), [[0, 0, 0, 1]], atol=1e-6)


def test_mitigation_is_refused_where_the_service_has_no_calibration_data(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = server.answer

    def without_data(method: str, path: str, *rest: object) -> object:
        return {} if path.endswith("/properties") else answer(method, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(server, "answer", without_data)
    with pytest.raises(ValueError, match="mitigation must be None: ibm_manila has no calibration"):
        device(mitigation="m3").submit([flip()])
    assert JobStore(path).records() == []
    device().submit([flip()])


def test_usage_above_the_limit_is_refused_before_anything_is_recorded_or_sent(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "qrnn_backends.ibm.device")
    dev = device(max_usage=10)
    with pytest.raises(ValueError, match="more than max_usage=10 s; nothing was sent"):
        dev.submit([flip(shots=100_000)])
    assert "about 2" in caplog.text
    assert not server.jobs
    assert JobStore(path).records() == []
    dev.submit([flip(shots=1000)])


def test_an_unknown_backend_is_answered_with_near_names(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    with pytest.raises(ValueError, match=r"'ibm_fex' .*close names are ibm_fez"):
        device("ibm_fex").submit([flip()])
    with pytest.raises(ValueError, match=r"It has ibm_fez, ibm_lima, ibm_manila"):
        device("zzz").submit([flip()])
    assert not server.jobs
    assert JobStore(path).records() == []


def test_what_the_chip_cannot_run_is_not_sent(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    wide = QuantumScript([qml.X(wire) for wire in range(6)], [qml.counts()], 10)
    with pytest.raises(ValueError, match="ibm_manila has 5 qubits, the circuit needs 6"):
        device().submit([wide])
    measured = qml.measure(0)
    conditional = QuantumScript(
        [*measured.measurements, qml.ops.Conditional(measured, qml.X(1))], [qml.counts()], 10
    )
    with pytest.raises(ValueError, match=r"no if_else.*'postselect', 'amplified' and 'multipl"):
        device("ibm_lima").submit([conditional])
    decoupling = {"dynamical_decoupling": {"enable": True}}
    with pytest.raises(ValueError, match="dynamical_decoupling"):
        device("ibm_fez", options=decoupling).submit([conditional])
    assert not server.jobs
    assert JobStore(path).records() == []


def test_a_failed_job_tells_the_services_reason(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.outcome, server.reason = "Failed", "the fridge is warm"
    job = device().submit([flip()])
    for _ in range(2):
        with pytest.raises(JobFailedError, match=f"(?s)job {job} on ibm_manila.*the fridge"):
            device(None).fetch(job)
    record = JobStore(path).get(job)
    assert record.status is JobStatus.FAILED
    assert "the fridge is warm" in str(record.error)


def test_a_cancelled_job_is_said_to_be_cancelled(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.outcome = "Cancelled"
    job = device().submit([flip()])
    for _ in range(2):
        with pytest.raises(JobFailedError, match=f"job {job} on ibm_manila.* was cancelled"):
            device().fetch(job)
        assert JobStore(path).get(job).status is JobStatus.CANCELLED


def test_a_waiting_job_can_be_looked_at_without_waiting(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    server.outcome = "Queued"
    job = device().submit([flip()])
    with pytest.raises(JobPendingError, match=f"job {job} on ibm_manila: .*QUEUED"):
        device().fetch(job, wait=False)
    (sent,) = server.jobs.values()
    sent.status = "Completed"
    np.testing.assert_array_equal(device().fetch(job, wait=False), [[0, 0, 0, 1]])


def test_a_lost_answer_does_not_send_the_job_twice(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    server.faults = [Fault("POST", "/jobs", "drop"), Fault("POST", "/jobs", "lose")]
    job = device().submit([flip()])
    assert server.requests["POST /jobs"] == 2
    assert len(server.jobs) == 1
    np.testing.assert_array_equal(device().fetch(job), [[0, 0, 0, 1]])


def test_a_busy_service_is_asked_again(
    device: Callable[..., IBMDevice], server: RuntimeServer
) -> None:
    server.faults = [
        Fault("GET", "/backends/ibm_manila/configuration", 429, times=2),
        Fault("POST", "/jobs", 429, times=3),
        Fault("GET", "/jobs/", 429, times=3),
    ]
    job = device().submit([flip()])
    np.testing.assert_array_equal(device().fetch(job), [[0, 0, 0, 1]])
    assert len(server.jobs) == 1
    assert all(fault.times == 0 for fault in server.faults)


def test_a_job_sent_while_the_connection_died_is_found_by_its_tag(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.faults = [Fault("POST", "/jobs", "lose")]
    with pytest.raises(ConnectionLostError, match="The job is recorded as"):
        device(backoff=Backoff(attempts=1)).submit([flip()])
    (record,) = JobStore(path).records()
    assert (record.status, record.service_job) == (JobStatus.RECORDED, None)
    assert "cannot send the job" in str(record.error)
    np.testing.assert_array_equal(device(None).fetch(record.id), [[0, 0, 0, 1]])
    assert JobStore(path).get(record.id).service_job in server.jobs


def test_a_job_that_never_arrived_is_not_sent_by_fetching(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path
) -> None:
    server.faults = [Fault("POST", "/jobs", "drop")]
    with pytest.raises(ConnectionLostError):
        device(backoff=Backoff(attempts=1)).submit([flip()])
    (record,) = JobStore(path).records()
    with pytest.raises(JobError, match=f"job {record.id} on ibm_manila has not reached the serv"):
        device(None).fetch(record.id)
    assert not server.jobs
    assert JobStore(path).get(record.id).status is JobStatus.RECORDED


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[]", "the service's answer cannot be read: TypeError: list indices"),
        ('{"schema_version": "v2.0", "data": [0, {}], "metadata": 1}', "validation errors for"),
        ('{"schema_version": "v2.0", "data": [], "metadata": {"chunk_timing": []}}', "are not of"),
        ("<html>\n<body>", "cannot fetch the job"),
    ],
)
def test_an_answer_that_is_no_result_is_one_line_and_can_be_fetched_again(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    message: str,
) -> None:
    job = device().submit([flip()])
    with monkeypatch.context() as patch:
        patch.setattr(server, "_results", lambda job: answer)
        with pytest.raises(ServiceError, match=message) as told:
            device(None).fetch(job)
    assert "\n" not in str(told.value)
    assert JobStore(path).get(job).status is JobStatus.SUBMITTED
    np.testing.assert_array_equal(device(None).fetch(job), [[0, 0, 0, 1]])


def test_waits_grow_up_to_the_longest() -> None:
    waits = Backoff(attempts=6, first=1, factor=3, longest=20).waits()
    assert list(waits) == [1, 3, 9, 20, 20]
    assert list(Backoff(attempts=1).waits()) == []
    with pytest.raises(ValueError, match="attempts must be at least 1, got 0"):
        Backoff(attempts=0)
    with pytest.raises(ValueError, match="first must not be negative"):
        Backoff(first=-1)
