"""What IBM's service answers, as the real client reads it from a service on this machine."""

import json
import os
import shutil
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from unittest import mock

from qrnn_circuits.job_store import JobStore
from tests.fuzz.judging import FoundError, qrnn
from tests.fuzz.mutations import changed_bytes, changed_value, to_json

if TYPE_CHECKING:
    from tests.backends.runtime_server import Job, RuntimeServer

_ANSWERS = ("", "null", "[]", "{}", "NaN", "<html>\n<body>", "\ufeff{}", "TOKEN", '["TOKEN"]')


class ServiceAnswers:
    """A target for the results of a job."""

    work: Path
    runs: list[Path]

    @cached_property
    def _sent(self) -> "tuple[RuntimeServer, Path, str]":
        """A service, a file of jobs with one that it has run, and the results of that."""
        from tests.backends.runtime_server import RuntimeServer

        server = RuntimeServer().__enter__()
        path = self.work.parent / "sent.sqlite"
        options = ["--backend", "ibm_manila", "--shots", "20", "--steps", "1", "--sequences", "1"]
        with mock.patch.dict(os.environ, {**server.environment(), "QRNN_JOBS": str(path)}):
            qrnn("submit", str(self.runs[0]), *options)
        (job,) = server.jobs.values()
        return server, path, server._results(job)

    def answers(self, rng: Random) -> None:
        """Results that are none, or those of other circuits; the job stays on record."""
        server, sent, right = self._sent
        path = self.work / "fetched.sqlite"
        for old in self.work.glob("fetched.sqlite*"):
            old.unlink()
        shutil.copy(sent, path)
        value = json.loads(right)
        for _ in range(rng.choice((1, 1, 3))):
            value = changed_value(rng, value)
        changed = changed_bytes(rng, right.encode()).decode(errors="replace")
        answer = rng.choice((to_json(value), to_json(value), changed, rng.choice(_ANSWERS)))
        environment = {**server.environment(), "QRNN_JOBS": str(path)}
        token = environment["QISKIT_IBM_TOKEN"]
        (record,) = JobStore(path).records()

        def results(job: "Job") -> str:
            return answer.replace("TOKEN", token)

        with (
            mock.patch.object(server, "_results", results),
            mock.patch.dict(os.environ, environment),
        ):
            told = qrnn("results", record.id)
        if token in told:
            raise FoundError(f"the token was printed: {told}")
        if [each.id for each in JobStore(path).records()] != [record.id]:
            raise FoundError("the job is lost")
