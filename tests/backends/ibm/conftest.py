from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from qrnn_backends.ibm.device import IBMDevice
    from tests.backends.runtime_server import RuntimeServer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of recorded jobs."""
    return tmp_path / "jobs.sqlite"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[RuntimeServer]":
    """A service on this machine, and Qiskit Runtime's client pointed to it."""
    from tests.backends.runtime_server import RuntimeServer

    with RuntimeServer() as server:
        # No account of whoever runs the tests is read.
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(
            "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE",
            str(tmp_path / "accounts.json"),
        )
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def device(server: "RuntimeServer", path: Path) -> "Callable[..., IBMDevice]":
    """Makes devices that use the service, and ask it again without long waits."""
    from qrnn_backends.ibm.backoff import Backoff
    from qrnn_backends.ibm.device import IBMDevice

    def make(backend: str | None = "ibm_manila", **options: object) -> IBMDevice:
        given = {"jobs": path, "backoff": Backoff(attempts=4, first=0.001)} | options
        return IBMDevice(backend=backend, **given)  # type: ignore[arg-type]

    return make
