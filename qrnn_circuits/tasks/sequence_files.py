"""Sequences as a user's file has them: lines of text, rows of CSV, or arrays."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.choices import Target as Target
from qrnn_circuits.tasks.user_file import decoded, npz_arrays, npz_names, table_rows

PARTS = ("train", "validation", "test")
"""Names of the parts into which a file may split its sequences itself."""

_SUFFIXES = tuple(f"_{part}" for part in PARTS)

MOST_SEQUENCES = 2**20
"""Greatest number of sequences."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """What a file holds, as it is written.

    Attributes:
        sequences: The characters or numbers of each sequence.
        labels: The label of each, if there are labels.
        parts: The part of each, one of :data:`PARTS`, if the file splits its sequences.
    """

    sequences: list[Integers]
    labels: list[str] | None = None
    parts: list[str] | None = None


def is_number(label: str) -> bool:
    """Whether a text is a whole number."""
    return _NUMBER.fullmatch(label) is not None


def short(text: str) -> str:
    """A text for a message, cut where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def text_rows(path: Path, content: bytes, target: Target, *, whole: bool) -> Rows:
    """The lines of a text, or all of them as one sequence.

    Raises:
        ValueError: If it is no text, or a label is missing.
    """
    text = decoded(path, content)
    if whole:
        return Rows([_characters(text)])
    lines = []
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            lines.append((number, line.removesuffix("\n")))
            _check_count(path, len(lines))
    if target == "next":
        return Rows([_characters(line) for _, line in lines])
    sequences: list[Integers] = []
    labels = []
    for number, line in lines:
        symbols, tabulator, label = line.rpartition("\t")
        if not (tabulator and label.strip()):
            raise ValueError(
                f"{path}, line {number}: with target='label' a tabulator and the label must "
                f"follow the sequence, got {short(line)}"
            )
        sequences.append(_characters(symbols))
        labels.append(label.strip())
    if [at for at, label in enumerate(labels) if label.casefold() == "label"] == [0]:
        raise ValueError(
            f"{path}, line {lines[0][0]}: is a header, which a text has not: leave it out"
        )
    return Rows(sequences, labels)


def _check_count(path: Path, count: int) -> None:
    """Raises where there are more sequences than memory is meant for."""
    if count > MOST_SEQUENCES:
        raise ValueError(f"{path} holds more than {MOST_SEQUENCES:,} sequences: give fewer")


def _characters(text: str) -> Integers:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)


def csv_rows(path: Path, content: bytes, target: Target) -> Rows:
    """The rows of a table.

    Raises:
        ValueError: If it is no table of whole numbers, with a label in each row if need be.
    """
    text = decoded(path, content)
    table = ((number, [field.strip() for field in row]) for number, row in table_rows(path, text))
    begun = next(table, None)
    first = begun[1] if begun else []
    # Libraries number the columns that have no name.
    is_named = any(field.casefold() in ("split", "label") for field in first)
    header = first if is_named or not any(map(is_number, first)) else []
    if not is_named:
        _check_header(path, header)
    if any(header) and not first[0]:
        raise ValueError(
            f"{path}: the first column has no name, as that of row numbers that pandas writes: "
            "leave it out (index=False), or name it"
        )
    begun = next(table, None) if header else begun
    if begun is None:
        raise ValueError(f"{path} holds no sequence{', only a header' if header else ''}")
    width = len(first)
    split, label = (_column(path, header, name) for name in ("split", "label"))
    if target == "label":
        label = width - 1 if label is None else label
    elif label is not None:
        raise ValueError(f"{path} has a column label: give target='label', or leave it out")
    if label is not None and label == split:
        raise ValueError(f"{path} needs a column label beside split with target='label'")
    even = label is not None or bool(header)
    sequences: list[Integers] = []
    labels, parts = [], []
    for number, row in chain([begun], table):
        _check_count(path, len(sequences) + 1)
        where = f"{path}, line {number}"
        if even and len(row) != width:
            raise ValueError(
                f"{where}: must have {width} fields as the first line, got {len(row)}; sequences "
                "that are shorter leave fields empty where there are labels or a header"
            )
        symbols = [field for at, field in enumerate(row) if at not in (label, split)]
        while symbols and not symbols[-1]:
            symbols.pop()
        sequences.append(np.array([_number(where, field) for field in symbols], dtype=np.int64))
        if label is not None:
            if not row[label]:
                raise ValueError(f"{where}: has no label")
            labels.append(row[label])
        if split is not None:
            if row[split] not in PARTS:
                raise ValueError(
                    f"{where}: split must be one of {', '.join(PARTS)}, got {short(row[split])}"
                )
            parts.append(row[split])
    if not header and width > 2 and first == [str(place) for place in range(width)]:
        _check_first(path, sequences, labels)
    return Rows(sequences, None if label is None else labels, None if split is None else parts)


def _check_first(path: Path, sequences: Sequence[Integers], labels: Sequence[str]) -> None:
    """Raises where a first row that counts holds what no other row does, as a header would."""
    if len(sequences) == 1:
        return
    rare = np.setdiff1d(sequences[0], np.concatenate(sequences[1:])).size > 0
    if rare or (labels and labels[0] not in labels[1:]):
        raise ValueError(
            f"{path}, line 1: counts 0, 1, 2, ..., which no other row does, as libraries number "
            "columns without names: leave it out, or if it is a sequence put another one first"
        )


def _column(path: Path, header: Sequence[str], name: str) -> int | None:
    """The place of a column that a header names, in small letters or capitals, if there is one."""
    places = [place for place, field in enumerate(header) if field.casefold() == name]
    if len(places) > 1:
        raise ValueError(f"{path} must have one column {name}, but names {len(places)} so")
    return places[0] if places else None


def _check_header(path: Path, header: Sequence[str]) -> None:
    """Raises where the first line is no header, but numbers that are not whole."""
    for name in header:
        try:
            float(name)
        except ValueError:
            continue
        raise ValueError(f"{path}, line 1: symbols must be whole numbers, got {short(name)}")


def _number(where: str, field: str) -> int:
    if not _NUMBER.fullmatch(field):
        raise ValueError(
            f"{where}: symbols must be whole numbers separated by commas, semicolons or "
            f"tabulators, got {short(field)}"
        )
    return int(field)


def npz_rows(path: Path, content: bytes, target: Target) -> Rows:
    """The rows of arrays.

    Raises:
        ValueError: If the file does not hold the arrays that it must hold.
    """
    names = [f"{kind}{suffix}" for kind in ("x", "lengths", "y") for suffix in ("", *_SUFFIXES)]
    arrays = npz_arrays(path, content, names)
    parts = [name for name in PARTS if f"x_{name}" in arrays]
    if "x" in arrays and not parts:
        suffixes = {"": ""}
    elif len(parts) == len(PARTS) and "x" not in arrays:
        suffixes = {f"_{name}": name for name in PARTS}
    else:
        raise ValueError(
            f"{path} must hold an array x, or x_train, x_validation and x_test, but has "
            f"{npz_names(content) or 'nothing'}"
        )
    lengths_of = {f"lengths{suffix}" for suffix in suffixes}
    if (given := {name for name in arrays if name.startswith("lengths")}) not in (
        lengths_of,
        set(),
    ):
        raise ValueError(
            f"{path} must hold {', '.join(sorted(lengths_of))} or no lengths, but has "
            f"{', '.join(sorted(given))}"
        )
    sequences: list[Integers] = []
    labels: list[str] = []
    split: list[str] = []
    for suffix, name in suffixes.items():
        x = _whole_numbers(path, arrays, f"x{suffix}", 2)
        _check_count(path, len(sequences) + len(x))
        lengths = np.full(len(x), x.shape[1])
        if f"lengths{suffix}" in arrays:
            lengths = _whole_numbers(path, arrays, f"lengths{suffix}", 1, len(x))
            if len(x) and not (lengths.min() >= 1 and lengths.max() <= x.shape[1]):
                raise ValueError(
                    f"{path}: lengths{suffix} must be from 1 to {x.shape[1]}, the columns of "
                    f"x{suffix}, got {lengths.min()} to {lengths.max()}"
                )
        sequences += [row[:n] for row, n in zip(x, lengths.tolist(), strict=True)]
        split += [name] * len(x)
        if target == "label":
            if f"y{suffix}" not in arrays:
                raise ValueError(f"{path} must hold an array y{suffix} with target='label'")
            y = _whole_numbers(path, arrays, f"y{suffix}", 1, len(x))
            labels += map(str, y.tolist())
    return Rows(
        sequences, labels if target == "label" else None, split if len(suffixes) > 1 else None
    )


def _whole_numbers(
    path: Path, arrays: dict[str, NDArray[np.generic]], name: str, ndim: int, rows: int = -1
) -> Integers:
    array = arrays[name]
    if array.dtype.kind not in "iu":
        nan = array.dtype.kind == "f" and np.isnan(array).any()
        raise ValueError(
            f"{path}: {name} must hold whole numbers, got {'NaN in ' if nan else ''}{array.dtype}"
        )
    if array.ndim != ndim or (rows >= 0 and len(array) != rows):
        shape = f"({'N' if rows < 0 else rows},{' T' if ndim == 2 else ''})"
        raise ValueError(f"{path}: {name} must have shape {shape}, got {array.shape}")
    if array.size and int(array.max()) >= 2**63:
        raise ValueError(f"{path}: {name} must be numbers of 64 bits, got {array.max()}")
    return array.astype(np.int64)
