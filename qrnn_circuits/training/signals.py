"""A request to stop, from Ctrl-C or from the system, that waits for a good moment."""

import signal
import threading
from types import FrameType, TracebackType


class StopSignals:
    """While entered, remembers the first SIGINT or SIGTERM instead of dying of it.

    A second one has its usual effect, for users who cannot wait. Signals that were ignored before,
    as SIGINT is for a shell's background jobs, stay ignored. Outside the main thread, where Python
    runs no handlers, this does nothing.

    Attributes:
        received: The number of the signal, or ``None``.
    """

    def __init__(self, received: int | None = None) -> None:
        self.received = received
        self._previous: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                previous = signal.getsignal(number)
                if previous is not signal.SIG_IGN:
                    self._previous[number] = previous
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        while self._previous:
            number, previous = self._previous.popitem()
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
