"""Columns of numbers from a user's file, their scaling, and the windows that are cut from them."""

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.checks import similar
from qrnn_circuits.tasks.sequence_files import short
from qrnn_circuits.tasks.user_file import check_name, decoded, read_content, table_rows

# Some times what a forecast takes in.
_MOST_VALUES = 2**22
# Squares of larger values, and their sums, leave the range of float32.
_LARGEST = 1e15

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Series beside each other.

    Attributes:
        names: Of the columns.
        values: Shape ``(N, C)``, finite.
    """

    names: tuple[str, ...]
    values: Values


@dataclass(frozen=True)
class _Gap:
    """The first place of a column without a finite number."""

    point: int
    row: int
    field: str


@dataclass(frozen=True)
class Table:
    """The columns of a file, of which only those that are asked for must be without gaps.

    Attributes:
        path: The file.
        names: Of all columns.
        values: Shape ``(N, C)``, NaN where there is no number.
        has_header: Whether the first row names the columns.
        text: The places of the columns without any number, such as one of dates.
        row_numbers: The places of the columns without a name that count the rows.
        gaps: The first gap of each other column that has one, by its place.
        checksum: SHA-256 of the file, in hexadecimal.
    """

    path: Path
    names: tuple[str, ...]
    values: Values
    has_header: bool
    text: frozenset[int]
    row_numbers: frozenset[int]
    gaps: Mapping[int, _Gap]
    checksum: str

    def chosen(self, option: str, wanted: str | None, points: int | None) -> Columns:
        """Some of the columns.

        Args:
            option: That names them, for messages.
            wanted: Their names or numbers in the file, from 1, separated by commas; None for all
                that hold numbers other than those of rows.
            points: Number of points that are read, None for all.

        Raises:
            ValueError: If there is no such column, one is named twice, or a number is missing.
        """
        if wanted is None:
            for place in sorted(self.text):
                self._check_commas(place, option)
            left_out = self.text | self.row_numbers
            places = [place for place in range(len(self.names)) if place not in left_out]
        else:
            places = [self._place(option, name.strip()) for name in wanted.split(",")]
        if len(set(places)) < len(places):
            raise ValueError(f"{option} must name every column once, got {short(wanted or '')}")
        names = tuple(self.names[place] for place in places)
        counts = Counter(self.names)
        if repeated := [name for name in names if counts[name] > 1]:
            raise ValueError(
                f"{self.path} names two columns {short(min(repeated))}: give each a name of its own"
            )
        values = self.values[:points, places]
        for place, name in zip(places, names, strict=True):
            gap = self.gaps.get(place)
            if gap is not None and gap.point < len(values):
                self._check_commas(place, option)
                found = short(gap.field.strip()) if gap.field.strip() else "nothing"
                raise ValueError(
                    f"{self.path}: row {gap.row} must have a finite number in column "
                    f"{short(name)}, got {found}: fill the gap, or leave the column out by {option}"
                )
        return Columns(names, values)

    def _check_commas(self, place: int, option: str) -> None:
        """Raises where the first gap of a column is a number but for its commas."""
        field = self.gaps[place].field.strip()
        if "," in field and any(_is_number(field.replace(",", mark)) for mark in (".", "")):
            raise ValueError(
                f"{self.path}: column {short(self.names[place])} has commas in its numbers, such "
                f"as {short(field)}: write decimal points and no other marks, or leave the column "
                f"out by {option}"
            )

    def _place(self, option: str, name: str) -> int:
        if name in self.names:
            place = self.names.index(name)
        elif len(name) < 20 and name.isdecimal() and 1 <= int(name) <= len(self.names):
            place = int(name) - 1
        else:
            known = [name for at, name in enumerate(self.names) if at not in self.text]
            raise ValueError(brief(f"{option} names no column {short(name)}{similar(name, known)}"))
        if place in self.text:
            self._check_commas(place, option)
            raise ValueError(
                f"{option} names the column {short(self.names[place])}, which holds no number"
            )
        return place


def read_table(path: Path) -> Table:
    """Reads a CSV file with a point in each row and a name for each column in the first one.

    Without such a row, and where it has no name for numbers, columns are named by their places,
    from 1.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a file; the message says where it is wrong.
    """
    if path.suffix.lower() not in (".csv", ".txt", ".tsv"):
        raise ValueError(f"data must be a .csv file with a number in each column, got {path}")
    content = read_content(path, "a .csv file of numbers")
    table = table_rows(path, decoded(path, content))
    begun = next(table, None)
    if begun is None:
        raise ValueError(f"{path} has no row of numbers")
    first = [field.strip() for field in begun[1]]
    has_header = not any(_is_number(field) for field in first)
    names = first if has_header else [str(place + 1) for place in range(len(first))]
    if has_header:
        for name in names:
            check_name(path, "the name of a column", name)
        begun = next(table, None)
    if begun is None:
        raise ValueError(f"{path} has no row of numbers")
    values = array("d")
    gaps: dict[int, _Gap] = {}
    text = set(range(len(names)))
    for point, (number, row) in enumerate(chain([begun], table)):
        if len(values) >= _MOST_VALUES:
            raise ValueError(f"{path} must have at most {_MOST_VALUES:,} numbers, but has more")
        if len(row) != len(names):
            raise ValueError(
                f"{path}: row {number} must have {len(names)} columns, as the first one, got "
                f"{len(row)}"
            )
        for place, field in enumerate(row):
            is_number = _is_number(field)
            value = float(field) if is_number else math.nan
            values.append(value)
            if is_number:
                text.discard(place)
            if not math.isfinite(value):
                gaps.setdefault(place, _Gap(point, number, field))
    if len(text) == len(names):
        raise ValueError(
            f"{path} has no column of numbers: there must be decimal points, and commas, "
            f"semicolons or tabulators between columns, but row {begun[0]} is "
            f"{short(' '.join(begun[1]))}"
        )
    numbers = np.array(values).reshape(-1, len(names))
    unnamed = [place for place, name in enumerate(names) if not name and place not in text]
    # As pandas writes them.
    counting = [place for place in unnamed if _counts(numbers[:, place])]
    row_numbers = frozenset(counting if len(counting) < len(names) - len(text) else ())
    names = [n or ("" if place in text else str(place + 1)) for place, n in enumerate(names)]
    return Table(
        path,
        tuple(names),
        numbers,
        has_header,
        frozenset(text),
        row_numbers,
        gaps,
        hashlib.sha256(content).hexdigest(),
    )


def _counts(column: Values) -> bool:
    """Whether values go up by the same each time, as numbers of rows do."""
    steps = np.diff(column)
    return bool((steps > 0).all() and (steps == steps[:1]).all())


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
    def fitted(cls, columns: Columns, ends: Sequence[int | None]) -> "Scaling":
        """The scaling by the first points of each column.

        Args:
            columns: The series.
            ends: For each column the number of points that it goes by, None for all.

        Raises:
            ValueError: If a column is constant.
        """
        firsts = [values[:end] for values, end in zip(columns.values.T, ends, strict=True)]
        low = np.array([values.min() for values in firsts])
        high = np.array([values.max() for values in firsts])
        with np.errstate(over="ignore"):
            span = high - low
        for name, value, width in zip(columns.names, low, span, strict=True):
            if not 0 < width < math.inf:
                raise ValueError(
                    f"column {short(name)} cannot be scaled to [0, 1]: "
                    + (f"it is {value:g} throughout" if width == 0 else "its range overflows")
                    + " in the points that the scaling goes by: leave it out by columns"
                )
        return cls(low, span)

    @classmethod
    def none(cls, count: int) -> "Scaling":
        """The scaling that leaves columns as they are."""
        return cls(np.zeros(count), np.ones(count))

    def apply(self, columns: Columns) -> Values:
        """The scaled values of a series, shape ``(N, C)``.

        Raises:
            ValueError: If one is too large for a network.
        """
        with np.errstate(over="ignore"):
            scaled = (columns.values - self.low) / self.span
        largest = np.abs(scaled).max(0)
        for name, size in zip(columns.names, largest.tolist(), strict=True):
            if size > _LARGEST:
                raise ValueError(
                    f"column {short(name)} must be at most {_LARGEST:g} in size when it is scaled, "
                    f"got {size:.3g}: choose another scaling, or leave it out by columns"
                )
        return scaled

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
