import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from qrnn_circuits.command_line import app
from qrnn_circuits.job_store import JobStatus, JobStore
from tests.running import TRAIN

if TYPE_CHECKING:
    from tests.backends.runtime_server import RuntimeServer

pty = pytest.importorskip("pty")

Qrnn = Callable[..., Result]

# What a process may take to end, though native code in it would go on for minutes.
LIMIT = 3.0


class Terminal:
    """A process whose standard error is a terminal."""

    def __init__(self, *command: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "200"},
        )
        os.close(theirs)
        self.shown = ""

    def close(self) -> None:
        """Frees what the test has of the process."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        os.close(self._ours)

    def read(self, until: str | None = None) -> str:
        """What the terminal was told, up to a text or to the end."""
        deadline = time.monotonic() + 120
        while until is None or until not in self.shown:
            assert time.monotonic() < deadline, self.shown
            try:
                if select.select([self._ours], [], [], 0.1)[0]:
                    self.shown += os.read(self._ours, 65536).decode()
            except OSError:  # nobody has the other end any more
                break
        assert until is None or until in self.shown, self.shown
        return self.shown

    def output(self) -> str:
        """What the process wrote to its standard output, once it has ended."""
        assert self.process.stdout is not None
        self.process.wait(timeout=120)
        return self.process.stdout.read()

    def interrupt(self, number: int = signal.SIGINT) -> str:
        """Ends the process by a signal, in time; gives the last line."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=LIMIT)
        assert time.monotonic() - start < LIMIT
        # The line begins where what was shown before it is cleared.
        return self.read().replace("\x1b[2K", "\n").strip().splitlines()[-1]


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(*command: str | Path) -> Terminal:
        started.append(Terminal(*map(str, command)))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        each.close()


@pytest.fixture
def program(terminal: Callable[..., Terminal]) -> Callable[[str], Terminal]:
    """Runs a worker's lines in a watched process."""

    def start(lines: str) -> Terminal:
        head = "import ctypes, os, signal, sys, time\n"
        head += "from qrnn_circuits.command_line.waiting import clear, doing, watched\n"
        body = "".join(f"    {line}\n" for line in lines.splitlines())
        return terminal(sys.executable, "-c", f"{head}with watched():\n{body}")

    return start


Program = Callable[[str], Terminal]

# Keeps Python's lock, as native code does.
NATIVE = "ctypes.PyDLL(None).sleep(60)"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_native_code_that_keeps_pythons_lock(program: Program, number: int) -> None:
    run = program(f"doing('simulating [1 of 2]', 'It is on record.')\n{NATIVE}")
    run.read("simulating [1 of 2]  0:00:01")
    name = signal.Signals(number).name
    line = f"Interrupted ({name}) while simulating [1 of 2]. It is on record."
    assert run.interrupt(number) == line
    assert run.process.returncode == 128 + number


def test_work_that_is_done_is_not_said_to_be_interrupted(program: Program) -> None:
    run = program("doing('drawing')\nclear()\nprint('done', file=sys.stderr)\ntime.sleep(60)")
    run.read("done\r\n")
    assert run.interrupt() == "Interrupted (SIGINT) while printing."


@pytest.mark.parametrize(("ending", "code"), [("sys.exit(3)", 3), ("pass", 0), ("1 / 0", 1)])
def test_the_exit_code_and_the_output_are_the_workers(
    program: Program, ending: str, code: int
) -> None:
    run = program(f"print('{{}}')\n{ending}")
    assert run.output() == "{}\n"
    assert run.process.returncode == code
    assert ("ZeroDivisionError" in run.read()) == (code == 1)


def test_a_worker_that_the_system_ends_is_an_error(program: Program) -> None:
    run = program("os.kill(os.getpid(), signal.SIGKILL)")
    assert run.process.wait(timeout=60) == 128 + signal.SIGKILL
    assert run.read().strip() == "Error: SIGKILL ended the command"


def test_the_terminal_is_free_while_the_worker_writes_there(program: Program) -> None:
    run = program(
        "doing('compiling')\ntime.sleep(1.2)\nclear()\nprint('line', file=sys.stderr)\n"
        "time.sleep(1)\ndoing('running')\ntime.sleep(1.2)"
    )
    run.process.wait(timeout=60)
    shown = run.read()
    assert "compiling  0:00:01" in shown
    before, after = shown.split("line\r\n")
    # Cleared, with the cursor to be seen again, and nothing more until there is something new.
    assert before.endswith("\x1b[?25h\r\x1b[1A\x1b[2K")
    assert "compiling" not in after
    assert "running  0:00:01" in after


def test_a_worker_ends_with_the_process_that_watches(program: Program) -> None:
    run = program("print(os.getpid(), flush=True)\ntime.sleep(60)")
    assert run.process.stdout is not None
    worker = int(run.process.stdout.readline())
    assert worker != run.process.pid
    start = time.monotonic()
    run.process.kill()
    # The worker holds the terminal open as long as it lives.
    run.read()
    assert time.monotonic() - start < LIMIT


@pytest.fixture
def qrnn_terminal(terminal: Callable[..., Terminal]) -> Callable[..., Terminal]:
    """Starts the command in a terminal."""
    return lambda *arguments: terminal(sys.executable, "-m", "qrnn_circuits", *map(str, arguments))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose amplified neurons have thousands of gates."""
    folder = tmp_path_factory.mktemp("large") / "run"
    options = "--length 6 --workspace 4 --degree 3 --order 2 --semantics unitary --steps 1"
    arguments = [
        *TRAIN,
        *options.split(),
        "--batch-size",
        "4",
        "--out",
        str(folder),
    ]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return folder


ONE = ("--steps", 2, "--sequences", 1)
AMPLIFIED = ("--realisation", "amplified", "--backend", "fake_fez")


def test_ctrl_c_ends_qrnn_inspect_in_a_transpilation(
    qrnn_terminal: Callable[..., Terminal], large: Path
) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    run = qrnn_terminal("inspect", large, *AMPLIFIED, "--json")
    run.read("transpiling realisation 1 of 1, amplified  0:00:01")
    line = run.interrupt()
    assert line == "Interrupted (SIGINT) while transpiling realisation 1 of 1, amplified."
    assert run.process.returncode == 130
    assert run.output() == ""


def test_ctrl_c_ends_qrnn_submit_in_a_transpilation_and_nothing_was_sent(
    qrnn_terminal: Callable[..., Terminal], large: Path, store: JobStore
) -> None:
    pytest.importorskip("qiskit_ibm_runtime")
    run = qrnn_terminal("submit", large, *AMPLIFIED, "--shots", 10**7, *ONE)
    run.read("transpiling 1 circuit(s)  0:00:02")
    line = run.interrupt()
    assert line == "Interrupted (SIGINT) while transpiling 1 circuit(s). Nothing was sent."
    assert run.process.returncode == 130
    assert store.records() == []


def test_ctrl_c_ends_qrnn_run_in_a_simulation(
    qrnn_terminal: Callable[..., Terminal], trained: Path
) -> None:
    pytest.importorskip("qiskit_aer")
    run = qrnn_terminal("run", trained, "--device", "qrnn.aer", "--shots", 10**7, *ONE)
    run.read("running 1 circuit(s) on qrnn.aer  0:00:02")
    assert run.interrupt() == "Interrupted (SIGINT) while running 1 circuit(s) on qrnn.aer."
    assert run.process.returncode == 130


def test_ctrl_c_ends_qrnn_results_in_a_simulation_and_the_job_is_kept(
    qrnn: Qrnn, qrnn_terminal: Callable[..., Terminal], trained: Path, store: JobStore
) -> None:
    pytest.importorskip("qiskit_aer")
    options = ("--backend", "fake_manila", "--shots", 10**7, *ONE)
    assert qrnn("submit", trained, *options).exit_code == 0
    (record,) = store.records()
    run = qrnn_terminal("results", record.id)
    run.read(f"waiting for job {record.id} on fake_manila  0:00:02")
    assert run.interrupt() == (
        f"Interrupted (SIGINT) while waiting for job {record.id} on fake_manila. "
        f"The job is on record, get it with: qrnn results {record.id}"
    )
    assert run.process.returncode == 130
    assert store.get(record.id).status is JobStatus.SUBMITTED


def test_ctrl_c_ends_the_wait_of_qrnn_run_for_the_service_which_keeps_the_job(
    qrnn: Qrnn,
    qrnn_terminal: Callable[..., Terminal],
    trained: Path,
    store: JobStore,
    server: "RuntimeServer",
) -> None:
    options = ("--device", "qrnn.ibm", "--backend", "ibm_manila", "--shots", 300)
    run = qrnn_terminal("run", trained, *options, *ONE, "--json")
    run.read("on ibm_manila  0:00:01")
    line = run.interrupt()
    (record,) = store.records()
    assert line.endswith(f"The job is on record, get it with: qrnn results {record.id}")
    assert run.process.returncode == 130
    (sent,) = server.jobs.values()
    sent.status = "Completed"
    result = qrnn("results", record.id, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["shots"] == 300


def test_without_a_terminal_nothing_is_shown(
    qrnn_process: Callable[..., "subprocess.Popen[str]"], trained: Path
) -> None:
    pytest.importorskip("qiskit")
    output, errors = qrnn_process("inspect", trained, "--json").communicate(timeout=120)
    assert errors == ""
    assert json.loads(output)["target"] is None


_INTERRUPTED_IMPORT = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

from qrnn_circuits.command_line import start
sys.meta_path.insert(0, Finder())
start()
"""


@pytest.mark.parametrize("module", ["typer", "rich.console", "numpy", "numpy.random", "torch"])
def test_ctrl_c_while_a_module_is_imported_is_one_line(module: str, tmp_path: Path) -> None:
    code = _INTERRUPTED_IMPORT.format(module=module)
    command = [sys.executable, "-c", code, "train", "xor", "--out", str(tmp_path / "run")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "Interrupted (SIGINT).\n")
    assert not (tmp_path / "run").exists()
