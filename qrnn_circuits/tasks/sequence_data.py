"""Sequences of symbols from a user's file: text, or whole numbers as CSV or NPZ."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.tasks.sequence_files import (
    PARTS,
    Target,
    csv_rows,
    is_number,
    npz_rows,
    short,
    text_rows,
)
from qrnn_circuits.tasks.user_file import check_name, read_content

MOST_SYMBOLS = 2**8
"""Greatest number of different symbols: those of eight lane wires."""

# Of the table of all sequences, filled up to the length of the longest.
MOST_CELLS = 2**25
_SPLIT_SEED = 0


@dataclass(frozen=True)
class SequenceData:
    """What a file holds.

    Attributes:
        sequences: The symbols of each sequence, uint8.
        labels: The class of each sequence, or None where there are no labels.
        parts: The part of each sequence, a number of :data:`PARTS`, or None where the file does
            not split its sequences.
        alphabet: The characters of a text in the order of their symbols; empty for numbers.
        symbols: Number of different symbols.
        classes: Names of the classes in their order.
        checksum: SHA-256 of the file, in hexadecimal.
    """

    sequences: tuple[NDArray[np.uint8], ...]
    labels: NDArray[np.int64] | None
    parts: NDArray[np.int64] | None
    alphabet: str
    symbols: int
    classes: tuple[str, ...]
    checksum: str


def read_sequences(path: Path, target: Target, *, whole: bool = False) -> SequenceData:
    """Reads a file of sequences; its name says of which kind it is.

    - ``.csv``: each row is a sequence of whole numbers, of any length. With labels all rows have
      equally many fields, the last one being the label, or that of the column ``label``; shorter
      sequences leave fields empty. In a file with a header, a column ``split`` may say ``train``,
      ``validation`` or ``test``.
    - ``.npz``: an array ``x`` of whole numbers, a sequence in each row, with ``lengths`` of the
      sequences if these differ and the labels ``y``; or these for each part, as ``x_train``,
      ``x_validation`` and ``x_test``.
    - Everything else is text in UTF-8: each line is a sequence of characters, followed by a
      tabulator and its label if there are labels. Blank lines are left out.

    Args:
        path: The file.
        target: Whether each sequence has a label.
        whole: Whether all lines of a text are one sequence.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a file, or too large; the message says where it is wrong.
    """
    content = read_content(path)
    kind = path.suffix.lower()
    if kind == ".csv":
        rows = csv_rows(path, content, target)
    elif kind == ".npz":
        rows = npz_rows(path, content, target)
    else:
        rows = text_rows(path, content, target, whole=whole)
    _check_sizes(path, rows.sequences, target)
    found = np.unique(np.concatenate(rows.sequences))
    is_text = kind not in (".csv", ".npz")
    _check_symbols(path, found.tolist(), is_text=is_text)
    classes, labels = _classes(path, rows.labels)
    return SequenceData(
        sequences=tuple(
            (np.searchsorted(found, row) if is_text else row).astype(np.uint8)
            for row in rows.sequences
        ),
        labels=labels,
        parts=_parts(path, rows.parts),
        alphabet="".join(map(chr, found.tolist())) if is_text else "",
        symbols=len(found) if is_text else int(found[-1]) + 1,
        classes=classes,
        checksum=hashlib.sha256(content).hexdigest(),
    )


def _check_sizes(path: Path, sequences: Sequence[NDArray[np.int64]], target: Target) -> None:
    """Raises where there is no sequence, one is too short, or all take too much memory."""
    if not sequences:
        raise ValueError(f"{path} holds no sequence")
    least = 2 if target == "next" else 1
    for number, sequence in enumerate(sequences, 1):
        if len(sequence) < least:
            raise ValueError(
                f"{path}: sequence {number} must have at least {least} symbol(s) with "
                f"target={target!r}, got {len(sequence)}: each line or row is a sequence"
            )
    longest = max(map(len, sequences))
    if longest * len(sequences) > MOST_CELLS:
        raise ValueError(
            f"{path} holds {len(sequences):,} sequences of up to {longest:,} symbols: a table of "
            f"at most {MOST_CELLS:,} symbols is accepted, so give fewer or shorter ones"
        )


def _check_symbols(path: Path, found: list[int], *, is_text: bool) -> None:
    """Raises where a lane does not take the different characters or numbers."""
    if is_text and len(found) > MOST_SYMBOLS:
        raise ValueError(
            f"{path} has {len(found):,} different characters, and a lane takes at most "
            f"{MOST_SYMBOLS}: replace the rarest"
        )
    if not is_text and not 0 <= found[0] <= found[-1] < MOST_SYMBOLS:
        raise ValueError(
            f"{path}: symbols must be from 0 to {MOST_SYMBOLS - 1}, which a lane of eight wires "
            f"takes, got {found[0] if found[0] < 0 else found[-1]}: number the different ones"
        )
    if len(found) < 2:
        raise ValueError(f"{path} must hold at least two different symbols, got only one")


def _parts(path: Path, names: Sequence[str] | None) -> NDArray[np.int64] | None:
    """The number of each sequence's part."""
    if names is None:
        return None
    for part in PARTS:
        if part not in names:
            raise ValueError(f"{path} splits its sequences, but has none for {part}")
    return np.array([PARTS.index(name) for name in names])


def _classes(
    path: Path, labels: Sequence[str] | None
) -> tuple[tuple[str, ...], NDArray[np.int64] | None]:
    """The names of the classes, numbers in their order, and the class of each sequence."""
    if labels is None:
        return (), None
    numbers = all(map(is_number, labels))
    classes = sorted(set(labels), key=(lambda label: (int(label), label)) if numbers else None)
    if not 2 <= len(classes) <= MOST_SYMBOLS:
        raise ValueError(
            f"{path} must have labels of 2 to {MOST_SYMBOLS} classes, got {len(classes)}"
            + (f": {short(classes[0])}" if len(classes) == 1 else "")
        )
    for name in classes:
        check_name(path, "a label", name)
    _check_numbers(path, classes)
    number_of = {name: number for number, name in enumerate(classes)}
    return tuple(classes), np.array([number_of[label] for label in labels])


def _check_numbers(path: Path, classes: Sequence[str]) -> None:
    """Raises where all classes are numbers, and one is NaN or two are the same."""
    try:
        values = list(map(Decimal, classes))
    except InvalidOperation:
        return
    texts: dict[Decimal, str] = {}
    for text, value in zip(classes, values, strict=True):
        if value.is_nan():
            raise ValueError(
                f"{path} must have a label of each sequence, got {short(text)} among numbers: "
                "leave these sequences out, or name the class otherwise"
            )
        if texts.setdefault(value, text) != text:
            raise ValueError(
                f"{path} must write each label in one way, got {short(texts[value])} and "
                f"{short(text)}, which are the same number"
            )


@dataclass(frozen=True)
class SequencePart:
    """The sequences of one of :data:`PARTS`.

    Attributes:
        sequences: The symbols of each, uint8.
        labels: The class of each, or None.
    """

    sequences: Sequence[NDArray[np.uint8]]
    labels: NDArray[np.int64] | None


def split_sequences(
    data: SequenceData, validation: float, test: float, *, cut: bool
) -> tuple[SequencePart, SequencePart, SequencePart]:
    """Shares sequences out, as the file does or by a fixed permutation that mixes the classes.

    Args:
        data: The sequences.
        validation: Share of the validation; with 0 its sequences are the training's.
        test: Share of the test, with the same meaning of 0.
        cut: Whether a sequence that is the only one may be cut, the test coming last.

    Returns:
        The parts to train on, to validate on and to test on.

    Raises:
        ValueError: If there are too few sequences.
    """
    if data.parts is not None:
        train, *others = (_part(data, np.flatnonzero(data.parts == part)) for part in range(3))
        return train, others[0], others[1]
    alone = cut and len(data.sequences) == 1
    count = len(data.sequences[0]) if alone else len(data.sequences)
    least = 2 if alone else 1
    sizes = [max(least, round(share * count)) if share else 0 for share in (validation, test)]
    kept = count - sum(sizes)
    if kept < least:
        # Both were rounded up.
        sizes = [max(least, int(share * count)) if share else 0 for share in (validation, test)]
        kept = count - sum(sizes)
    if kept < least:
        raise ValueError(
            f"data must have sequences for training, validation and test, got "
            f"{count} {'symbols' if alone else 'sequence(s)'}: give more of them, length to cut a "
            "long one, or validation_share=0 and test_share=0 to judge by the training sequences"
        )
    ends = [kept, kept + sizes[0]]
    if alone:
        parts = [SequencePart([part], None) for part in np.split(data.sequences[0], ends)]
    else:
        parts = [_part(data, np.sort(rows)) for rows in np.split(_mixed(data), ends)]
    train, *others = parts
    validated, tested = (other if n else train for other, n in zip(others, sizes, strict=True))
    return train, validated, tested


def _part(data: SequenceData, rows: NDArray[np.int64]) -> SequencePart:
    labels = None if data.labels is None else data.labels[rows]
    return SequencePart([data.sequences[row] for row in rows], labels)


def _mixed(data: SequenceData) -> NDArray[np.int64]:
    """The numbers of all sequences at random, each class spread evenly."""
    rng = np.random.default_rng(_SPLIT_SEED)
    labels = np.zeros(len(data.sequences)) if data.labels is None else data.labels
    position = np.empty(len(labels))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        position[rows] = (np.arange(len(rows)) + rng.random(len(rows))) / len(rows)
    return position.argsort(kind="stable")


def pieces(sequence: NDArray[np.uint8], length: int) -> Iterator[NDArray[np.uint8]]:
    """Cuts a sequence into pieces of some steps; the last symbol of one begins the next.

    Args:
        sequence: Its symbols.
        length: Number of steps of a piece; the last one may be shorter.
    """
    for first in range(0, len(sequence) - 1, length):
        yield sequence[first : first + length + 1]
