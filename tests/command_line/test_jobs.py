import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobRecord, JobStore
from tests.job_store.jobs import damage

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


@pytest.mark.parametrize(
    ("column", "value"), [("context", "{"), ("status", "[red]"), ("created", "x"), ("shots", "x")]
)
def test_a_damaged_job_is_listed_as_damaged_among_the_others(
    qrnn: Qrnn, add: Callable[..., JobRecord], store: JobStore, column: str, value: object
) -> None:
    old, bad, new = add(), add(), add()
    damage(store, bad.id, column, value)
    result = qrnn("jobs")
    assert result.exit_code == 0, result.stderr
    *lines, last = result.stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert set(rows) == {new.id, bad.id, old.id}
    assert rows[bad.id] == [bad.id, "damaged"]
    assert [job for job in rows if job != bad.id] == [new.id, old.id]
    assert last.startswith(f"job {bad.id} is damaged: {column} must be ")
    assert repr(value) in last
    listed = json.loads(qrnn("jobs", "--json").stdout)
    assert [entry for entry in listed if "damaged" not in entry] == [new.to_json(), old.to_json()]
    assert [entry["id"] for entry in listed if "damaged" in entry] == [bad.id]
    result = qrnn("jobs", bad.id)
    assert result.exit_code == 1
    assert f"job {bad.id} is damaged" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("plan", [5, None, [], {"task": ["xor"]}, {"task": "[/x] :bug: \x1b[2J"}])
def test_any_context_is_listed_as_it_is(
    qrnn: Qrnn, add: Callable[..., JobRecord], plan: object
) -> None:
    record = add(context={"plan": plan, "folder": "/[/bold]/\ud800"}, backend="[red]x[/y]")
    for result in (qrnn("jobs"), qrnn("jobs", record.id)):
        assert result.exit_code == 0, result.exception
        assert "[red]x[/y]" in result.stdout
        assert "\x1b" not in result.stdout
        if plan == {"task": "[/x] :bug: \x1b[2J"}:
            assert "[/x] :bug: \\x1b[2J" in result.stdout
    assert "/[/bold]/\\ud800" in result.stdout


@pytest.mark.parametrize("job", ["[/x]", "\udcff", "'"])
def test_any_text_may_be_asked_for(qrnn: Qrnn, store: JobStore, job: str) -> None:
    for command in ("jobs", "results"):
        result = qrnn(command, job)
        assert result.exit_code == 1
        assert f"there is no job {job!r} in {store.path}" in result.stderr


def test_a_path_with_markup_is_shown_as_it_is(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "[/red] :bug:" / "jobs.sqlite"
    monkeypatch.setenv("QRNN_JOBS", str(path))
    assert qrnn("jobs").stdout == f"no jobs in {path}\n"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    result = qrnn("jobs")
    assert (result.exit_code, path.read_bytes()) == (1, b"x")
    assert str(path) in result.stderr


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


@pytest.mark.parametrize(
    "change", [{"shots": 2**62}, {"backend": "x" * 5000}, {"backend": "a b " * 50}]
)
def test_what_is_wide_shortens_no_id(
    qrnn: Qrnn, add: Callable[..., JobRecord], change: dict[str, object]
) -> None:
    records = [add(), add(**change), add()]
    result = qrnn("jobs")
    assert result.exit_code == 0, result.exception
    first = [line.split()[0] for line in result.stdout.splitlines() if line[:2].strip()]
    assert [word for word in first if word in {record.id for record in records}] == [
        record.id for record in records[::-1]
    ]
