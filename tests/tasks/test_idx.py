import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.tasks.idx import read_idx


def idx(values: np.ndarray, type_code: int = 0x08) -> bytes:
    header = struct.pack(f">2xBB{values.ndim}I", type_code, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


VALUES = np.arange(2 * 3 * 4).reshape(2, 3, 4)
GOOD = idx(VALUES)


@given(
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    compressed=st.booleans(),
)
def test_arrays_are_read_back_plain_or_compressed(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], compressed: bool
) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(idx(values)) if compressed else idx(values))
    np.testing.assert_array_equal(read_idx(path, len(shape)), values)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is cut off: an IDX header has 4 bytes, it holds 0"),
        (b"\0\0\x08", "is cut off: an IDX header has 4 bytes, it holds 3"),
        (b"PK" + GOOD[2:], r"is not an IDX file: it must begin with two zero bytes, got b'PK'"),
        (idx(VALUES, 0x0D), "must hold values of type uint8, got float32"),
        (idx(VALUES, 0x42), r"must hold values of type uint8, got unknown \(0x42\)"),
        (idx(VALUES[0]), "must have 3 dimensions, got 2"),
        (GOOD[:15], "is cut off: an IDX header of 3 dimensions has 16 bytes, it holds 15"),
        (GOOD[:-1], r"is cut off: shape \(2, 3, 4\) needs 24 values, got 23"),
        (struct.pack(">2xBB3I", 8, 3, 0, 2**32 - 1, 2**32 - 1), "must hold at most 268,435,456"),
        (GOOD + b"\0", r"has trailing bytes: shape \(2, 3, 4\) needs 24 values, got more"),
        (gzip.compress(GOOD, mtime=0)[:-9], "is a corrupt gzip file"),
        (gzip.compress(GOOD, mtime=0)[:-8] + bytes(8), "is a corrupt gzip file"),
        (gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 30, "is a corrupt gzip file"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "wrong-file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"wrong-file {complaint}"):
        read_idx(path, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        read_idx(tmp_path / "no-such-file", 3)
