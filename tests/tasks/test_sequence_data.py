import io
import os
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import qrnn_circuits.tasks.sequence_data
import qrnn_circuits.tasks.user_file
from qrnn_circuits.tasks import sequence_files
from qrnn_circuits.tasks.sequence_data import pieces, read_sequences, split_sequences
from qrnn_circuits.tasks.sequence_files import Target
from qrnn_circuits.tasks.user_file import table_rows

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def arrays(**named: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **named)  # type: ignore[arg-type]
    return file.getvalue()


def symbols(path: Path) -> list[list[int]]:
    return [row.tolist() for row in read_sequences(path, "next").sequences]


def test_lines_of_a_text_are_sequences_of_its_sorted_characters(write: Write) -> None:
    data = read_sequences(write("a.txt", "\ufeffbab\r\n\r\n \ncaé\n"), "next")
    assert data.alphabet == "abcé"
    assert [row.tolist() for row in data.sequences] == [[1, 0, 1], [2, 0, 3]]
    assert (data.symbols, data.classes, data.labels, data.parts) == (4, (), None, None)


def test_a_whole_text_is_one_sequence_with_its_line_ends(write: Write) -> None:
    data = read_sequences(write("a.txt", "ab\r\nba\n"), "next", whole=True)
    assert data.alphabet == "\nab"
    assert [row.tolist() for row in data.sequences] == [[1, 2, 0, 2, 1, 0]]


def test_a_line_of_a_labelled_text_ends_with_its_label(write: Write) -> None:
    data = read_sequences(write("a.txt", "ab\tno\nb\tyes, quite\naba\tno\n"), "label")
    assert data.classes == ("no", "yes, quite")
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 0]
    assert [len(row) for row in data.sequences] == [2, 1, 3]


def test_rows_of_a_table_are_sequences_of_any_length(write: Write) -> None:
    assert symbols(write("a.csv", "1,2,0\n3, 4\n\n0,5,,\n")) == [[1, 2, 0], [3, 4], [0, 5]]
    data = read_sequences(write("a.csv", "1,2,0\n3, 4\n"), "next")
    assert (data.symbols, data.alphabet) == (5, "")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_semicolons_and_tabulators_separate_symbols_as_commas_do(mark: str, write: Write) -> None:
    assert symbols(write("a.csv", "1,2,0\n3,4\n".replace(",", mark))) == [[1, 2, 0], [3, 4]]


def test_the_last_column_of_a_table_or_that_of_the_name_is_the_label(write: Write) -> None:
    last = read_sequences(write("a.csv", "1,2,10\n3,,9\n"), "label")
    named = read_sequences(write("b.csv", "label,first,second\n10,1,2\n9,3,\n"), "label")
    of_a_library = read_sequences(write("c.csv", "0,1,Label\n1,2,10\n3,,9\n"), "label")
    for data in (last, named, of_a_library):
        assert [row.tolist() for row in data.sequences] == [[1, 2], [3]]
        assert data.classes == ("9", "10")
        assert data.labels is not None
        assert data.labels.tolist() == [1, 0]


def test_a_file_may_split_its_sequences_itself(write: Write) -> None:
    table = "s,Split,t\n1,test,2\n3,train,4\n5,validation,6\n7,train,0\n"
    x = {f"x_{name}": np.array(rows) for name, rows in _SPLIT.items()}
    for path in (write("a.csv", table), write("a.npz", arrays(**x))):
        data = read_sequences(path, "next")
        parts = split_sequences(data, 0.1, 0.1, cut=False)
        found = [[row.tolist() for row in part.sequences] for part in parts]
        assert found == list(_SPLIT.values())


_SPLIT = {"train": [[3, 4], [7, 0]], "validation": [[5, 6]], "test": [[1, 2]]}


def test_arrays_hold_sequences_their_lengths_and_labels(write: Write) -> None:
    x = np.array([[1, 2, 3], [4, 5, 9]], dtype=np.uint8)
    content = arrays(x=x, lengths=[3, 2], y=[1, -1])
    data = read_sequences(write("a.npz", content), "label")
    assert [row.tolist() for row in data.sequences] == [[1, 2, 3], [4, 5]]
    assert data.classes == ("-1", "1")
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0]


def bomb() -> bytes:
    """A small archive whose array has 2**27 bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        np.lib.format.write_array(archive.open("x.npy", "w"), np.zeros((2**24, 1), int))
    return file.getvalue()


def forged(header: str, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive whose array has a header of its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        size = len(header).to_bytes(2, "little")
        archive.writestr("x.npy", b"\x93NUMPY\1\0" + size + header.encode())
    return file.getvalue()


def shaped(shape: str) -> bytes:
    """An archive whose array says that it has a shape."""
    return forged(f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}}}\n")


def named(*names: str) -> bytes:
    """An archive with members of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", b"")
    return file.getvalue()


BAD: list[tuple[str, str | bytes | Callable[[], bytes], Target, str]] = [
    ("a.txt", "", "next", "data must be a file of text, .csv or .npz, but .* is empty"),
    ("a.txt", " \n\n", "next", "is empty"),
    ("a.txt", b"\x80\x81", "next", "is no text in UTF-8: byte 0 is 0x80"),
    ("a.txt", b"ab\0c", "next", "is no text: it holds a zero byte"),
    ("a.txt", "aaa\naa\n", "next", "at least two different symbols, got only one"),
    ("a.txt", "ab\nc\n", "next", r"sequence 2 must have at least 2 symbol\(s\) .* got 1"),
    ("a.txt", "ab\tx\nb\n", "label", "line 2: .* a tabulator and the label must follow .* got 'b'"),
    ("a.txt", "ab\tx\nb\tx\n", "label", "labels of 2 to 256 classes, got 1: 'x'"),
    ("a.txt", "words\tLabel\nab\t0\nb\t1\n", "label", "line 1: is a header, which a text has not"),
    ("a.txt", "ab\tx\x1b\nb\ty\n", "label", r"control character in a label, 'x\\x1b'"),
    ("a.txt", "ab\t1\nb\t01\n", "label", "label in one way, got '01' and '1', which are the same"),
    ("a.csv", "1,2,1.0\n1,2,1\n", "label", "label in one way, got '1' and '1.0'"),
    ("a.csv", "1,2,0\n1,2,1\n3,4,nan\n", "label", "label of each sequence, got 'nan' among num"),
    ("a.txt", "".join(map(chr, range(300, 600))), "next", "300 different characters, .* most 256"),
    ("a.csv", "1,2\n3,nan\n", "next", "line 2: symbols must be whole numbers .* got 'nan'"),
    ("a.csv", "nan,nan\n1,2\n", "next", "line 1: symbols must be whole numbers, got 'nan'"),
    ("a.csv", "0.5,1.5\n", "next", "line 1: symbols must be whole numbers, got '0.5'"),
    ("a.csv", "1,,2\n", "next", "line 1: symbols must be whole numbers .* got ''"),
    ("a.csv", "1,2,0\n1,0\n", "label", "line 2: must have 3 fields as the first line, got 2"),
    ("a.csv", "a,b\n1,2\n1,2,3\n", "next", "line 3: must have 2 fields as the first line, got 3"),
    ("a.csv", "1,2,0\n1,2,\n", "label", "line 2: has no label"),
    ("a.csv", "1,0\n2,0\n", "label", "labels of 2 to 256 classes, got 1: '0'"),
    ("a.csv", "a,b\n", "next", "holds no sequence, only a header"),
    ("a.csv", ",,\n", "next", "holds no sequence$"),
    ("a.csv", "-1,2\n", "next", "symbols must be from 0 to 255, .* got -1"),
    ("a.csv", "1,256\n", "next", "symbols must be from 0 to 255, .* got 256"),
    ("a.csv", f"1,{10**30}\n", "next", "whole numbers .* got '1000"),
    ("a.csv", '1,"2\n', "next", "is not CSV: unexpected end of data"),
    ("a.csv", "s,split\n1,dev\n", "next", "split must be one of train, .* got 'dev'"),
    ("a.csv", "s,t,split\n1,2,train\n", "next", "splits its .*, but has none for validation"),
    ("a.csv", "label,a,Label\n1,2,3\n", "label", "must have one column label, but names 2 so"),
    ("a.csv", "Split,a,split\n1,2,3\n", "next", "must have one column split, but names 2 so"),
    ("a.csv", "s,label\n1,2\n", "next", "has a column label: give target='label'"),
    ("a.csv", "s,split\n1,train\n", "label", "needs a column label beside split"),
    ("a.npz", "1,2", "next", "is not an .npz file"),
    ("a.npz", bomb, "next", "must hold at most 33,554,432 bytes in x.npy, but has 134,217,728"),
    ("a.npz", arrays(z=[1]), "next", "must hold an array x, or x_train, .* but has z"),
    ("a.npz", arrays(x=[[0.0, np.nan]]), "next", "x must hold whole numbers, got NaN in float64"),
    ("a.npz", arrays(x=[["a"]]), "next", "must hold numbers in x.npy, but has the type <U1"),
    (
        "a.npz",
        arrays(x=np.array([[{}]])),
        "next",
        "must hold numbers in x.npy, but has the type object",
    ),
    ("a.npz", arrays(x=[1, 2]), "next", r"x must have shape \(N, T\), got \(2,\)"),
    ("a.npz", arrays(x=[[2**64 - 1]]), "next", "x must be numbers of 64 bits"),
    ("a.npz", arrays(x=[[1, 2]], lengths=[3]), "next", "lengths must be from 1 to 2, .* 3 to 3"),
    (
        "a.npz",
        arrays(x=[[1, 2]], lengths_train=[2]),
        "next",
        "hold lengths or no .* lengths_train$",
    ),
    (
        "a.npz",
        arrays(x_train=[[1]], x_validation=[[1]], x_test=[[1]], lengths=[2]),
        "next",
        "must hold lengths_test, lengths_train, lengths_validation or no lengths, but has lengths$",
    ),
    ("a.npz", arrays(x=[[1, 2]]), "label", "must hold an array y with target='label'"),
    ("a.npz", arrays(x=[[1, 2]], y=[0, 1]), "label", r"y must have shape \(1,\), got \(2,\)"),
    ("a.npz", arrays(x=np.zeros((0, 3), int)), "next", "holds no sequence"),
    ("a.npz", arrays(x=[[True, False]]), "next", "x must hold whole numbers, got bool"),
    ("a.npz", arrays(x=[[1j, 2]]), "next", "must hold numbers in x.npy, .* the type complex128"),
    ("a.npz", shaped(f"({10**12}, {10**6})"), "next", "at most 33,554,432 bytes in x.npy"),
    ("a.npz", shaped(f"({10**30}, 4)"), "next", "has a shape that is none"),
    ("a.npz", forged("(" * 3000), "next", "is a corrupt .npz file"),
    ("a.npz", forged("", zipfile.ZIP_LZMA), "next", "x.npy must be stored or deflated"),
    ("a.npz", named("x\n[bold]", "z"), "next", r"but has x \[bold\], z$"),
    ("a.npz", named(*map(str, range(3000))), "next", r"must hold an array x, .*\.\.\.$"),
    ("a.csv", "1," * 2**21 + "1\n", "next", "line 1: must have at most 4,194,304 characters"),
]


@pytest.mark.parametrize(
    ("content", "target"),
    [
        (",0,1\n0,1,1\n1,0,1\n", "next"),
        (",a,b,label\n0,1,1,x\n1,0,1,y\n", "label"),
        ("0,1,2,3\n1,1,0,2\n2,0,1,1\n", "next"),
        ("0,1,2,3\n1,1,0,x\n2,0,1,y\n1,2,1,x\n", "label"),
    ],
)
def test_what_libraries_write_beside_symbols_is_not_taken_for_symbols(
    content: str, target: Target, write: Write
) -> None:
    with pytest.raises(ValueError, match=r"index=False|put another one first|got ''"):
        read_sequences(write("a.csv", content), target)


def test_a_first_row_that_counts_is_a_sequence_where_others_have_its_numbers(write: Write) -> None:
    assert symbols(write("a.csv", "0,1,2,3\n1,2,3,0\n")) == [[0, 1, 2, 3], [1, 2, 3, 0]]
    assert symbols(write("a.csv", "0,1,2,3\n")) == [[0, 1, 2, 3]]


@pytest.mark.parametrize(("name", "content", "target", "message"), BAD)
def test_a_bad_file_is_one_line_that_says_what_and_where(
    name: str,
    content: str | bytes | Callable[[], bytes],
    target: Target,
    message: str,
    write: Write,
) -> None:
    path = write(name, content() if callable(content) else content)
    with pytest.raises(ValueError, match=message) as caught:
        read_sequences(path, target)
    assert "\n" not in str(caught.value)
    assert "data" in str(caught.value) or str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", "ab\n" * 4), ("a.csv", "0,1\n" * 4), ("a.npz", arrays(x=np.zeros((4, 2), "u1")))],
)
def test_a_file_of_too_many_sequences_is_refused(
    name: str,
    content: str | Callable[[], bytes],
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequence_files, "MOST_SEQUENCES", 3)
    with pytest.raises(ValueError, match=r"holds more than 3 sequences: give fewer$"):
        read_sequences(write(name, content() if callable(content) else content), "next")


def test_what_is_no_regular_file_is_refused_without_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    with pytest.raises(ValueError, match="is a folder"):
        read_sequences(tmp_path, "next")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ValueError, match="must be a regular file, but is a pipe"):
        read_sequences(tmp_path / "fifo", "next")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none.csv: name it by --data"):
        read_sequences(tmp_path / "none.csv", "next")
    sparse = write("sparse.txt", "ab")
    os.truncate(sparse, 10 * 2**30)
    with pytest.raises(ValueError, match=r"at most 33,554,432 bytes .* has 10,737,418,240"):
        read_sequences(sparse, "next")
    monkeypatch.setattr(qrnn_circuits.tasks.sequence_data, "MOST_CELLS", 8)
    with pytest.raises(ValueError, match="3 sequences of up to 4 symbols: a table of at most 8"):
        read_sequences(write("a.txt", "abab\nab\nba\n"), "next")


@example(rows=4, share=0.375, classes=1)
@given(rows=st.integers(3, 60), share=st.floats(0.05, 0.4), classes=st.integers(1, 3))
def test_every_sequence_is_in_one_part_and_classes_are_mixed(
    rows: int, share: float, classes: int
) -> None:
    labels = np.arange(rows) % classes
    data = qrnn_circuits.tasks.sequence_data.SequenceData(
        sequences=tuple(np.array([row, row], dtype=np.uint8) for row in range(rows)),
        labels=labels,
        parts=None,
        alphabet="",
        symbols=rows,
        classes=tuple(map(str, range(classes))),
        checksum="",
    )
    parts = split_sequences(data, share, share, cut=True)
    found = [[int(row[0]) for row in part.sequences] for part in parts]
    assert sorted(row for part in found for row in part) == list(range(rows))
    assert all(abs(len(part) - max(1, share * rows)) < 1 for part in found[1:])
    for part, numbers in zip(parts, found, strict=True):
        assert part.labels is not None
        assert part.labels.tolist() == [labels[number] for number in numbers]
        counts = np.bincount(part.labels, minlength=classes) / len(numbers)
        assert np.abs(counts - 1 / classes).max() <= 2 / len(numbers) + 1 / rows


@given(length=st.integers(1, 9), symbols=st.integers(2, 40))
def test_pieces_of_a_sequence_have_each_of_its_steps_once(length: int, symbols: int) -> None:
    sequence = np.arange(symbols, dtype=np.uint8)
    cut = list(pieces(sequence, length))
    assert all(2 <= len(piece) <= length + 1 for piece in cut)
    steps = [step for piece in cut for step in pairwise(piece)]
    assert steps == list(pairwise(sequence))


def test_marks_within_quotes_separate_no_fields() -> None:
    rows = table_rows(Path("a.csv"), '"x; in mm",y\n1,2\n')
    assert list(rows) == [(1, ["x; in mm", "y"]), (2, ["1", "2"])]
    rows = table_rows(Path("a.csv"), '6";5"\n1;2\n')
    assert list(rows) == [(1, ['6"', '5"']), (2, ["1", "2"])]
    rows = table_rows(Path("a.csv"), '\n"x;\n\tin mm",y\n1,2\n')
    assert list(rows) == [(2, ["x;\n\tin mm", "y"]), (3, ["1", "2"])]


def test_labels_in_quotes_behind_blanks_are_those_without(write: Write) -> None:
    path = write("a.csv", '1,2, "yes"\n2,1,yes\n1,1, no\n')
    assert read_sequences(path, "label").classes == ("no", "yes")


def test_what_is_no_table_is_told_by_its_line() -> None:
    with pytest.raises(ValueError, match=r"^a.csv, line 3, is not CSV: ',' expected"):
        list(table_rows(Path("a.csv"), 'a,b\n1,2\n"3"4,5\n'))
