import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from qrnn_circuits.job_store import JobStatus, JobStore

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

Qrnn = Callable[..., Result]

OPTIONS = ("--backend", "fake_manila", "--shots", 50, "--steps", 3, "--sequences", 1)


def test_submit_prints_the_estimate_the_job_and_how_to_get_results(
    qrnn: Qrnn, trained: Path, store: JobStore
) -> None:
    result = qrnn("submit", trained, *OPTIONS, "--seed", 1)
    assert result.exit_code == 0, result.stderr
    (record,) = store.records()
    first, *_ = result.stdout.splitlines()
    assert first.startswith("usage    about 2.")
    assert "of fake_manila: 1 circuit, 50 shots" in first
    assert f"qrnn results {record.id}" in result.stdout
    assert record.status is JobStatus.SUBMITTED
    assert store.bits(record.id) is None
    assert record.shots == 50 * record.circuits
    assert record.context["plan"]["shots"] == 50
    assert record.context["folder"] == str(trained)


def test_json_is_one_object(qrnn: Qrnn, trained: Path, store: JobStore) -> None:
    result = qrnn("submit", trained, *OPTIONS, "--json")
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["job"] == store.records()[0].id
    assert answer["backend"] == "fake_manila"
    assert answer["usage"] > 2


def test_steps_and_sequences_choose_the_circuits(
    qrnn: Qrnn, trained: Path, store: JobStore
) -> None:
    for number in (1, 2):
        result = qrnn("submit", trained, *OPTIONS, "--sequences", number)
        assert result.exit_code == 0, result.stderr
    two, one = store.records()
    assert (one.circuits, two.circuits) == (1, 2)
    sequences = {circuit["sequence"] for circuit in two.context["plan"]["circuits"]}
    assert len(sequences) == 2


def test_too_large_a_usage_sends_nothing(qrnn: Qrnn, trained: Path, store: JobStore) -> None:
    result = qrnn("submit", trained, *OPTIONS, "--max-usage", 1)
    assert result.exit_code == 1
    assert "more than max_usage=1 s; nothing was sent" in result.stderr
    assert store.records() == []


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (("--backend", "fake_manil"), 2, "close names are fake_manila"),
        (
            ("--backend", "fake_fez", "--mitigation", "m4"),
            2,
            "must be one of m3, or module:attribute, got 'm4'",
        ),
        (("--device", "qrnn.torch", "--mitigation", "m3"), 2, "takes no --mitigation, got 'm3'"),
        ((), 1, "backend must be given to run circuits"),
        (("--device", "qrnn.torch"), 2, "device 'qrnn.torch' keeps no jobs"),
        (("--device", "qrnn.imb"), 2, "close names are qrnn.ibm"),
        (("--shots", "0"), 2, "--shots"),
        (("--realisation", "postselect", "--backend", "fake_fez"), 2, "semantics"),
        (("--backend", "fake_fez", "--option", "twirling"), 2, "must look like NAME=VALUE"),
        (("--backend", "fake_fez", "--option", "twirlin.a=1"), 2, "close names are twirling"),
        (("--backend", "fake_fez", "--option", "a=1", "--option", "a.b=1"), 2, "got both"),
        (("--backend", "fake_fez", "--option", "a.b=1", "--option", "a=1"), 2, "'a' must be given"),
        (("--backend", "fake_fez", "--option", "a=1", "--option", "a=2"), 2, "'a' must be given"),
    ],
)
def test_a_wrong_option_is_one_line(
    qrnn: Qrnn,
    trained: Path,
    store: JobStore,
    arguments: tuple[str, ...],
    exit_code: int,
    expected: str,
) -> None:
    result = qrnn("submit", trained, "--shots", 50, "--steps", 3, *arguments)
    assert result.exit_code == exit_code
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert store.records() == []


def test_without_an_account_nothing_is_sent(
    qrnn: Qrnn,
    trained: Path,
    store: JobStore,
    no_account: None,
) -> None:
    result = qrnn(
        "submit", trained, "--backend", "ibm_fez", "--shots", 50, "--steps", 3, "--sequences", 1
    )
    assert result.exit_code == 1
    assert "QiskitRuntimeService.save_account" in result.stderr
    assert store.records() == []


def test_results_are_there_after_the_submitting_process_was_killed(
    qrnn: Qrnn,
    qrnn_process: Callable[..., "subprocess.Popen[str]"],
    trained: Path,
    store: JobStore,
) -> None:
    options = ("--backend", "fake_manila", "--shots", "200", "--steps", "3", "--sequences", "1")
    process = qrnn_process("submit", trained, *options)
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    process.kill()
    assert lines[0].startswith("usage    about")
    job = lines[1].removeprefix("job ").strip()
    assert store.get(job).status is JobStatus.SUBMITTED
    first = qrnn("results", job, "--json")
    assert first.exit_code == 0, first.stderr
    assert json.loads(first.stdout)["shots"] == 200
    assert qrnn("results", job, "--json").stdout == first.stdout
