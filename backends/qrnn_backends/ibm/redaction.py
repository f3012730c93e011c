"""What Qiskit Runtime's client logs, without tokens."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Packages whose loggers may repeat what the service says.
_CLIENTS = ("qiskit_ibm_runtime", "ibm_cloud_sdk_core", "ibm_platform_services", "urllib3")


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
        return True
