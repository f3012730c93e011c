from collections.abc import Callable

import pytest
from typer.testing import Result

import qrnn_circuits

Qrnn = Callable[..., Result]


def test_the_version_is_that_of_the_package(qrnn: Qrnn) -> None:
    result = qrnn("--version")
    assert result.exit_code == 0
    assert result.stdout == f"qrnn-circuits {qrnn_circuits.__version__}\n"


@pytest.mark.parametrize(
    "command", ["train", "evaluate", "sample", "inspect", "run", "submit", "jobs", "results"]
)
def test_every_command_has_a_help_page(qrnn: Qrnn, command: str) -> None:
    assert command in qrnn("--help").stdout
    result = qrnn(command, "--help")
    assert result.exit_code == 0
    assert f"qrnn {command}" in result.stdout


def test_an_unknown_command_is_a_usage_error(qrnn: Qrnn) -> None:
    result = qrnn("tran")
    assert result.exit_code == 2
    assert "tran" in result.stderr
