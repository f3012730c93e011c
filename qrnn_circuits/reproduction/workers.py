"""Processes that do jobs side by side."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from qrnn_circuits.reproduction.jobs import Interrupted, Job, perform
from qrnn_circuits.reproduction.results import RunResult
from qrnn_circuits.training.freed_memory import keep_freed_memory

# Seconds: between two messages of a process, between two looks at signals, and until processes
# that were asked to end are killed, which their checkpoints take.
_TELL_EVERY = 0.3
_LOOK_EVERY = 0.1
_GRACE = 0.5


@dataclass(frozen=True)
class Told:
    """A process says what it is doing.

    Attributes:
        job: Its job.
        text: What it does.

    Example:
        >>> Told(None, "step 3 of 5").text
        'step 3 of 5'
    """

    job: Any
    text: str


@dataclass(frozen=True)
class Finished:
    """A job is done.

    Attributes:
        job: The job.
        results: Of its seeds; empty where it has failed.
        failure: Why it has, or None.

    Example:
        >>> Finished(None, [], "no space left").failure
        'no space left'
    """

    job: Any
    results: list[RunResult]
    failure: str | None


class Workers:
    """Processes, each of which does one job at a time; a context manager that ends them.

    Inside the ``with`` statement they live as long as there are jobs. On leaving it, those that
    still work are asked to save what they have and to end, and after a moment killed: all that
    they do can be gone on with after either.

    Example:
        >>> with Workers(2) as workers:
        ...     list(workers.run([]))
        []
    """

    def __init__(self, processes: int) -> None:
        """Starts none yet.

        Args:
            processes: How many work at a time, at least 1.

        Raises:
            ValueError: If there are fewer.
        """
        if processes < 1:
            raise ValueError(f"processes must be at least 1, got {processes}")
        self._processes = processes
        self._busy: dict[Connection, tuple[Any, Job]] = {}
        self._idle: dict[Connection, Any] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._idle.values():
            process.kill()
        processes = [process for process, _ in self._busy.values()]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + _GRACE
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0))
            process.kill()
        for process in (*processes, *self._idle.values()):
            process.join()

    def run(self, jobs: Sequence[Job]) -> Iterator[Told | Finished | None]:
        """Does the jobs in their order.

        Args:
            jobs: The jobs.

        Yields:
            What happens; None where nothing has for a tenth of a second.
        """
        waiting = list(reversed(jobs))
        while waiting or self._busy:
            while waiting and len(self._busy) < self._processes:
                self._begin(waiting.pop())
            ready = wait(list(self._busy), timeout=_LOOK_EVERY)
            if not ready:
                yield None
            for connection in ready:
                assert isinstance(connection, Connection)
                yield self._received(connection)

    def _begin(self, job: Job) -> None:
        connection, process = self._idle.popitem() if self._idle else _started()
        # Of one that has ended meanwhile, the answer is told as of any other.
        with suppress(ConnectionError):
            connection.send(job)
        self._busy[connection] = process, job

    def _received(self, connection: Connection) -> Told | Finished:
        process, job = self._busy[connection]
        try:
            message = connection.recv()
        except (ConnectionError, EOFError):  # The former where it had not read its job yet.
            del self._busy[connection]
            process.join()
            return Finished(job, [], f"its process was ended (exit code {process.exitcode})")
        if isinstance(message, Finished):
            del self._busy[connection]
            self._idle[connection] = process
        assert isinstance(message, Told | Finished)
        return message


def _started() -> tuple[Connection, Any]:
    """A new process and the connection to it."""
    # A forked process has the locks of threads that it has not.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    with _uninterrupted():
        process.start()
    theirs.close()
    return ours, process


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keeps Ctrl-C, which a terminal sends to all, from processes that are started meanwhile.

    A process cannot see to it by itself before it has imported what it needs.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting it lets the signals through again, which must not happen further down.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection) -> None:
    """What a process does: a job after the other."""
    # Ctrl-C in a terminal reaches all processes; the first one passes it on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    keep_freed_memory()
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        told = 0.0

        def listener(text: str, job: Job = job) -> None:
            nonlocal told
            if time.monotonic() - told >= _TELL_EVERY:
                told = time.monotonic()
                connection.send(Told(job, text))

        results: list[RunResult] = []
        failure = None
        try:
            results = perform(job, listener)
        except Interrupted:
            # All is saved, and an orderly end takes as long again.
            os._exit(0)
        except Exception as error:
            # Whatever it is, the other jobs go on.
            failure = f"{type(error).__name__}: {error}"
        connection.send(Finished(job, results, failure))


def _end_with_parent() -> None:
    """Ends this process once the one that started it has ended, even by a kill."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
