import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from qrnn_circuits.command_line.errors import (
    device_errors,
    output_errors,
    run_errors,
    usage_errors,
)
from qrnn_circuits.training import RankError, Ranks


@pytest.mark.parametrize(
    ("rank", "error", "exit_code", "is_told"),
    [
        (0, ValueError("degree"), 2, True),
        (1, ValueError("degree"), 2, False),
        (0, RankError("lost"), 1, True),
        (1, RankError("lost"), 1, True),
    ],
)
def test_of_several_processes_the_first_tells_what_all_know(
    capsys: pytest.CaptureFixture[str], rank: int, error: Exception, exit_code: int, is_told: bool
) -> None:
    ranks = Ranks(rank, 2)
    with pytest.raises(typer.Exit) as ending, run_errors(ranks), usage_errors(ranks):
        raise error
    assert ending.value.exit_code == exit_code
    assert capsys.readouterr().err == (f"Error: {error}\n" if is_told else "")


@pytest.mark.parametrize("allocate", [torch.empty, np.empty])
@pytest.mark.parametrize(
    ("context", "exit_code"), [(usage_errors, 2), (run_errors, 1), (device_errors, 1)]
)
def test_what_does_not_fit_into_memory_is_one_line(
    capsys: pytest.CaptureFixture[str],
    allocate: Callable[[int], object],
    context: Callable[[], AbstractContextManager[None]],
    exit_code: int,
) -> None:
    with pytest.raises(typer.Exit) as ending, context():
        allocate(2**55)
    assert ending.value.exit_code == exit_code
    told = capsys.readouterr().err
    assert told.startswith("Error: there is not enough memory for ")
    assert told.count("\n") == 1


def test_an_error_that_a_package_for_devices_defines_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from qiskit import QuantumCircuit
    from qiskit.circuit import CircuitError

    with pytest.raises(typer.Exit), device_errors():
        QuantumCircuit(1).x(3)
    assert capsys.readouterr().err.startswith("Error: the device has failed: ")
    with pytest.raises(ZeroDivisionError), device_errors():
        _ = 1 / 0
    assert issubclass(CircuitError, Exception)


def test_what_the_system_refuses_is_told_with_a_way_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(typer.Exit), usage_errors():
        (file / "page.html").touch()
    told = capsys.readouterr().err
    assert told.endswith("page.html'. Put that right, or name another place\n")


def test_what_quotes_something_long_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), usage_errors():
        raise ValueError(f"task must be xor, got {'x' * 100_000}")
    told = capsys.readouterr().err
    assert told.startswith("Error: task must be xor, got xxx")
    assert told.endswith("x...\n")
    assert len(told) < 3100


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is full")
@pytest.mark.parametrize("arguments", ["--version", "evaluate --help"])
def test_output_that_cannot_be_written_is_one_line_and_no_success(arguments: str) -> None:
    command = [sys.executable, "-m", "qrnn_circuits", *arguments.split()]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "No space left on device: 'standard output'" in ended.stderr


def test_an_error_that_no_printing_can_give_is_not_told_as_one_of_the_output() -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file or directory")
    with pytest.raises(FileNotFoundError) as raised, output_errors():
        raise error
    assert raised.value is error


@pytest.mark.parametrize("arguments", ["--version", "evaluate /none"])
def test_a_folder_that_has_been_removed_is_told_in_one_line(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "here").mkdir()
    program = f"rmdir ../here && exec {sys.executable} -m qrnn_circuits {arguments}"
    ended = subprocess.run(
        ["sh", "-c", program], cwd=tmp_path / "here", capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: the current folder has been removed: change to")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", ["--version", "evaluate ."])
def test_a_command_without_standard_output_runs(arguments: str, closed: str) -> None:
    program = f"{sys.executable} -m qrnn_circuits {arguments} {closed}"
    ended = subprocess.run(["sh", "-c", program], stderr=subprocess.PIPE, text=True)
    assert ended.returncode == (2 if "evaluate" in arguments else 0)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_signs_that_a_terminal_does_not_know_are_printed_as_their_numbers(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "greek.txt").write_text("äж\nжä\n" * 6, encoding="utf-8")
    train = "train sequences --data greek.txt --out run --workspace 1 --degree 1 --steps 1"
    told = ""
    for arguments in (train, "sample run", "evaluate β"):
        ended = subprocess.run(
            [sys.executable, "-m", "qrnn_circuits", *arguments.split()],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == (2 if "evaluate" in arguments else 0), ended.stderr
        told += (ended.stdout + ended.stderr).decode("utf-8", errors="replace")
    symbols = {"ascii": r"\xe4\u0436", "latin-1": "\N{REPLACEMENT CHARACTER}" + r"\u0436"}
    assert f"2 symbols, '{symbols[encoding]}'" in told
    assert r"there is no run in \u03b2" in told
