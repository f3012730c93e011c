import json
import os
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pennylane as qml
import pytest
from typer.testing import Result

from qrnn_backends.mitigation import _mitigations
from qrnn_circuits.cells import CELLS
from qrnn_circuits.circuits.realisations import REALISATIONS
from qrnn_circuits.command_line import diagnosis
from qrnn_circuits.forecaster import LAYERS
from qrnn_circuits.job_store import JobRecord, JobStore
from qrnn_circuits.reproduction.measurements import MEASUREMENTS
from qrnn_circuits.tasks import TASKS

Qrnn = Callable[..., Result]

TOKEN = "not-for-anyone-else-0123456789"
INSTANCE = "crn:v1:bluemix:public:quantum-computing:us-east:a/0:1::"


@pytest.fixture(autouse=True)
def sound(store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is amiss and nothing set up, whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_CHANNEL", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def flat(result: Result) -> str:
    """What was printed, without the breaks and columns of a table."""
    return " ".join(result.output.split())


def problems(result: Result) -> list[str]:
    return [line for line in result.output.splitlines() if line.startswith("Problem: ")]


def test_a_sound_installation_has_no_problem(qrnn: Qrnn, store: JobStore) -> None:
    result = qrnn("doctor")
    assert (result.exit_code, problems(result)) == (0, []), result.output
    text = flat(result)
    for package in ("numpy", "torch", "pennylane"):
        assert f"{package} {version(package)}" in text
    for optional in ("mthree", "optuna", "qiskit-ibm-runtime", "reservoirpy", "umap-learn"):
        assert f" {optional} " in text
    assert "qrnn.torch installed" in text
    assert "IBM account none; chips whose names begin with fake_ need none" in text
    assert "data folder none" in text
    assert f"jobs 0 in {store.path}, 0 without results yet" in text
    assert "up to one a core" in text
    assert text.endswith("No problem found.")


def test_the_data_folder_may_be_named_from_the_home_folder(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits").mkdir()
    monkeypatch.setenv("QRNN_DATA_DIR", "~/digits")
    result = qrnn("doctor")
    assert (result.exit_code, problems(result)) == (0, []), result.output
    assert f"data folder {tmp_path / 'digits'}" in flat(result)


def test_nothing_heavy_is_imported() -> None:
    program = """
import sys
from qrnn_circuits.command_line import app
try:
    app(["doctor"])
except SystemExit:
    pass
heavy = {"torch", "pennylane", "qiskit", "numpy"} & sys.modules.keys()
assert not heavy, heavy
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_accounts_are_named_without_secrets(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".qiskit" / "qiskit-ibm.json"
    path.parent.mkdir()
    account = {"channel": "ibm_cloud", "token": TOKEN, "instance": INSTANCE, "url": "https://x"}
    path.write_text(json.dumps({"mine": account, "[red]empty": account | {"token": ""}}))
    monkeypatch.setenv("QISKIT_IBM_TOKEN", f"{TOKEN}-too")
    result = qrnn("doctor")
    text = flat(result)
    assert "IBM account in the environment (default channel)" in text
    assert f"IBM account mine (ibm_cloud), saved in {path}" in text
    assert TOKEN not in text
    assert INSTANCE not in text
    (problem,) = problems(result)
    assert problem.startswith("Problem: IBM account, [red]empty (ibm_cloud)")
    assert problem.endswith("it has no token: save it again")


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", '{"a": 5}', '{"a": {"channel": "x"}}', "[" * 5000, "folder"]
)
def test_accounts_that_cannot_be_read_are_one_problem(
    qrnn: Qrnn, tmp_path: Path, content: str
) -> None:
    path = tmp_path / ".qiskit" / "qiskit-ibm.json"
    path.parent.mkdir()
    if content == "folder":
        os.mkfifo(path)
    else:
        path.write_text(content)
    result = qrnn("doctor")
    assert result.exit_code == 1
    (problem,) = problems(result)
    assert f"{path} cannot be read" in problem
    assert "save the account again" in problem


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("QRNN_DATA_DIR", "/no/such [/x]", "it is no folder: correct or unset QRNN_DATA_DIR"),
        ("OMP_NUM_THREADS", "many", "must be a positive number: correct or unset it"),
        ("MKL_NUM_THREADS", "0", "must be a positive number: correct or unset it"),
    ],
)
def test_variables_that_are_set_wrongly_are_problems(
    qrnn: Qrnn, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = qrnn("doctor")
    assert result.exit_code == 1
    (found,) = problems(result)
    assert value in found
    assert found.endswith(problem)


def test_jobs_are_counted_and_damaged_ones_are_a_problem(qrnn: Qrnn, store: JobStore) -> None:
    records = [
        store.add(
            JobRecord(
                device="qrnn.ibm", backend="x", mode="job", circuits=1, shots=1, circuit_hash=""
            ),
            {},
        )
        for _ in range(3)
    ]
    store.finished(records[0].id, b"")
    assert f"jobs 3 in {store.path}, 2 without results yet" in flat(qrnn("doctor"))
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE jobs SET context = 5 WHERE id = ?", (records[1].id,))
        connection.commit()
    result = qrnn("doctor")
    assert result.exit_code == 1
    (problem,) = problems(result)
    assert "damaged are 1: `qrnn jobs` says which" in problem


def test_jobs_that_everybody_can_read_are_a_problem(qrnn: Qrnn, store: JobStore) -> None:
    record = JobRecord(
        device="qrnn.ibm", backend="x", mode="job", circuits=1, shots=1, circuit_hash=""
    )
    store.add(record, {})
    for mode in (0o600, 0o640):
        store.path.chmod(mode)
        assert not problems(qrnn("doctor"))
    store.path.chmod(0o644)
    (problem,) = problems(qrnn("doctor"))
    assert problem.endswith(f"everybody can read it: chmod 600 {shlex.quote(str(store.path))}")


def test_a_token_in_place_of_a_channel_is_not_told(
    qrnn: Qrnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".qiskit" / "qiskit-ibm.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"mine": {"channel": TOKEN, "token": TOKEN}}))
    monkeypatch.setenv("QISKIT_IBM_TOKEN", TOKEN)
    monkeypatch.setenv("QISKIT_IBM_CHANNEL", TOKEN)
    result = qrnn("doctor")
    assert flat(result).count("(unknown channel)") == 2
    assert TOKEN not in flat(result)


def test_a_foreign_file_of_jobs_is_a_problem(qrnn: Qrnn, store: JobStore) -> None:
    store.path.write_text("notes" * 1000)
    result = qrnn("doctor")
    assert result.exit_code == 1
    (problem,) = problems(result)
    assert f"cannot use {store.path} as the file of jobs" in problem


def test_packages_that_are_lacking_or_old_are_problems(
    qrnn: Qrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = [
        "numpy>=99",
        "no-such-package>=1",
        'torch>=1; extra == "qiskit"',
        'no-such-simulator; extra == "qiskit"',
        'no-such-search; extra == "sweep"',
        'packaging; extra == "sweep"',
        'no-such-tool; extra == "peers"',
    ]
    monkeypatch.setattr(diagnosis, "requires", lambda package: needed)
    # Of the extra "sweep", no module is there, but a package that others need as well.
    extras = {"torch": "qiskit", "no_such_search": "sweep"}
    monkeypatch.setattr(diagnosis, "EXTRAS", extras)
    result = qrnn("doctor")
    assert result.exit_code == 1
    old, lacking, half = problems(result)
    assert old.endswith("must be >=99: pip install qrnn-circuits --upgrade")
    assert lacking.endswith("no-such-package, not installed: pip install qrnn-circuits")
    assert half.endswith('no-such-simulator, not installed: pip install "qrnn-circuits[qiskit]"')
    text = flat(result)
    assert 'no-such-search not installed, optional: pip install "qrnn-circuits[sweep]"' in text
    assert 'qrnn.aer not installed, optional: pip install "qrnn-circuits[qiskit]"' in text
    assert "no-such-tool" not in text


def test_devices_that_pennylane_does_not_find_are_problems(
    qrnn: Qrnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "entry_points", lambda group: [])
    result = qrnn("doctor")
    assert result.exit_code == 1
    assert len(problems(result)) == len(diagnosis.DEVICES)
    assert "qrnn.torch, unknown to PennyLane: pip install --force-reinstall" in result.output


def test_loading_a_broken_device_is_a_problem(qrnn: Qrnn, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("qiskit_aer")
    pytest.importorskip("qiskit_ibm_runtime")
    assert "qrnn.ibm loads" in flat(qrnn("doctor", "--load"))
    make = qml.device

    def broken(name: str) -> object:
        if name == "qrnn.aer":
            raise OSError("libgomp is not there\nat all")
        return make(name)

    monkeypatch.setattr(qml, "device", broken)
    result = qrnn("doctor", "--load")
    assert result.exit_code == 1
    (problem,) = problems(result)
    assert "qrnn.aer, does not load (OSError: libgomp is not there at all)" in problem
    assert 'pip install --force-reinstall "qrnn-circuits[qiskit]"' in problem


def test_the_doctor_looks_for_plug_ins_of_every_registry() -> None:
    registries = (TASKS, CELLS, LAYERS, REALISATIONS, MEASUREMENTS, _mitigations)
    assert {*diagnosis._PLUG_INS} == {registry.group for registry in registries}
