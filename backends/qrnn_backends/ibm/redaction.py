"""Texts of Qiskit Runtime's client and of the service, without tokens."""

import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

# Packages whose loggers may repeat what the service says.
_CLIENTS = ("qiskit_ibm_runtime", "ibm_cloud_sdk_core", "ibm_platform_services", "urllib3")
_MARK = "<token>"
# Characters of a token below which it may be part of any word.
_SHORT = 8
# What tells a credential by its place, whoever's it is.
_PLACES = (
    # The user and the password of a URL.
    (re.compile(r"(\w://)[^\s/@:]*:[^\s/@]+@"), rf"\1{_MARK}@"),
    (
        re.compile(r"(?i)(\bauthorization['\"]?\s*[:=]\s*['\"]?)(?:[a-z]+\s+)?[^\s'\",]+"),
        rf"\1{_MARK}",
    ),
    (re.compile(r"(?i)\b(apikey|bearer)\s+[^\s'\",]+"), rf"\1 {_MARK}"),
    (
        re.compile(
            r"(?i)\b(apikey|api_key|access_token|refresh_token|password)(['\"]?\s*[:=]\s*['\"]?)"
            r"[^\s'\",&]+"
        ),
        rf"\1\2{_MARK}",
    ),
    # A JSON web token, as IBM Cloud gives one for an API key.
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), _MARK),
)


def without_secrets(text: str, secrets: Iterable[object]) -> str:
    """A text with a mark in place of each secret, however it is written, and of each credential.

    Args:
        text: Of a service or a client.
        secrets: Tokens and passwords; what is no text, or empty, is none.
    """
    known = {secret.strip() for secret in secrets if isinstance(secret, str)} - {""}
    # One may begin with another.
    for form in sorted(
        {form for secret in known for form in _forms(secret)}, key=len, reverse=True
    ):
        found = re.escape(form)
        if len(form) < _SHORT:
            found = rf"(?<!\w){found}(?!\w)"
        # Escapes of URLs are written in either case.
        text = re.sub(found, _MARK, text, flags=re.IGNORECASE if "%" in form else 0)
    for pattern, mark in _PLACES:
        text = pattern.sub(mark, text)
    return text


def secrets_of(account: Mapping[str, Any]) -> list[object]:
    """The token of an account, and the password of its proxy."""
    proxies = account.get("proxies")
    password = proxies.get("password_ntlm") if isinstance(proxies, Mapping) else None
    return [account.get("token"), password]


def _forms(secret: str) -> Iterator[str]:
    """How a secret may be written: as it is, in URLs, JSON, Python, HTML and headers."""
    encoded = secret.encode(errors="surrogateescape")
    yield secret
    yield from (quote(encoded), quote(encoded, safe=""), quote_plus(encoded))
    for text in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)):
        yield text[1:-1]
    yield repr(encoded)[2:-1]
    yield escape(secret)
    for credentials in (encoded, b"apikey:" + encoded):
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(credentials).decode().rstrip("=")


@contextmanager
def redacted(clean: Callable[[str], str]) -> Iterator[None]:
    """Without tokens in what the client logs, which repeats the service's errors.

    Args:
        clean: From a text to the same without tokens.
    """
    redaction = _Redaction(clean)
    manager = logging.Logger.manager
    names = [name for name in list(manager.loggerDict) if name.split(".")[0] in _CLIENTS]
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(redaction)


class _Redaction(logging.Filter):
    """Cleans a record before any handler has it."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__()
        self._clean = clean

    def filter(self, record: logging.LogRecord) -> bool:
        """Keeps every record."""
        record.msg, record.args = self._clean(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = self._clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = self._clean(record.stack_info)
        return True
