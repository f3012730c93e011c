import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobRecord, JobStore

Qrnn = Callable[..., Result]


@pytest.fixture
def add(store: JobStore) -> Callable[..., JobRecord]:
    def add(**changes: Any) -> JobRecord:  # noqa: ANN401
        values: dict[str, Any] = {
            "device": "qrnn.ibm",
            "backend": "ibm_fez",
            "mode": "job",
            "circuits": 4,
            "shots": 4000,
            "circuit_hash": "ab" * 16,
            "usage": 3.25,
            "context": {"plan": {"task": "xor", "realisation": "multiplexed"}, "folder": "/runs"},
        }
        return store.add(JobRecord(**(values | changes)), {})

    return add


def test_jobs_are_listed_latest_first(qrnn: Qrnn, add: Callable[..., JobRecord]) -> None:
    old, new = add(), add(backend="fake_manila")
    result = qrnn("jobs")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [new.id, old.id]
    assert "fake_manila" in lines[1]
    assert "xor" in lines[2]
    assert "4,000" in lines[2]


def test_json_lists_all_fields(qrnn: Qrnn, add: Callable[..., JobRecord]) -> None:
    records = [add(), add()]
    listed = json.loads(qrnn("jobs", "--json").stdout)
    assert listed == [record.to_json() for record in records[::-1]]
    assert json.loads(qrnn("jobs", records[0].id, "--json").stdout) == records[0].to_json()


def test_one_job_is_shown_with_its_trouble(
    qrnn: Qrnn, add: Callable[..., JobRecord], store: JobStore
) -> None:
    record = add()
    store.failed(record.id, "the fridge is warm")
    result = qrnn("jobs", record.id)
    assert result.exit_code == 0, result.stderr
    for text in (
        "failed",
        "multiplexed",
        "the fridge is warm",
        "about 3.2 s",
        "ab" * 16,
        "/runs",
        record.id,
    ):
        assert text in result.stdout


def test_no_jobs_are_no_error(qrnn: Qrnn, store: JobStore) -> None:
    result = qrnn("jobs")
    assert (result.exit_code, result.stdout) == (0, f"no jobs in {store.path}\n")
    assert json.loads(qrnn("jobs", "--json").stdout) == []


def test_an_unknown_job_and_a_foreign_file_are_errors(qrnn: Qrnn, store: JobStore) -> None:
    result = qrnn("jobs", "abc")
    assert result.exit_code == 1
    assert "there is no job 'abc'" in result.stderr
    store.path.write_text("notes" * 1000)
    result = qrnn("jobs")
    assert result.exit_code == 1
    assert "not a database" in result.stderr
