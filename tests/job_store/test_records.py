import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

from qrnn_circuits.job_store import DamagedRecord, JobDamagedError, JobStatus, JobStore
from qrnn_circuits.job_store.records import open_json, seal_json
from tests.job_store.jobs import add, damage

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
    ("usage", -5.5),
    ("seed", "x"),
    ("device", b"\xff"),
    ("backend", "fake\0fez"),
    ("backend", "x" * 1_000_000),
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
    damage(store, job, column, value)
    (damaged,) = [entry for entry in store.entries() if isinstance(entry, DamagedRecord)]
    assert damaged.id == job
    assert damaged.reason.startswith(f"{column} must be ")
    assert len(damaged.reason) < 200
    assert store.records() == [last, first]
    with pytest.raises(JobDamagedError, match=f"job {job} is damaged in .*: {column} must be "):
        store.get(job)


@pytest.mark.parametrize("value", [None, b"\xff\x00", "a\0b", "x" * 1_000_000])
def test_a_job_whose_id_is_no_text_hides_no_other(store: JobStore, value: object) -> None:
    job, other = add(store).id, add(store)
    damage(store, job, "id", value)
    assert store.records() == [other]
    (damaged,) = [entry for entry in store.entries() if isinstance(entry, DamagedRecord)]
    assert damaged.id.isprintable()
    assert len(damaged.id) < 100


def test_text_that_is_no_unicode_is_damage(store: JobStore) -> None:
    job, other = add(store).id, add(store)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE jobs SET backend = CAST(x'66ff' AS TEXT) WHERE id = ?", (job,))
        connection.commit()
    assert store.records() == [other]


@pytest.mark.parametrize("value", ["{", "[]", b"{}", "[" * 100_000, "{}", ""])
def test_a_damaged_program_is_one_clear_error(store: JobStore, value: object) -> None:
    job = add(store).id
    damage(store, job, "program", value)
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
        damage(store, job, column, value)
        with pytest.raises(JobDamagedError, match=f"job {job} is damaged .*{column} must be as it"):
            read(job)
    assert store.get(job).status is JobStatus.DONE


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
    store.troubled(job, "a" * 1_000_000)
    assert store.get(job).error == "a" * (2**18 - 3) + "..."


def test_context_must_be_json(store: JobStore) -> None:
    for context in ({"a": object()}, {"a": float("nan")}):
        with pytest.raises(TypeError, match="context must be a JSON object"):
            add(store, context=context)


def test_a_context_that_nests_too_deep_is_refused_before_it_is_recorded() -> None:
    value: dict[str, object] = {}
    for _ in range(70):
        value = {"a": value}
    with pytest.raises(TypeError, match=r"context must be a JSON object: .*64 levels deep"):
        seal_json("context", value)


@pytest.mark.parametrize("text", ["[" * 5000, "[]", "5", "{"])
def test_a_sealed_text_that_is_no_object_is_damaged(text: str) -> None:
    sealed = f"{sha256(text.encode()).hexdigest()} {text}"
    with pytest.raises(ValueError, match="context"):
        open_json("context", sealed)


def test_integers_of_a_context_may_have_any_size() -> None:
    assert open_json("context", seal_json("context", {"a": 2**80})) == {"a": 2**80}
