"""What slow commands do meanwhile: they show what is being done, and obey Ctrl-C at once.

The native code of Qiskit and Aer keeps Python's lock as long as it runs, often for minutes, in
which no other thread shows anything and no signal is handled. So the command works in a process of
its own, and the one that was started watches: it shows what the worker says, and ends it when it is
told to. A worker may be ended at any moment: what it records, it records in one transaction.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from rich.status import Status

# Seconds before anything is shown, and between two looks at the clock.
_PATIENCE, _TICK = 0.5, 0.2
_STOPS = (signal.SIGINT, signal.SIGTERM)


def doing(text: str, advice: str = "") -> None:
    """Says what is being done from now on: to the process that watches, if there is one.

    Args:
        text: What is being done, such as ``"transpiling realisation 2 of 4"``.
        advice: What a user is to know who interrupts it.
    """
    if _watcher is not None:
        _watcher.tell(text, advice)


def clear() -> None:
    """Takes what is shown off the terminal, so that the command can write there."""
    if _watcher is not None:
        _watcher.clear()


@contextmanager
def watched() -> Iterator[None]:
    """Does what follows in a new process; this one watches, and exits as the new one does.

    To be entered before there are threads, which a copied process would lack. Where processes
    cannot be copied, as on Windows, nobody watches.

    Raises:
        SystemExit: In the process that watches, with the exit code of the other one, or with 128
            and the number of the signal that ended it.
    """
    if not hasattr(os, "fork"):
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    from multiprocessing import Pipe

    ours, theirs = Pipe()
    # No signal comes before each process knows what to do about it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    worker = os.fork()
    if worker:
        theirs.close()
        _watch(worker, ours)
    ours.close()
    # A terminal sends Ctrl-C to both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    global _watcher
    _watcher = _Watcher(theirs)
    try:
        yield
    finally:
        clear()


class _Watcher:
    """The watching process, as the worker sees it."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._cleared = Event()
        Thread(target=self._heed, daemon=True).start()

    def tell(self, text: str, advice: str) -> None:
        self._connection.send((text, advice))

    def clear(self) -> None:
        self._cleared.clear()
        self._connection.send(None)
        self._cleared.wait()

    def _heed(self) -> None:
        """Waits for answers, and ends with the process that gives them."""
        try:
            while True:
                self._connection.recv()
                self._cleared.set()
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGKILL)


_watcher: _Watcher | None = None


class _Display:
    """Shows on a terminal what is being done, and for how long."""

    def __init__(self) -> None:
        self.text, self.advice = "loading", ""
        self._since = time.monotonic()
        self._status: Status | None = None
        self._hidden = False

    def show(self, text: str, advice: str) -> None:
        """Begins with something new."""
        self.text, self.advice = text, advice
        self._since, self._hidden = time.monotonic(), False

    def refresh(self) -> None:
        """Goes on with the time."""
        seconds = time.monotonic() - self._since
        if self._hidden or not sys.stderr.isatty():
            return
        if self._status is None and seconds >= _PATIENCE:
            from rich.console import Console

            console = Console(stderr=True)
            if console.is_dumb_terminal:
                return
            self._status = console.status("")
            self._status.start()
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(f"{self.text}  {timedelta(seconds=int(seconds))}"))

    def clear(self) -> None:
        """Shows nothing until there is something new: the results are being printed."""
        self.text, self._hidden = "printing", True
        if self._status is not None:
            self._status.stop()
            self._status = None


class _Stopped(BaseException):
    """A signal says that the command is to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


def _watch(worker: int, connection: "Connection") -> NoReturn:
    """Shows what the worker does until it ends, or until a signal ends both."""
    display = _Display()
    try:
        for number in _STOPS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        _listen(connection, display)
        _, status = os.waitpid(worker, 0)
    except _Stopped as stopped:
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        text = f"Interrupted ({stopped.signal.name}) while {display.text}. {display.advice}"
        display.clear()
        print(text.strip(), file=sys.stderr)
        sys.exit(128 + stopped.signal)
    display.clear()
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        print(f"Error: {signal.Signals(-code).name} ended the command", file=sys.stderr)
    sys.exit(code if code >= 0 else 128 - code)


def _listen(connection: "Connection", display: _Display) -> None:
    """Follows the worker until its end closes the connection."""
    try:
        while True:
            if connection.poll(_TICK):
                message = connection.recv()
                if message is None:
                    display.clear()
                    connection.send(True)
                else:
                    display.show(*message)
            display.refresh()
    except (EOFError, OSError):
        return


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise _Stopped(number)
