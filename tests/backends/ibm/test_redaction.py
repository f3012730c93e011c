import base64
import html
import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pennylane as qml
import pytest

from qrnn_backends.ibm.backoff import Backoff
from qrnn_backends.ibm.device import IBMDevice
from qrnn_backends.ibm.redaction import redacted, secrets_of, without_secrets
from qrnn_backends.ibm.service import ServiceError
from qrnn_circuits.job_store import JobStore
from tests.backends.runtime_server import TOKEN, Fault, RuntimeServer

TOKENS = [
    "not-for-anyone-else-0123456789",
    r"a.b*c+d?(e)[f]{g}|h^$\1\g<0>",
    "tok/en+with=and&and%20 x",
    "\u00fc\u00f1\u00ed-t\u00f6k\u00e9n-\u6f22\u5b57-1234",
    "quote\"and'back\\slash-99",
    "<b>html&amp;</b>-token-7",
    "%41%42%43%44%45%46",
    "A" * 500,
]
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "path": quote,
    "query": lambda token: quote(token, safe=""),
    "form": quote_plus,
    "lower case": lambda token: quote(token, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "JSON": lambda token: json.dumps(token)[1:-1],
    "Python": lambda token: repr(token)[1:-1],
    "bytes": lambda token: repr(token.encode())[2:-1],
    "HTML": html.escape,
    "base64": lambda token: base64.b64encode(token.encode()).decode(),
    "URL-safe base64": lambda token: base64.urlsafe_b64encode(token.encode()).decode(),
    "basic": lambda token: base64.b64encode(b"apikey:" + token.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_found_however_it_is_written(token: str, form: str) -> None:
    written = FORMS[form](token)
    told = without_secrets(f"no, {written}, no", [token])
    assert told.replace("=", "") == "no, <token>, no"


@pytest.mark.parametrize("token", ["abc", "7", "e", "to"])
def test_a_very_short_token_leaves_the_words_that_hold_its_letters(token: str) -> None:
    text = f"cannot fetch the abcd 77 {token}, ({token}) of it"
    assert without_secrets(text, [token]) == "cannot fetch the abcd 77 <token>, (<token>) of it"


def test_of_two_tokens_one_of_which_begins_the_other_nothing_is_left() -> None:
    for secrets in (["secret-12", "secret-12-34"], ["secret-12-34", "secret-12"]):
        assert without_secrets("secret-12-34 secret-12", secrets) == "<token> <token>"


@pytest.mark.parametrize("secret", [None, "", "  ", 5])
def test_what_is_no_token_changes_nothing(secret: object) -> None:
    assert without_secrets("5 words of  a text", [secret]) == "5 words of  a text"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("at https://me:pass@host:443/x", "at https://<token>@host:443/x"),
        ("Authorization: Basic bWU6cGFzcw==", "Authorization: <token>"),
        ("{'Authorization': 'Bearer abc.def'}", "{'Authorization': '<token>'}"),
        ("apikey 12345 is unknown", "apikey <token> is unknown"),
        ("/token?apikey=12345&x=1", "/token?apikey=<token>&x=1"),
        ('{"access_token": "12345", "x": 1}', '{"access_token": "<token>", "x": 1}'),
        ("got eyJhbGciOiJI.eyJpYXQiOjF9.c2ln here", "got <token> here"),
    ],
)
def test_credentials_are_known_by_their_place(text: str, told: str) -> None:
    assert without_secrets(text, []) == told


def test_the_words_of_messages_stay() -> None:
    text = (
        "cannot send the job: the service does not accept the account's token. 401 Client Error: "
        "Unauthorized for url: http://127.0.0.1:41769/experimental/jobs. basic gates: cz, rz"
    )
    assert without_secrets(text, [TOKEN]) == text


def test_the_password_of_a_proxy_is_a_secret_of_the_account() -> None:
    proxies = {"urls": {}, "username_ntlm": "me", "password_ntlm": "hidden-1"}
    assert secrets_of({"token": "a", "proxies": proxies}) == ["a", "hidden-1"]
    assert secrets_of({}) == [None, None]


def test_neither_a_logged_stack_nor_a_logged_traceback_holds_a_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("qiskit_ibm_runtime.redaction")
    # The stack shows the line with the call, the traceback that with the error.
    secrets = ["stack_info=True", "raise ValueError"]
    with redacted(lambda text: without_secrets(text, secrets)):
        logger.warning("here", stack_info=True)
        try:
            raise ValueError
        except ValueError:
            logger.exception("there")
    assert "here" in caplog.text
    assert caplog.text.count("<token>") >= 2
    assert not any(secret in caplog.text for secret in secrets)


@pytest.mark.parametrize("form", ["as it is", "query", "base64", "basic"])
def test_neither_the_error_nor_what_led_to_it_nor_the_record_holds_the_token(
    device: Callable[..., IBMDevice], server: RuntimeServer, path: Path, form: str
) -> None:
    written = FORMS[form](TOKEN)
    server.faults = [Fault("POST", "/jobs", 400, message=f"no, {written}, no")]
    dev = device(backoff=Backoff(attempts=1))
    tape = qml.tape.QuantumScript([qml.X(0)], [qml.probs(wires=0)], shots=10)
    with pytest.raises(ServiceError, match="no, <token>") as caught:
        dev.submit([tape])
    error: BaseException | None = caught.value
    while error is not None:
        assert written not in str(error)
        error = error.__context__ or error.__cause__
    assert written not in "".join(traceback.format_exception(caught.value))
    (record,) = JobStore(path).records()
    assert written not in str(record.error)
