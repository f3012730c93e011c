"""Reads a file that a user names, within limits: as bytes, text or arrays."""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.bounded_readers.arrays import read_arrays
from qrnn_circuits.bounded_readers.files import brief, read_bytes

MOST_BYTES = 2**25
"""Most bytes of a file, and of each array in it."""

_MOST_OF_A_LINE = 2**22
_MOST_LINES = 2**22
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# A quote begins a field, and is doubled in it.
_QUOTES = r'''(?<![^;,\t\n ])"(?:[^"]++|"")*+"'''
_QUOTED = re.compile(_QUOTES)
# Quotes may hold ends of lines.
_FIRST_ROW = re.compile(rf"[ \n]*+(?:{_QUOTES}|[^\n])*+")


def read_content(path: Path, wanted: str = "a file of text, .csv or .npz") -> bytes:
    """The bytes of a file of the user, if it is a regular file that is neither empty nor large.

    Args:
        path: The file.
        wanted: What it should be, for messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else.
    """
    try:
        content = read_bytes(path, MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"data must be {wanted}, but there is no file {path}: name it by --data FILE, or in "
            "the file of --config (of a run, qrnn train --resume --data FILE keeps it for every "
            "command)"
        ) from None
    if not content.strip():
        raise ValueError(f"data must be {wanted}, but {path} is empty")
    return content


def decoded(path: Path, content: bytes) -> str:
    """The text of a file, with one character at the end of each line.

    Raises:
        ValueError: If it is no text in UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no text in UTF-8: byte {error.start} is 0x{content[error.start]:02x}; "
            "write it in that encoding"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path} is no text: it holds a zero byte")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check_name(path: Path, what: str, name: str) -> None:
    """Checks what a file calls something, which terminals and pictures show.

    Args:
        path: Of the file, for messages.
        what: What is called so, as ``"a label"``.
        name: The name.

    Raises:
        ValueError: If it has a control character other than the end of a line and a tabulator.
    """
    if _CONTROL.search(name):
        raise ValueError(
            f"{path} has a control character in {what}, {brief(repr(name))}: write it in others"
        )


def table_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text, one at a time, each after its number from 1.

    Fields are separated by what the first row has outside quotes: semicolons or tabulators, else
    commas; blanks behind these do not count. Rows without any text are left out before the first
    that has some and after the last. Of each gap between, the first one is a row of empty fields,
    but for lines that separate rows of several fields.

    Args:
        path: Of the file, for messages.
        text: Its text.

    Raises:
        ValueError: If it is no CSV, or has a line too long to be a row.
    """
    begun = _FIRST_ROW.match(text, 0, _MOST_OF_A_LINE)
    first = _QUOTED.sub("", begun[0]) if begun else ""
    delimiter = next((mark for mark in ";\t" if mark in first), ",")
    table = csv.reader(_lines(path, text), delimiter=delimiter, skipinitialspace=True, strict=True)
    width = 0
    gap = None
    try:
        for number, row in enumerate(table, 1):
            if any(field.strip() for field in row):
                if gap is not None:
                    yield gap
                    gap = None
                width = max(width, len(row))
                yield number, row
            elif width == 1 or (width and len(row) > 1):
                gap = gap or (number, row or [""])
    except csv.Error as error:
        raise ValueError(f"{path}, line {table.line_num}, is not CSV: {error}") from None


def _lines(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text), 1):
        if number > _MOST_LINES:
            raise ValueError(f"{path} must have at most {_MOST_LINES:,} lines, but has more")
        if len(line) > _MOST_OF_A_LINE:
            raise ValueError(
                f"{path}, line {number}: must have at most {_MOST_OF_A_LINE:,} characters, got "
                f"{len(line):,}"
            )
        yield line


def npz_arrays(path: Path, content: bytes, names: Iterable[str]) -> dict[str, NDArray[np.generic]]:
    """The arrays of an ``.npz`` file that have some of the names, and nothing else of it.

    Raises:
        ValueError: If it is no such file, or the arrays are too large or not of numbers.
    """
    file = io.BytesIO(content)
    return dict(read_arrays(file, str(path), (), MOST_BYTES, optional=names))


def npz_names(content: bytes) -> str:
    """Names of what an ``.npz`` file has, for a message."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return brief(", ".join(name.removesuffix(".npy") for name in archive.namelist()))
