"""Whether a reader took an input as it must: read it, or refused it in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from typer.testing import CliRunner

from qrnn_circuits.command_line import app

REFUSED = (OSError, TypeError, ValueError)
LONGEST = 3100


class FoundError(AssertionError):
    """An input that neither was read nor was refused in one line."""


def qrnn(*arguments: str) -> str:
    """What a command prints, which must end with an exit code and without a traceback."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise FoundError(f"qrnn {arguments} raised") from result.exception
    if "Traceback" in result.output or result.exit_code not in (0, 1, 2):
        raise FoundError(f"qrnn {arguments} ended with {result.exit_code}: {result.output}")
    if result.exit_code and any(len(line) > LONGEST for line in result.output.split("\n")):
        raise FoundError(f"qrnn {arguments} said too much: {result.output[:4000]}")
    if result.exit_code and "rror" not in result.output:
        raise FoundError(f"qrnn {arguments} did not say what is wrong: {result.output}")
    return result.output


def check_message(error: Exception, name: str = "") -> None:
    """Raises where a message is not one short line that names the file."""
    message = str(error)
    if name not in message or "\n" in message.strip() or len(message) > LONGEST:
        raise FoundError(f"the message is no short line on {name!r}: {message[:4000]}") from error


@contextmanager
def without_training() -> Iterator[None]:
    """Commands read what they are given, and do not train."""
    with (
        mock.patch("qrnn_circuits.command_line.train_runs._run"),
        mock.patch("qrnn_circuits.command_line.train_runs.run_seeds"),
        mock.patch("qrnn_circuits.command_line.sweep_runs._work", return_value=None),
    ):
        yield
