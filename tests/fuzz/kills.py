"""Kills commands at random moments and checks that nothing is lost.

``python -m tests.fuzz.kills --kills 200`` kills (by signal 9) training, sweeping, two processes in
one folder, submitting and fetching in turn. What was killed goes on until it is done; then a run
must have the weights of one that nobody disturbed, a sweep the results, and the file of jobs all
jobs that were ever listed, each of which gives one result.

Commands are forks of one process that has imported what they need: to import takes longer than
most of them work, and a kill then finds nothing that could be lost.
"""

import argparse
import gc
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

from qrnn_circuits.command_line import start
from tests.fuzz.mutations import to_toml

_IMPORTED = ("train", "sweep", "submit", "results", "jobs")
_TRAIN = [
    *("train", "xor", "--recipe", "paper", "--length", "6", "--workspace", "2", "--degree", "1"),
    *("--order", "1", "--semantics", "unitary", "--batch-size", "4", "--steps", "40"),
    *("--validate-every", "3", "--checkpoint-every", "2"),
]
# The network of this run and these inputs keep about 100 of the shots.
_SUBMIT = [
    *("--backend", "fake_manila", "--shots", "2600", "--steps", "3", "--sequences", "1", "--json")
]


class Process:
    """A command in a process of its own."""

    def __init__(self, folder: Path, arguments: tuple[str, ...]) -> None:
        self.arguments = arguments
        self.code: int | None = None
        self._files = [folder / f"{name}-{time.monotonic_ns()}" for name in ("out", "err")]
        self._number = os.fork()
        if self._number == 0:
            self._run()

    def _run(self) -> None:
        code = 1
        try:
            for number, file in enumerate(self._files, 1):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
            sys.argv = ["qrnn", *self.arguments]
            start()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # To free what all forks share takes longer than the command.
            os._exit(code)

    def is_running(self) -> bool:
        if self.code is None:
            number, status = os.waitpid(self._number, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if number else None
        return self.code is None

    def kill(self) -> None:
        os.kill(self._number, signal.SIGKILL)

    def end(self) -> tuple[str, str]:
        """Waits for the end, and returns what the command has printed and told of errors."""
        while self.is_running():
            time.sleep(0.005)
        texts = [file.read_text() if file.exists() else "" for file in self._files]
        for file in self._files:
            file.unlink(missing_ok=True)
        return texts[0], texts[1]


class Kills:
    """Commands that are killed, each after a time that is drawn anew."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.folder = folder
        self.rng = rng
        self.count = 0
        self._seconds: dict[str, float] = {}
        os.environ["QRNN_JOBS"] = str(folder / "jobs.sqlite")

    def finish(self, *arguments: str) -> str:
        """What a command prints that nobody disturbs."""
        began = time.monotonic()
        process = Process(self.folder, arguments)
        out, err = process.end()
        assert process.code == 0, (arguments, err)
        # The longest time, so that kills meet all of a command.
        seconds = max(time.monotonic() - began, self._seconds.get(arguments[0], 0.0))
        self._seconds[arguments[0]] = seconds
        return out

    def kill(self, *commands: tuple[str, ...]) -> bool:
        """Kills commands that run at once, and returns whether they had not ended by then."""
        processes = [Process(self.folder, command) for command in commands]
        wait = self.rng.uniform(0, self._seconds[commands[0][0]])
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and any(p.is_running() for p in processes):
            time.sleep(0.005)
        killed = 0
        for process in processes:
            if process.is_running():
                process.kill()
                killed += 1
        for process in processes:
            _, err = process.end()
            assert process.code in (0, 1, 2, -signal.SIGKILL), err
            assert "Traceback" not in err, err
        self.count += killed
        return killed > 0


def train(kills: Kills, name: str, *, processes: int = 1) -> None:
    """Resumes a run until nothing is left to kill, and compares it with an undisturbed one."""
    alone = kills.folder / "alone"
    out = kills.folder / name
    first = (*_TRAIN, "--out", str(out))
    resume = ("train", "xor", "--out", str(out), "--resume")
    for _ in range(8):
        command = resume if (out / "config.json").exists() else first
        if not kills.kill(*[command] * processes):
            break
    kills.finish(*(resume if (out / "config.json").exists() else first))
    for file in ("best", "last"):
        mine, theirs = ((f / f"{file}.safetensors").read_bytes() for f in (out, alone))
        assert mine == theirs, f"{file} of {out} differs from that of an undisturbed run"
    assert not list(out.glob(".*.tmp"))


def sweep(kills: Kills, name: str) -> None:
    """Joins a sweep, by two processes at once, until nothing is left to kill."""
    path = kills.folder / "sweep.toml"
    settings = {"workspace": 2, "degree": 1, "steps": 60, "checkpoint_every": 5}
    path.write_text(to_toml(settings | {"seed": [0, 1, 2], "task_options": {"length": 4}}))

    def command(folder: str) -> tuple[str, ...]:
        out = str(kills.folder / folder)
        return ("sweep", "memorise", "--config", str(path), "--out", out, "--json")

    def results(folder: str) -> list[Any]:
        trials = json.loads(kills.finish(*command(folder)))["trials"]
        return [{k: v for k, v in trial.items() if k != "folder"} for trial in trials]

    expected = kills.folder / "expected.json"
    if not expected.exists():
        expected.write_text(json.dumps(results("sweep-alone")))
    for _ in range(8):
        if not kills.kill(command(name), command(name)):
            break
    assert results(name) == json.loads(expected.read_text())


def jobs(kills: Kills) -> None:
    """Kills submissions and fetches; every job that was listed stays, with one result."""
    submission = ("submit", str(kills.folder / "alone"), *_SUBMIT)

    def listed() -> dict[str, Any]:
        return {job["id"]: job for job in json.loads(kills.finish("jobs", "--json"))}

    before = listed()
    job = json.loads(kills.finish(*submission))["job"]
    for _ in range(3):
        kills.kill(submission, submission)
    after = listed()
    assert before.keys() | {job} <= after.keys()
    if not before:
        kills.finish("results", job, "--json")
    for each in [each for each, record in after.items() if record["status"] != "done"]:
        for _ in range(3):
            if not kills.kill(("results", each), ("results", each, "--json")):
                break
        first = kills.finish("results", each, "--json")
        assert kills.finish("results", each, "--json") == first
    now = listed()
    assert now.keys() == after.keys()
    assert all(record["status"] == "done" for record in now.values())


def main() -> None:
    """Kills as often as wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", nargs="*", help="Names of some scenes.")
    arguments = parser.parse_args()
    for name in _IMPORTED:
        import_module(f"qrnn_circuits.command_line.{name}")
    import_module("qrnn_backends.ibm")
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Path(folder), Random(arguments.seed))
        scenes: dict[str, Callable[[str], None]] = {
            "training": lambda name: train(kills, name),
            "two processes": lambda name: train(kills, name, processes=2),
            "sweeping": lambda name: sweep(kills, name),
            "submitting and fetching": lambda _: jobs(kills),
        }
        kills.finish(*_TRAIN, "--out", str(kills.folder / "alone"))
        done = dict.fromkeys(arguments.scenes or scenes, 0)
        number = 0
        while kills.count < arguments.kills:
            scene = list(done)[number % len(done)]
            before = kills.count
            scenes[scene](f"{number}")
            done[scene] += kills.count - before
            number += 1
            print(f"{kills.count} kills, nothing lost: {done}", flush=True)


if __name__ == "__main__":
    main()
