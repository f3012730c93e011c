"""Kills commands at random moments and checks that nothing is lost.

``python -m tests.fuzz.kills --kills 200`` kills (by signal 9) training, sweeping, two processes in
one folder, submitting and fetching in turn. What was killed goes on until it is done; then a run
must have the weights of one that nobody disturbed, a sweep the results, and the file of jobs all
jobs that were ever listed, with the same results.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import to_toml

_PROGRAM = "from qrnn_circuits.command_line import start; start()"
_TRAIN = [
    "train",
    "xor",
    "--recipe",
    "paper",
    "--length",
    "6",
    "--workspace",
    "2",
    "--degree",
    "1",
    "--order",
    "1",
    "--semantics",
    "unitary",
    "--batch-size",
    "4",
    "--steps",
    "40",
    "--validate-every",
    "3",
    "--checkpoint-every",
    "2",
]


class Kills:
    """Commands that are killed, each after a time that is drawn anew."""

    def __init__(self, folder: Path, rng: Random) -> None:
        self.folder = folder
        self.rng = rng
        self.count = 0
        self.environment = os.environ | {"QRNN_JOBS": str(folder / "jobs.sqlite")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *arguments: str) -> str:
        """What a command prints that nobody disturbs."""
        process = self.start(*arguments)
        out, err = process.communicate()
        assert process.returncode == 0, (arguments, err)
        return out

    def kill(self, seconds: tuple[float, float], *commands: tuple[str, ...]) -> bool:
        """Kills commands that run at once, and returns whether they had not ended by then."""
        processes = [self.start(*command) for command in commands]
        wait = self.rng.uniform(*seconds)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and any(p.poll() is None for p in processes):
            time.sleep(0.005)
        killed = 0
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
        for process in processes:
            _, err = process.communicate()
            assert process.returncode in (0, 1, 2, -signal.SIGKILL), err
            assert "Traceback" not in err, err
        self.count += killed
        return killed > 0


def train(kills: Kills, name: str, seconds: tuple[float, float], *, processes: int = 1) -> None:
    """Resumes a run until nothing is left to kill, and compares it with an undisturbed one."""
    alone = kills.folder / "alone"
    if not alone.exists():
        kills.finish(*_TRAIN, "--out", str(alone))
    out = kills.folder / name
    first = (*_TRAIN, "--out", str(out))
    resume = ("train", "xor", "--out", str(out), "--resume")
    kills.kill(seconds, *[first] * processes)
    for _ in range(6):
        command = resume if out.exists() else first
        if not kills.kill(seconds, *[command] * processes):
            break
    if out.exists():
        kills.finish(*resume)
    else:
        kills.finish(*first)
    for file in ("best", "last"):
        mine, theirs = ((f / f"{file}.safetensors").read_bytes() for f in (out, alone))
        assert mine == theirs, f"{file} of {out} differs from that of an undisturbed run"
    assert not list(out.glob(".*.tmp"))


def sweep(kills: Kills, name: str, seconds: tuple[float, float]) -> None:
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
    for _ in range(6):
        if not kills.kill(seconds, command(name), command(name)):
            break
    assert results(name) == json.loads(expected.read_text())


def jobs(kills: Kills, seconds: tuple[float, float]) -> None:
    """Kills a submission and fetches; every job that was listed stays, with one result."""
    run = kills.folder / "alone"
    options = ["--backend", "fake_manila", "--shots", "20", "--steps", "3", "--sequences", "1"]

    def listed() -> dict[str, Any]:
        return {job["id"]: job for job in json.loads(kills.finish("jobs", "--json"))}

    before = listed()
    kills.kill(seconds, ("submit", str(run), *options))
    job = json.loads(kills.finish("submit", str(run), *options, "--json"))["job"]
    after = listed()
    assert before.keys() <= after.keys()
    assert job in after
    for _ in range(3):
        if not kills.kill(seconds, ("results", job), ("results", job, "--json")):
            break
    first = kills.finish("results", job, "--json")
    assert kills.finish("results", job, "--json") == first
    now = listed()
    assert now.keys() == after.keys()
    assert now[job]["status"] == "done"


def main() -> None:
    """Kills as often as wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    # How long a command takes differs between machines: kills are to meet all of it.
    parser.add_argument("--seconds", type=float, nargs=2, default=(0.5, 8.0))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills, seconds = Kills(Path(folder), Random(arguments.seed)), tuple(arguments.seconds)
        scenes: dict[str, Callable[[str], None]] = {
            "training": lambda name: train(kills, name, seconds),
            "two processes": lambda name: train(kills, name, seconds, processes=2),
            "sweeping": lambda name: sweep(kills, name, seconds),
            "submitting and fetching": lambda _: jobs(kills, seconds),
        }
        done = dict.fromkeys(scenes, 0)
        number = 0
        while kills.count < arguments.kills:
            scene = list(scenes)[number % len(scenes)]
            before = kills.count
            scenes[scene](f"{number}")
            done[scene] += kills.count - before
            number += 1
            print(f"{kills.count} kills, nothing lost: {done}", flush=True)


if __name__ == "__main__":
    main()
