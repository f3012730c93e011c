import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("qiskit_aer")
pytest.importorskip("qiskit_ibm_runtime")

from qiskit_ibm_runtime import QiskitRuntimeService

from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.connection import NoAccountError
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.ibm.service import RuntimeService, ServiceError
from qrnn_circuits.job_store import JobStatus, JobStore
from tests.backends.runtime_server import INSTANCE, TOKEN, Fault, RuntimeServer
from tests.backends.tapes import flip


def saved_alone(monkeypatch: pytest.MonkeyPatch, token: str = TOKEN) -> None:
    """Saves an account, and takes the token of the environment away."""
    QiskitRuntimeService.save_account(
        token=token, url=os.environ["QISKIT_IBM_URL"], instance=INSTANCE
    )
    monkeypatch.delenv("QISKIT_IBM_TOKEN")


def test_no_account_is_said_with_how_to_save_one(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    for use in (device().submit, device("least_busy").submit, device().estimate):
        with pytest.raises(NoAccountError, match=r"(?s)save_account.*QISKIT_IBM_TOKEN.*fake_fez"):
            use([flip()])
    assert not server.requests
    assert JobStore(path).records() == []


def test_a_damaged_file_of_accounts_is_told_without_what_is_in_it(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("QISKIT_IBM_TOKEN")
    (tmp_path / "accounts.json").write_text('{"default": {"token": "' + TOKEN)
    with pytest.raises(
        NoAccountError, match=r"accounts .* cannot be read.*`qrnn doctor`"
    ) as caught:
        device().submit([flip()])
    error: BaseException | None = caught.value
    while error is not None:
        assert TOKEN not in f"{error} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert not server.requests


def test_a_saved_account_is_used(
    device: Callable[..., IBMDevice], server: RuntimeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_alone(monkeypatch)
    device().submit([flip()])
    assert len(server.jobs) == 1


def test_a_wrong_token_is_not_tried_again_and_not_told(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    wrong = "wrong-token-987654321"
    job = device().submit([flip()])
    monkeypatch.setenv("QISKIT_IBM_TOKEN", wrong)
    server.requests.clear()
    with pytest.raises(ServiceError, match="does not accept the account's token") as caught:
        device().fetch(job)
    assert server.requests["POST /identity"] == 1
    with pytest.raises(ServiceError) as refused:
        device().submit([flip()])
    saved_alone(monkeypatch, wrong)
    with pytest.raises(ServiceError) as saved:
        device().submit([flip()])
    told = f"{caught.value}{refused.value}{saved.value}{caplog.text}{''.join(capfd.readouterr())}"
    assert wrong not in told
    assert len(server.jobs) == 1


def test_the_token_is_nowhere_on_disk_or_in_errors(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, "qrnn_circuits")
    dev = device(mode="session")
    dev.fetch(dev.submit([flip()]))
    # A server that repeats what it was told.
    server.faults = [Fault("POST", "/jobs", 400, message=f"apikey {TOKEN} may not do this")]
    with pytest.raises(ServiceError, match="may not do this") as caught:
        dev.submit([flip()])
    assert TOKEN not in f"{caught.value}{caplog.text}{dev!r}{''.join(capfd.readouterr())}"
    failed, done = JobStore(path).records()
    assert (failed.status, done.status) == (JobStatus.FAILED, JobStatus.DONE)
    for file in path.parent.iterdir():
        assert TOKEN.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("saved", [False, True])
def test_what_the_client_logs_holds_no_token(
    device: Callable[..., IBMDevice],
    server: RuntimeServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    saved: bool,
) -> None:
    if saved:
        saved_alone(monkeypatch)
    client = logging.getLogger("qiskit_ibm_runtime")
    monkeypatch.setattr(client, "handlers", [caplog.handler])
    monkeypatch.setattr(client, "level", logging.DEBUG)
    fault = Fault("GET", "/backends/ibm_manila/configuration", 400, message=f"no, {TOKEN}, no")
    server.faults = [fault]
    with pytest.raises(ServiceError) as caught:
        device(backoff=Backoff(attempts=1)).submit([flip()])
    assert "no, <token>, no" in caplog.text, "the service's words are logged"
    assert TOKEN not in f"{caught.value}{caplog.text}"


def test_the_saved_accounts_are_read_once_for_a_question(
    server: RuntimeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reads = []
    read = QiskitRuntimeService.saved_accounts

    def counted() -> object:
        reads.append(1)
        return read()

    monkeypatch.setattr(QiskitRuntimeService, "saved_accounts", counted)
    caplog.set_level(logging.DEBUG, "qiskit_ibm_runtime")
    caplog.set_level(logging.DEBUG, "urllib3")
    assert RuntimeService(backoff=Backoff(attempts=4, first=0.001)).find("nothing") is None
    assert len(caplog.records) > 1
    assert len(reads) == 1
