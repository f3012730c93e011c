"""Watching runs in other processes, and what commands say of them."""

import subprocess
import time
from pathlib import Path

from typer.testing import Result

from qrnn_circuits.training import CheckpointError, RunFolder
from qrnn_circuits.training.checkpoint import read_checkpoint


def wait_for_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    """Returns once a running process has saved this step or a later one."""
    path = RunFolder(folder).checkpoint_path("last")
    while process.poll() is None:
        try:
            if read_checkpoint(path).step >= step:
                return
        except CheckpointError:
            pass
        time.sleep(0.001)
    raise AssertionError(f"the process ended before step {step}: {process.communicate()}")


def message(result: Result) -> str:
    """The one line on the standard error of a command that refused to run."""
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


# The paper's settings leave the number of steps open, and a network of four wires and more.
TRAIN = ("train", "xor", "--recipe", "paper")
