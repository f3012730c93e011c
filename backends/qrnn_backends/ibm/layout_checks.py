"""Whether a layout is of one batch, of a size that can be read.

A hash tells what was changed by accident. Whoever writes a file of jobs gives it the right one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from qrnn_backends.ibm.limits import LIMITS
from qrnn_backends.ibm.sampling import damaged
from qrnn_circuits.checks import check_integer

_MOST_BITS = 2**31


def check_size(pubs: Sequence[Mapping[str, Any]]) -> None:
    """Checks that the bits of a batch, of which each takes a byte when read, fit into memory.

    Args:
        pubs: Those of the layout.

    Raises:
        ValueError: They do not.
    """
    bits = sum(len(entry["places"]) * entry["shots"] * _width(entry) for entry in pubs)
    if bits > _MOST_BITS:
        raise ValueError(
            f"the results of a batch must have at most {_MOST_BITS:,} bits, got {bits:,}: give "
            "fewer shots, or fewer tapes at once"
        )


def number_of_jobs(job_id: str, layout: Mapping[str, Any]) -> int:
    """How many jobs of a service a recorded batch is.

    Raises:
        JobDamagedError: It is no number, or one of more jobs than circuits.
    """
    number: int = layout.get("jobs", 1)
    if number != 1:
        with _as_damaged(job_id):
            check_integer("jobs", number, 1, len(layout["pubs"]))
    return number


def check_layout(job_id: str, layout: Mapping[str, Any]) -> None:
    """Checks that what is recorded of circuits, bits and readouts is of one another.

    Args:
        job_id: Our name of the batch.
        layout: As :func:`~qrnn_backends.ibm.sampling.layout` makes it.

    Raises:
        JobDamagedError: It is not.
    """
    with _as_damaged(job_id):
        _check(layout)


def _check(layout: Mapping[str, Any]) -> None:
    pubs, readouts = layout["pubs"], layout["readouts"]
    rows: dict[int, Mapping[str, Any]] = {}
    for entry in pubs:
        check_integer("shots", entry["shots"], 1, LIMITS.executions)
        for _, size in entry["registers"]:
            check_integer("bits of a register", size, 0)
        rows |= dict.fromkeys(entry["places"], entry)
    places = chain.from_iterable(entry["places"] for entry in pubs)
    if sorted(places) != list(range(len(readouts))):
        raise ValueError("places must be those of the readouts, each once")
    check_size(pubs)
    for place, readout in enumerate(readouts):
        width, shots = _width(rows[place]), rows[place]["shots"]
        for part in readout["shots"]:
            check_integer("shots", part, 1)
        if sum(readout["shots"]) != shots:
            raise ValueError(f"readout {place} must be of {shots} shots")
        for position, value in readout["postselected"]:
            check_integer("a bit that is postselected", position, 0, width - 1)
            check_integer("what it reads", value, 0, 1)


def _width(entry: Mapping[str, Any]) -> int:
    """Bits of a shot."""
    return sum(size for _, size in entry["registers"])


@contextmanager
def _as_damaged(job_id: str) -> Iterator[None]:
    """Tells of a number that a check refuses, or that is not there, as of a damaged record."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        missing = isinstance(error, LookupError)
        raise damaged(job_id, f"{type(error).__name__}: {error}" if missing else error) from error
