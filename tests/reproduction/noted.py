"""Takes note of how experiments go."""

from collections.abc import Sequence

from qrnn_circuits.reproduction.jobs import Job
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.reproduction.runner import RunnerProgress


class Noted(RunnerProgress):
    def __init__(self) -> None:
        self.total = self.done = -1
        self.runs: list[tuple[str, int]] = []
        self.failures: list[str] = []

    def start(self, total: int, done: int) -> None:
        self.total, self.done = total, done

    def finished(self, job: Job, results: Sequence[RunResult]) -> None:
        self.runs += [(result.case, result.seed) for result in results]

    def failed(self, job: Job, reason: str) -> None:
        self.failures.append(reason)
