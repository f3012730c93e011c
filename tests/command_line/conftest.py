import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qrnn_circuits.command_line import app
from qrnn_circuits.job_store import JobStore
from tests.running import TRAIN

if TYPE_CHECKING:
    from tests.backends.runtime_server import RuntimeServer


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digits are the embedded ones unless a test says otherwise."""
    monkeypatch.delenv("QRNN_DATA_DIR", raising=False)


@pytest.fixture
def qrnn() -> Callable[..., Result]:
    """Runs the command in this process."""

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def qrnn_process() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command in a process of its own, as a shell in a terminal does."""
    processes = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "qrnn_circuits", *map(str, arguments)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def tiny() -> tuple[str, ...]:
    """Options of a run whose steps take milliseconds."""
    options = "--length 6 --workspace 2 --degree 2 --batch-size 4 --steps 6 --validate-every 2"
    return tuple(options.split())


@pytest.fixture
def run(qrnn: Callable[..., Result], tiny: tuple[str, ...], tmp_path: Path) -> Path:
    """The folder of a tiny run of XOR."""
    assert qrnn(*TRAIN, *tiny, "--out", tmp_path / "run").exit_code == 0
    return tmp_path / "run"


@pytest.fixture
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of eighty columns, whatever the tests run in."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on 4 wires, with unitary semantics."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    options = "--recipe paper --length 6 --workspace 2 --degree 1 --order 1 --semantics unitary"
    arguments = ["train", "xor", *options.split(), "--steps", "2", "--batch-size", "4"]
    arguments += ["--out", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobStore:
    """The file of jobs that commands use."""
    monkeypatch.setenv("QRNN_JOBS", str(tmp_path / "jobs.sqlite"))
    return JobStore()


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Qiskit Runtime finds no account, whoever runs the tests."""
    for name in ("QISKIT_IBM_TOKEN", "QISKIT_IBM_INSTANCE", "QISKIT_IBM_CHANNEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(
        "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE",
        str(tmp_path / "accounts.json"),
    )


@pytest.fixture
def server(no_account: None, monkeypatch: pytest.MonkeyPatch) -> "Iterator[RuntimeServer]":
    """A service on this machine whose jobs wait, and Qiskit Runtime's client pointed to it."""
    pytest.importorskip("qiskit_ibm_runtime")
    from tests.backends.runtime_server import RuntimeServer

    with RuntimeServer(outcome="Queued") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server
