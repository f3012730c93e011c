"""The readers under attack: each changes a valid input of its own and reads it.

A target returns where the input was read or refused as it should be; whatever else it raises is a
finding.
"""

import gzip
import io
import json
import os
import shutil
import sqlite3
import struct
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from types import ModuleType
from unittest import mock

import numpy as np
import torch

from qrnn_circuits.job_store.database import Database
from qrnn_circuits.job_store.records import FIELDS, seal_bytes
from qrnn_circuits.reproduction.experiment_files import read_experiment
from qrnn_circuits.reproduction.results import RunResult, append_results
from qrnn_circuits.settings.run_settings import settings
from qrnn_circuits.tasks.digit_data import load_coordinates
from qrnn_circuits.tasks.idx import read_idx
from qrnn_circuits.tasks.memorise import Memorise
from qrnn_circuits.tasks.recipes import choose_recipe
from qrnn_circuits.training import read_rvqe, read_scalars
from tests.fuzz import inputs
from tests.fuzz.answers import ServiceAnswers
from tests.fuzz.forging import SCHEMAS, forged_array, forged_checkpoint, resealed, stored
from tests.fuzz.judging import REFUSED, check_message, qrnn, without_training
from tests.fuzz.mutations import TEXTS, changed_bytes, changed_value, odd_value, to_json, to_toml
from tests.fuzz.user_files import UserFiles
from tests.rvqe import checkpoint

Target = Callable[[Random], None]


class Targets(UserFiles, ServiceAnswers):
    """All targets, which share valid inputs in a folder."""

    NAMES = (
        *("npz", "members", "idx", "checkpoint", "config", "toml", "sweep", "jobs", "recipes"),
        *("options", "log", "kinds", "rvqe", "ensemble", "series", "results"),
        *("sequences", "answers"),
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        self.runs = [inputs.run(folder / name, name) for name in ("adam", "lbfgs")]
        self.sweep_folder = inputs.sweep(folder / "sweep")
        self.store = folder / "jobs.sqlite"
        inputs.jobs(self.store, self.runs[0])
        self.values = json.loads((self.runs[0] / "config.json").read_text())

    def all(self) -> dict[str, Target]:
        """The targets by name."""
        return {name: getattr(self, name) for name in self.NAMES}

    def npz(self, rng: Random) -> None:
        """Bytes of a file of digits."""
        path = inputs.digits(self.work, compressed=rng.random() < 0.5)
        path.write_bytes(changed_bytes(rng, path.read_bytes()))
        self._read_digits()

    def members(self, rng: Random) -> None:
        """Members of a file of digits, whose checksums are right."""
        path = inputs.digits(self.work, compressed=False)
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(list(members))
        match rng.randrange(5):
            case 0:
                members[name] = changed_bytes(rng, members[name])
            case 1:
                members[name] = forged_array(rng, members[name][-60:])
            case 2:
                buffer = io.BytesIO()
                odd = rng.choice(
                    (np.zeros(3), np.zeros((30, 2), "M8[s]"), np.array("x"), np.zeros(2, "i1,f8"))
                )
                np.save(buffer, odd)
                members[name] = buffer.getvalue()
            case 3:
                members[name] = rng.choice((b"", b"\x93NUMPY", bytes(2**22), b"no array"))
            case _:
                members["unused.npy"] = bytes(2**23)
        method = rng.choice(
            (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        )
        with zipfile.ZipFile(path, "w", method) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        self._read_digits()

    def _read_digits(self) -> None:
        try:
            load_coordinates(self.work, "umap", 2)
        except REFUSED as error:
            check_message(error, "mnist-umap-2.npz")

    def idx(self, rng: Random) -> None:
        """An IDX file, plain or compressed, with values that are there or not."""
        path = self.work / "digits"
        content = struct.pack(">2xBB3I", 8, 3, 2, 3, 4) + bytes(24)
        if rng.random() < 0.3:
            content = struct.pack(
                ">2xBB3I", 8, 3, *(rng.choice((0, 1, 28, 2**14, 2**32 - 1)) for _ in "123")
            )
        if rng.random() < 0.8:
            content = changed_bytes(rng, content)
        if rng.random() < 0.1:
            content += bytes(2**28)
        if rng.random() < 0.6:
            content = gzip.compress(content, 1)
            if rng.random() < 0.5:
                content = changed_bytes(rng, content)
        path.write_bytes(content)
        try:
            read_idx(path, 3)
        except REFUSED as error:
            check_message(error, "digits")

    def checkpoint(self, rng: Random) -> None:
        """A checkpoint, of which bytes are changed, or values under a right checksum."""
        folder = inputs.fresh_copy(rng.choice(self.runs), self.work / "run")
        for name in ("best", "last"):
            path = folder / f"{name}.safetensors"
            content = path.read_bytes()
            path.write_bytes(
                changed_bytes(rng, content)
                if rng.random() < 0.3
                else forged_checkpoint(rng, content)
            )
        qrnn("evaluate", str(folder), "--checkpoint", rng.choice(("best", "last")))
        if rng.random() < 0.5:
            qrnn("train", "memorise", "--out", str(folder), "--resume", "--steps", "3")

    def config(self, rng: Random) -> None:
        """The configuration of a run."""
        folder = inputs.fresh_copy(self.runs[0], self.work / "run")
        path = folder / "config.json"
        if rng.random() < 0.3:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
        else:
            values = json.loads(path.read_text())
            path.write_text(to_json(changed_value(rng, values)), errors="surrogatepass")
        with without_training():
            qrnn(*rng.choice((("evaluate", str(folder)), ("sample", str(folder), "--count", "1"))))
            qrnn("train", "memorise", "--out", str(folder), "--resume")

    def ensemble(self, rng: Random) -> None:
        """The seeds and the configuration of runs that are trained together."""
        folder = self.work / "ensemble"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = folder / "ensemble.json"
        values = {"seeds": [0, 1], "config": self.values}
        if rng.random() < 0.3:
            path.write_bytes(changed_bytes(rng, json.dumps(values).encode()))
        else:
            path.write_text(to_json(changed_value(rng, values)), errors="surrogatepass")
        with without_training():
            qrnn("train", "memorise", "--out", str(folder), "--resume")

    def toml(self, rng: Random) -> None:
        """A file of settings for qrnn train or qrnn sweep."""
        path = self.work / "settings.toml"
        table = {name: v for name, v in self.values.items() if v is not None and name != "task"}
        if sweeps := rng.random() < 0.4:
            table |= {"seed": [0, 1], "learning_rate": {"low": 0.1, "high": 0.2, "log": True}}
        path.write_text(
            to_toml(changed_value(rng, table) if rng.random() < 0.8 else table),
            errors="surrogatepass",
        )
        if rng.random() < 0.3:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = ("sweep", "memorise", "--trials", "1") if sweeps else ("train", "memorise")
        with without_training():
            qrnn(*command, "--config", str(path), "--out", str(out))

    def sweep(self, rng: Random) -> None:
        """The journal of a sweep."""
        folder = inputs.fresh_copy(self.sweep_folder, self.work / "sweep")
        path = folder / "sweep.journal"
        lines = path.read_bytes().splitlines()
        place = rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                lines[place] = to_json(changed_value(rng, json.loads(lines[place]))).encode()
            case 1:
                lines[place] = changed_bytes(rng, lines[place])
            case 2:
                del lines[place]
            case _:
                lines.insert(place, rng.choice(lines))
        path.write_bytes(b"\n".join(lines) + b"\n")
        with without_training():
            qrnn("sweep", "memorise", "--out", str(folder), *rng.choice(((), ("--json",))))

    def jobs(self, rng: Random) -> None:
        """A row of the file of jobs, or bytes of the file."""
        path = self.work / "jobs.sqlite"
        for old in self.work.glob("jobs.sqlite*"):
            old.unlink()
        shutil.copy(self.store, path)
        rows = Database(path).read("SELECT id, context, program, payload, bits FROM jobs")
        job, context, program, payload, bits = rng.choice(rows)
        if rng.random() < 0.2:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
        elif rng.random() < 0.1:
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(rng.choice(SCHEMAS))
        else:
            column, value = rng.choice(
                (
                    ("context", resealed(rng, context)),
                    ("program", resealed(rng, program)),
                    ("payload", payload and seal_bytes(changed_bytes(rng, payload[32:]))),
                    ("bits", bits and seal_bytes(changed_bytes(rng, bits[32:]))),
                    (rng.choice(FIELDS), stored(odd_value(rng))),
                )
            )
            connection = sqlite3.connect(path)
            with suppress(sqlite3.IntegrityError), connection:
                connection.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, job))
            connection.close()
        with mock.patch.dict(os.environ, {"QRNN_JOBS": str(path)}):
            qrnn(*rng.choice((("jobs",), ("jobs", "--json"), ("jobs", job))))
            qrnn("results", job, *rng.choice(((), ("--json",))))

    def recipes(self, rng: Random) -> None:
        """A file of recipes beside a task."""
        folder = self.work / "recipes"
        folder.mkdir(exist_ok=True)
        tables = {
            "default": {"steps": 5, "curriculum": "2,3"},
            "paper": "default",
            "x": {"refused": "no"},
        }
        path = folder / "memorise.toml"
        path.write_text(to_toml(changed_value(rng, tables)), errors="surrogatepass")
        if rng.random() < 0.5:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
        module = ModuleType("fuzzed_task")
        module.__file__ = str(self.work / "fuzzed_task.py")
        kind = type("Fuzzed", (Memorise,), {"__module__": "fuzzed_task"})
        with mock.patch.dict(sys.modules, {"fuzzed_task": module}):
            try:
                choose_recipe(kind(), rng.choice((None, "default", "paper", "x", "y")))
            except REFUSED as error:
                check_message(error)

    def options(self, rng: Random) -> None:
        """Options of all commands."""
        run, out = str(self.runs[0]), self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        value = rng.choice(
            (str(odd_value(rng))[:6000], rng.choice(TEXTS), "5", "amplified,length=3")
        )
        value = value.replace("\0", "\\0")
        names = [setting.name for setting in settings()] + ["length", "data", "recipe", "cell"]
        command: tuple[str, ...] = ("train", "memorise", "--length", "3", "--out", str(out))
        if rng.random() < 0.5:
            options = {
                "evaluate": ("data", "checkpoint"),
                "sample": ("count", "seed", "length", "prefix"),
                "inspect": ("steps", "realisation", "tolerance", "encoding", "transpile"),
                "run": ("device", "steps", "sequences", "realisation", "tolerance", "shots"),
                "submit": ("steps", "sequences", "realisation", "option", "max_usage", "shots"),
            }
            chosen = rng.choice(list(options))
            command, names = (chosen, run), list(options[chosen])
            if chosen == "submit":
                command += ("--shots", "5", "--backend", "fake_manila")
        arguments = [
            f"--{rng.choice(names).replace('_', '-')}={value}" for _ in range(rng.choice((1, 1, 2)))
        ]
        if rng.random() < 0.1:
            command = (command[0], value, *command[2:])
        store = {"QRNN_JOBS": str(self.work / "options.sqlite")}
        with without_training(), mock.patch.dict(os.environ, store):
            qrnn(*command, *arguments)

    def log(self, rng: Random) -> None:
        """The log of a run."""
        folder = inputs.fresh_copy(self.runs[0], self.work / "run")
        for path in folder.glob("events*"):
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
        try:
            read_scalars(folder, "train/loss")
        except (KeyError, *REFUSED) as error:
            check_message(error)

    def rvqe(self, rng: Random) -> None:
        """A checkpoint of the published code: bytes, the pickle in it, or what was pickled."""
        path = self.work / "checkpoint.tar"
        content = checkpoint(1, workspace=2, stages=1, degree=1)
        if rng.random() < 0.3:
            options = vars(content["_original_args"])
            options[rng.choice(list(options))] = odd_value(rng)
        zipped = rng.random() < 0.6
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        if not zipped or rng.random() < 0.3:
            path.write_bytes(changed_bytes(rng, path.read_bytes()))
        elif rng.random() < 0.8:
            with zipfile.ZipFile(path) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            name = next(name for name in members if name.endswith("data.pkl"))
            members[name] = changed_bytes(rng, members[name])
            with zipfile.ZipFile(path, "w") as archive:
                for member, record in members.items():
                    archive.writestr(member, record)
        try:
            read_rvqe(path)
        except REFUSED as error:
            check_message(error, "checkpoint.tar")

    def results(self, rng: Random) -> None:
        """Results of an experiment."""
        shutil.rmtree(self.work / "results", ignore_errors=True)
        case = read_experiment("quotes").cases[0]
        result = RunResult("quotes", case.name, 0, case.settings, {"test_error": 0.5}, False, 1.0)
        append_results(path := self.work / "results" / "quotes.jsonl", [result])
        content = path.read_bytes()
        content += to_json(changed_value(rng, json.loads(content))).encode() + b"\n"
        path.write_bytes(changed_bytes(rng, content) if rng.random() < 0.3 else content)
        qrnn("reproduce", "quotes", "--report", "--out", str(path.parent))

    def kinds(self, rng: Random) -> None:
        """Something else in the place of a file: a pipe, a device, a folder or a sparse file."""
        folder = inputs.fresh_copy(self.runs[0], self.work / "run")
        swept = inputs.fresh_copy(self.sweep_folder, self.work / "sweep")
        inputs.digits(self.work, compressed=False)
        digits = self.work / "mnist-umap-2.npz"
        store, log = self.work / "other.sqlite", next(folder.glob("events*"))
        settings_file = self.work / "other.toml"
        paths = [folder / name for name in ("config.json", "best.safetensors", "last.safetensors")]
        path = rng.choice((*paths, swept / "sweep.journal", digits, store, log, settings_file))
        path.unlink(missing_ok=True)
        match rng.randrange(5):
            case 0:
                os.mkfifo(path)
            case 1:
                path.mkdir()
            case 2:
                path.symlink_to("/dev/zero")
            case 3:
                path.touch()
                os.truncate(path, 10**10)
            case _:
                path.symlink_to(path)
        with without_training(), mock.patch.dict(os.environ, {"QRNN_JOBS": str(store)}):
            if path == digits:
                self._read_digits()
            elif path == log:
                with suppress(KeyError, *REFUSED):
                    read_scalars(folder, "train/loss")
            else:
                qrnn("evaluate", str(folder))
                qrnn("train", "memorise", "--out", str(folder), "--resume")
                qrnn("sweep", "memorise", "--out", str(swept))
                qrnn("jobs")
                if path == settings_file:
                    qrnn(
                        "train", "memorise", "--out", str(self.work / "new"), "--config", str(path)
                    )
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
        shutil.rmtree(self.work / "new", ignore_errors=True)
