"""Columns of numbers from a user's file, their scaling, and the windows that are cut from them."""

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.checks import similar
from qrnn_circuits.tasks.sequence_files import short
from qrnn_circuits.tasks.user_file import decoded, read_content, table_rows

# Some times what a forecast takes in.
_MOST_VALUES = 2**22

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """A table of numbers.

    Attributes:
        names: Of its columns.
        values: Shape ``(N, C)``, finite.
    """

    names: tuple[str, ...]
    values: Values

    def chosen(self, option: str, wanted: str | None) -> "Columns":
        """Some of the columns.

        Args:
            option: That names them, for messages.
            wanted: Their names or numbers, from 1, separated by commas; None for all.

        Raises:
            ValueError: If there is no such column, or one is named twice.
        """
        if wanted is None:
            return self
        places = [self._place(option, name.strip()) for name in wanted.split(",")]
        if len(set(places)) < len(places):
            raise ValueError(f"{option} must name every column once, got {short(wanted)}")
        return Columns(tuple(self.names[place] for place in places), self.values[:, places])

    def _place(self, option: str, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        if name.isdecimal() and 1 <= int(name) <= len(self.names):
            return int(name) - 1
        raise ValueError(
            brief(f"{option} names no column {short(name)}{similar(name, self.names)}")
        )


def read_columns(path: Path) -> tuple[Columns, str]:
    """Reads a CSV file with a point in each row and a name for each column in the first one.

    Without such a row the columns are named by their numbers, from 1. A column of other text, such
    as one of dates, is left out.

    Returns:
        The columns, and the SHA-256 of the file, in hexadecimal.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a file; the message says where it is wrong.
    """
    if path.suffix.lower() not in (".csv", ".txt", ".tsv"):
        raise ValueError(f"data must be a .csv file with a number in each column, got {path}")
    content = read_content(path, "a .csv file of numbers")
    text = decoded(path, content)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    table = table_rows(path, text, delimiter=delimiter)
    begun = next(table, None)
    if begun is None:
        raise ValueError(f"{path} has no row of numbers")
    first = [field.strip() for field in begun[1]]
    has_header = not any(_is_number(field) for field in first)
    names = first if has_header else [str(place + 1) for place in range(len(first))]
    if has_header:
        begun = next(table, None)
        if repeated := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"{path} names two columns {short(min(repeated))}")
    if begun is None:
        raise ValueError(f"{path} has no row of numbers")
    kept = [place for place, field in enumerate(begun[1]) if _is_number(field)]
    if not kept:
        raise ValueError(f"{path} has no column of numbers: row {begun[0]} has none")
    values = array("d")
    for number, row in chain([begun], table):
        if len(values) >= _MOST_VALUES:
            raise ValueError(f"{path} must have at most {_MOST_VALUES:,} numbers, but has more")
        if len(row) != len(names):
            raise ValueError(
                f"{path}: row {number} must have {len(names)} columns, as the first one, got "
                f"{len(row)}"
            )
        values.extend(_number(path, number, names[place], row[place]) for place in kept)
    columns = Columns(
        tuple(names[place] for place in kept), np.array(values).reshape(-1, len(kept))
    )
    return columns, hashlib.sha256(content).hexdigest()


def _is_number(field: str) -> bool:
    """Whether a field is written as a number, finite or not."""
    # Python reads 2020_01 as 202001.
    if "_" in field:
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def _number(path: Path, line: int, name: str, field: str) -> float:
    value = float(field) if _is_number(field) else math.nan
    if not math.isfinite(value):
        found = short(field.strip()) if field.strip() else "nothing"
        raise ValueError(
            f"{path}: row {line} must have a finite number in column {short(name)}, got {found}: "
            "fill the gap, or leave the column out by columns"
        )
    return value


@dataclass(frozen=True)
class Scaling:
    """Takes each column's range to [0, 1].

    Attributes:
        low: The least value of each column that counts, shape ``(C,)``.
        span: Its greatest value less the least, shape ``(C,)``, all positive.
    """

    low: Values
    span: Values

    @classmethod
    def fitted(cls, columns: Columns) -> "Scaling":
        """The scaling by all points of some columns.

        Raises:
            ValueError: If a column is constant.
        """
        low, high = columns.values.min(0), columns.values.max(0)
        with np.errstate(over="ignore"):
            span = high - low
        for name, value, width in zip(columns.names, low, span, strict=True):
            if not 0 < width < math.inf:
                raise ValueError(
                    f"column {short(name)} cannot be scaled to [0, 1]: "
                    + (f"it is {value:g} throughout" if width == 0 else "its range overflows")
                    + " in the points that the scaling goes by; leave it out"
                )
        return cls(low, span)

    @classmethod
    def none(cls, count: int) -> "Scaling":
        """The scaling that leaves columns as they are."""
        return cls(np.zeros(count), np.ones(count))

    def apply(self, values: Values) -> Values:
        """Scales values, shape ``(..., C)``."""
        return (values - self.low) / self.span

    def undo(self, values: Values) -> Values:
        """Takes scaled values back, shape ``(..., C)``."""
        return values * self.span + self.low


def window_count(points: int, window: int, horizon: int) -> int:
    """Number of windows of a series.

    Args:
        points: Of the series.
        window: Points in a window.
        horizon: Points from the last of a window to the one that is forecast.

    Raises:
        ValueError: If the series is shorter than one window and its horizon.
    """
    count = points - window - horizon + 1
    if count < 1:
        raise ValueError(
            f"window and horizon must fit into the series of {points} points, got {window} and "
            f"{horizon}"
        )
    return count


def cut_windows(
    inputs: Values, targets: Values, window: int, horizon: int
) -> tuple[Values, Values]:
    """Cuts a series into all its windows, in order of time.

    Args:
        inputs: What is known, shape ``(points, F)``.
        targets: What is to be forecast, shape ``(points, K)``.
        window: Points in a window.
        horizon: Points from the last of a window to the one that is forecast.

    Returns:
        The windows, shape ``(N, window, F)``, and the values ``horizon`` points after the last one
        of each, shape ``(N, K)``.

    Raises:
        ValueError: If the series is shorter than one window and its horizon.
    """
    count = window_count(len(inputs), window, horizon)
    views = sliding_window_view(inputs, window, axis=0)[:count]
    return np.swapaxes(views, 1, 2), targets[window + horizon - 1 :]


def split_ends(count: int, validation: float, test: float) -> Sequence[int]:
    """Where the training windows end and where those of the validation do, in order of time.

    Args:
        count: Number of windows.
        validation: Share of the validation.
        test: Share of the test.

    Raises:
        ValueError: If a part would have no window.
    """
    # As the benchmark of Fellner et al. (arXiv:2504.12416) cuts 60 and 80 %.
    ends = [0, 0]
    if validation + test < 1:
        ends = [round((1 - validation - test) * count), round((1 - test) * count)]
    if not 0 < ends[0] < ends[1] < count:
        raise ValueError(
            "validation_share and test_share must leave a window for training, validation and "
            f"test each, got {validation:g} and {test:g} of {count} window(s)"
        )
    return ends
