"""The TensorBoard log of a run.

The scalars are ``train/loss`` at every step, and at every validation ``validation/loss``,
``validation/error``, ``validation/sampled_error`` and ``validation/log10_acceptance``, which
:class:`~qrnn_circuits.training.validation.Validation` explains.
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from qrnn_circuits.bounded_readers.files import open_file
from qrnn_circuits.training.validation import FIGURES, Validation

_PREFIX = "events.out.tfevents."
# Bytes of a file, which has about 60 for each step.
_LIMIT = 2**30
_NUMBER = re.compile(r"([0-9]{20})\.")


class LogError(Exception):
    """The TensorBoard log could not be written.

    Example:
        >>> from pathlib import Path
        >>> try:
        ...     Log(Path("missing"), first_step=1)
        ... except LogError as error:
        ...     print("could not be written" in str(error))
        True
    """


class Log:
    """Writes one TensorBoard event file; a context manager that closes it.

    It writes in the calling thread: TensorBoard's own writer has a thread of its own, in which a
    full disk ends in a traceback that no caller can catch.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        """Opens a new event file.

        Args:
            folder: Of the run.
            first_step: Events of this step and later ones in older files are void: a killed run
                logged them after its last checkpoint.

        Raises:
            LogError: The file cannot be written.
        """
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._path = folder / f"{_PREFIX}{_number(folder):020d}.{os.getpid()}"
        with self._writing():
            self._file = self._path.open("xb")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        self._write(step=first_step, session_log=SessionLog(status=SessionLog.START))

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(OSError):
                self._file.close()
        else:
            with self._writing():
                self._file.close()

    def step(self, step: int, loss: float) -> None:
        """Logs a step's training loss."""
        self._scalar("train/loss", loss, step)

    def validation(self, validation: Validation) -> None:
        """Logs the figures of a validation."""
        for name in FIGURES:
            self._scalar(f"validation/{name}", getattr(validation, name), validation.step)

    def flush(self) -> None:
        """Hands all events to the system, so that they survive the end of this process."""
        with self._writing():
            self._file.flush()

    def _scalar(self, name: str, value: float, step: int) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
        self._write(step=step, summary=summary)

    def _write(self, **fields: object) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        with self._writing():
            self._records.write(Event(wall_time=time.time(), **fields).SerializeToString())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LogError(
                f"the log {self._path} could not be written: {error.strerror}"
            ) from error


def _number(folder: Path) -> int:
    """The time in nanoseconds, or the next number where an older file has a later time.

    TensorBoard reads a folder's files in the order of their names, and clocks are set back.
    """
    names = (path.name.removeprefix(_PREFIX) for path in folder.glob(f"{_PREFIX}*"))
    numbers = [int(found[1]) for found in map(_NUMBER.match, names) if found]
    return max(time.time_ns(), *(number + 1 for number in numbers), 0)


def read_scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    """Reads a logged curve, also of a run that was killed and resumed.

    Args:
        folder: Of the run.
        name: Of the scalar, such as ``"train/loss"``.

    Returns:
        Pairs of step and value.

    Raises:
        KeyError: Nothing was logged under this name.
        OSError: A file cannot be read.
        ValueError: A file is no regular file, or too large for a log, or TensorBoard cannot read
            from a folder of this name.

    Example:
        >>> from qrnn_circuits.training import RunConfig, Trainer, read_scalars
        >>> from pathlib import Path
        >>> settings = {"workspace": 2, "degree": 1, "steps": 2, "task_options": {"length": 4}}
        >>> config = RunConfig.resolve("memorise", settings)
        >>> _ = Trainer.start(config, Path("run")).run()
        >>> [step for step, _ in read_scalars(Path("run"), "train/loss")]
        [1, 2]
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"the log in {str(folder)!r} cannot be read, whose name is not UTF-8: rename the folder"
        ) from None
    for path in folder.glob(f"{_PREFIX}*"):
        with open_file(path, _LIMIT):
            pass
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    with _resumptions_untold():
        events = accumulator.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


@contextmanager
def _resumptions_untold() -> Iterator[None]:
    """Keeps TensorBoard from telling of each resumption that TensorFlow was restarted."""

    def other(record: logging.LogRecord) -> bool:
        return "TensorFlow restart" not in record.getMessage()

    logger = logging.getLogger("tensorboard")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)
