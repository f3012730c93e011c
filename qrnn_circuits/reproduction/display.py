"""What is shown while experiments run."""

import time
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from qrnn_circuits.reproduction.jobs import Job
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.reproduction.runner import RunnerProgress
from qrnn_circuits.training.progress import is_live


class LineRunnerProgress(RunnerProgress):
    """Prints a line for each finished job: for logs and pipes.

    Example:
        >>> import io
        >>> progress = LineRunnerProgress(Console(file=io.StringIO(), width=80))
        >>> progress.start(10, 3)
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def start(self, total: int, done: int) -> None:
        """Says how much is left."""
        self._total, self._done, self._first = total, done, done
        self._started = time.monotonic()
        self.print(f"{done} of {total} runs were finished before")

    def finished(self, job: Job, results: Sequence[RunResult]) -> None:
        """Says what was finished, and how long the others take at this speed."""
        self._done += len(results)
        passed = time.monotonic() - self._started
        left = passed / max(self._done - self._first, 1) * (self._total - self._done)
        diverged = sum(result.diverged for result in results)
        note = f", {diverged} diverged" if diverged else ""
        self.print(
            f"{self._done} of {self._total} runs: {_name(job)}{note}; "
            f"{timedelta(seconds=round(passed))} passed, about {timedelta(seconds=round(left))} "
            "left"
        )

    def failed(self, job: Job, reason: str) -> None:
        """Says what has failed."""
        self.print(f"{_name(job)} has failed, and is tried again next time: {reason}")

    def print(self, text: str) -> None:
        """Prints a line."""
        self.console.print(Text(text), soft_wrap=True)


class LiveRunnerProgress(LineRunnerProgress):
    """Keeps a bar over all runs, and what each process does, at the bottom of a terminal.

    Example:
        >>> progress = LiveRunnerProgress(Console(force_terminal=True))
        >>> isinstance(progress, RunnerProgress)
        True
    """

    def start(self, total: int, done: int) -> None:
        """Shows the display."""
        self._texts: dict[str, str] = {}
        self._bar = Bar(
            TextColumn("{task.completed}/{task.total} runs"),
            BarColumn(bar_width=None),
            expand=True,
        )
        self._task = self._bar.add_task("runs", total=total, completed=done)
        self._live = Live(console=self.console, get_renderable=self._render)
        self._live.start(refresh=True)
        super().start(total, done)

    def told(self, job: Job, text: str) -> None:
        """Replaces what is known of a process."""
        self._texts[_name(job)] = text

    def finished(self, job: Job, results: Sequence[RunResult]) -> None:
        """Moves the bar."""
        self._texts.pop(_name(job), None)
        super().finished(job, results)
        self._bar.update(self._task, completed=self._done)

    def failed(self, job: Job, reason: str) -> None:
        """Says what has failed above the display."""
        self._texts.pop(_name(job), None)
        super().failed(job, reason)

    def stop(self) -> None:
        """Leaves the last state of the display on the terminal."""
        self._live.stop()

    def _render(self) -> RenderableType:
        return Group(self._bar, *(Text(f"{name}: {text}") for name, text in self._texts.items()))


def runner_progress_for(console: Console) -> RunnerProgress:
    """The display that suits where the console writes to.

    Example:
        >>> import io
        >>> type(runner_progress_for(Console(file=io.StringIO()))).__name__
        'LineRunnerProgress'
    """
    return LiveRunnerProgress(console) if is_live(console) else LineRunnerProgress(console)


def _name(job: Job) -> str:
    seeds = f"seed {job.seeds[0]}"
    if len(job.seeds) > 1:
        seeds = f"seeds {job.seeds[0]} to {job.seeds[-1]}"
    return f"{job.experiment} {job.case.name}, {seeds}"
