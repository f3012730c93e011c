"""The ``qrnn`` command."""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from qrnn_circuits.command_line.program import app

__all__ = ["app", "start"]

_SHOW_CURSOR = b"\x1b[?25h"


def start() -> None:
    """The program, which Ctrl-C ends from the first moment on."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from qrnn_circuits.command_line.program import run

    run()


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Ends this process at once: what is on disk is good at any moment, as after a kill.

    An exception would not do: extension modules that are being imported turn it into another.
    """
    with suppress(OSError):
        show = _SHOW_CURSOR if os.isatty(2) else b""
        os.write(2, show + f"Interrupted ({signal.Signals(number).name}).\n".encode())
    os._exit(128 + number)


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Imports what takes long when it is used."""
    if name == "app":
        from qrnn_circuits.command_line.program import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
