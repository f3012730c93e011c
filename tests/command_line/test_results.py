import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobRecord, JobStatus, JobStore
from qrnn_circuits.job_store.records import seal_json

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from tests.backends.runtime_server import RuntimeServer

Qrnn = Callable[..., Result]

OPTIONS = ("--backend", "fake_manila", "--shots", 300, "--steps", 3, "--seed", 1, "--sequences", 1)


@pytest.fixture
def job(qrnn: Qrnn, trained: Path, store: JobStore) -> str:
    result = qrnn("submit", trained, *OPTIONS)
    assert result.exit_code == 0, result.stderr
    return store.records()[0].id


def test_the_report_is_that_of_qrnn_run(qrnn: Qrnn, trained: Path, job: str) -> None:
    fetched = qrnn("results", job, "--json")
    assert fetched.exit_code == 0, fetched.stderr
    run = qrnn("run", trained, "--device", "qrnn.ibm", *OPTIONS, "--json")
    assert run.exit_code == 0, run.stderr
    report, expected = json.loads(fetched.stdout), json.loads(run.stdout)
    assert report.pop("seconds") is None
    assert expected.pop("seconds") > 0
    assert report == expected


def test_mitigation_of_a_job_is_applied_and_reported(
    qrnn: Qrnn, trained: Path, job: str, store: JobStore
) -> None:
    result = qrnn("submit", trained, *OPTIONS, "--mitigation", "m3")
    assert result.exit_code == 0, result.stderr
    mitigated, _ = store.records()
    raw, corrected = (
        json.loads(qrnn("results", number, "--json").stdout) for number in (job, mitigated.id)
    )
    assert (raw["mitigation"], corrected["mitigation"]) == (None, "m3")
    assert corrected["kept_share"] == raw["kept_share"]
    assert corrected["distance"] != raw["distance"]
    run = qrnn("run", trained, "--device", "qrnn.ibm", *OPTIONS, "--mitigation", "m3", "--json")
    assert json.loads(run.stdout)["circuits"] == corrected["circuits"]
    assert "300 shots, mitigation m3" in " ".join(qrnn("results", mitigated.id).stdout.split())


def test_mitigated_results_say_how_to_install_what_they_need(
    qrnn: Qrnn, trained: Path, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    qrnn("submit", trained, *OPTIONS, "--mitigation", "m3")
    (record,) = store.records()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "mthree", None)
        result = qrnn("results", record.id)
    assert result.exit_code == 1
    assert 'pip install "qrnn-circuits[mitigation]"' in result.stderr.splitlines()[-1]
    assert qrnn("results", record.id).exit_code == 0


def test_results_are_read_from_disk_the_second_time(
    qrnn: Qrnn, job: str, store: JobStore, tmp_path: Path
) -> None:
    chart = tmp_path / "chart.svg"
    first = qrnn("results", job, "--chart", chart)
    assert first.exit_code == 0, first.stderr
    assert "fetching job" in first.stderr
    assert "<svg" in chart.read_text()
    assert store.get(job).status is JobStatus.DONE
    second = qrnn("results", job)
    assert (second.stdout, second.stderr) == (first.stdout, "")


def test_a_failed_job_is_an_error_with_the_reason(qrnn: Qrnn, job: str, store: JobStore) -> None:
    store.failed(job, "the fridge is warm")
    result = qrnn("results", job)
    assert result.exit_code == 1
    assert f"job {job} on fake_manila: the fridge is warm" in result.stderr


def test_a_job_from_python_says_how_to_fetch_it(qrnn: Qrnn, store: JobStore) -> None:
    record = JobRecord(
        device="qrnn.ibm", backend="ibm_fez", mode="job", circuits=1, shots=1, circuit_hash=""
    )
    store.add(record, {})
    result = qrnn("results", record.id)
    assert result.exit_code == 2
    assert f"qml.device('qrnn.ibm').fetch('{record.id}')" in result.stderr


@pytest.mark.parametrize("column", ["bits", "program", "payload", "context"])
@pytest.mark.parametrize("value", ["{}", b"PK\3\4", "[/x]", 5])
def test_damaged_records_are_one_line(
    qrnn: Qrnn, job: str, store: JobStore, column: str, value: object
) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"UPDATE jobs SET {column} = ?", (value,))
        connection.commit()
    result = qrnn("results", job)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: job {job} is damaged in {store.path}")
    assert f"{column} must be " in result.stderr


@pytest.mark.parametrize("context", [{"plan": 5}, {"plan": {}}, {"plan": {"circuits": []}}])
def test_a_context_of_the_callers_own_is_one_line(
    qrnn: Qrnn, store: JobStore, context: dict[str, object]
) -> None:
    record = JobRecord(
        device="qrnn.ibm",
        backend="ibm_fez",
        mode="job",
        circuits=1,
        shots=1,
        circuit_hash="",
        context=context,
    )
    store.add(record, {})
    result = qrnn("results", record.id)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: this is no plan of a run")


def forge(store: JobStore, column: str, value: object) -> None:
    """Writes a value as somebody else may, and with the right hash."""
    sealed = value
    if isinstance(value, dict):
        sealed = seal_json(column, value)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"UPDATE jobs SET {column} = ?", (sealed,))
        connection.commit()


@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch", "default.qutrit"])
def test_a_device_that_keeps_no_jobs_is_refused_before_it_is_made(
    qrnn: Qrnn, job: str, store: JobStore, device: str
) -> None:
    context = store.get(job).context
    context["plan"]["wires"] = 10**9
    forge(store, "context", context)
    forge(store, "device", device)
    result = qrnn("results", job)
    assert result.exit_code == 2
    assert f"for the device '{device}', which keeps no jobs: submit it again" in result.stderr


def test_a_recorded_title_controls_no_terminal(qrnn: Qrnn, job: str, store: JobStore) -> None:
    forge(store, "context", {**store.get(job).context, "device": "\x1b[2J"})
    result = qrnn("results", job)
    assert result.exit_code == 2
    assert "\x1b" not in result.output
    assert "must be text without control characters" in result.stderr


def test_more_shots_than_were_planned_are_refused(qrnn: Qrnn, job: str, store: JobStore) -> None:
    context = store.get(job).context
    context["plan"]["shots"] = 7
    forge(store, "context", context)
    result = qrnn("results", job)
    assert result.exit_code == 1
    assert "must keep at most 7 shots, got " in result.stderr


def test_what_stands_in_a_chart_is_no_formula(
    qrnn: Qrnn, job: str, store: JobStore, tmp_path: Path
) -> None:
    forge(store, "context", {**store.get(job).context, "device": r"in $ and $\frac{$"})
    result = qrnn("results", job, "--chart", tmp_path / "chart.svg")
    assert result.exit_code == 0, result.stderr


def test_a_wrong_argument_is_one_line(qrnn: Qrnn, job: str) -> None:
    result = qrnn("results", "abc")
    assert result.exit_code == 1
    assert "there is no job 'abc'" in result.stderr
    result = qrnn("results", job, "--chart", "chart.txt")
    assert result.exit_code == 2
    assert "txt" in result.stderr


def test_a_job_of_the_service_is_waited_for_or_not(
    qrnn: Qrnn,
    trained: Path,
    store: JobStore,
    no_account: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RuntimeServer(outcome="Queued") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        options = ("--backend", "ibm_manila", "--shots", 300, "--steps", 3, "--sequences", 1)
        result = qrnn("submit", trained, *options)
        assert result.exit_code == 0, result.stderr
        (record,) = store.records()
        (sent,) = server.jobs.values()
        assert (record.service_job, record.status) == (sent.id, JobStatus.SUBMITTED)
        result = qrnn("results", record.id, "--no-wait")
        assert result.exit_code == 1
        assert f"job {record.id} on ibm_manila: the job is QUEUED" in result.stderr
        sent.status = "Completed"
        result = qrnn("results", record.id, "--json")
        assert result.exit_code == 0, result.stderr
    # The service is gone.
    assert qrnn("results", record.id, "--json").stdout == result.stdout
    report = json.loads(result.stdout)
    assert report["device"] == "qrnn.ibm (backend ibm_manila)"
    assert report["distance"] < 4 * report["expected_noise"]


def test_a_record_does_not_control_the_terminal(qrnn: Qrnn, job: str, store: JobStore) -> None:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE jobs SET backend = ?", ("fake_\x1b[2J",))
        connection.commit()
    result = qrnn("results", job)
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert f"fetching job {job} from fake_\\x1b[2J" in result.stderr
