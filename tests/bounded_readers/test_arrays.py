import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from qrnn_circuits.bounded_readers.arrays import read_arrays

MEBIBYTE = 2**20


def npy(header: str, version: int = 1, values: bytes = b"") -> bytes:
    size = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes((version, 0)) + size + header.encode() + values


def archive(method: int = zipfile.ZIP_STORED, **members: bytes) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer


@given(
    values=arrays_of.arrays(
        st.sampled_from((np.uint8, np.int64, np.float32, np.bool_)),
        arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4),
    ),
    in_columns=st.booleans(),
    compressed=st.booleans(),
)
def test_arrays_are_those_that_numpy_wrote(
    values: np.ndarray, in_columns: bool, compressed: bool
) -> None:
    buffer = io.BytesIO()
    stored = np.asfortranarray(values) if in_columns else values
    (np.savez_compressed if compressed else np.savez)(buffer, x=stored, y=np.zeros(3))
    read = read_arrays(buffer, "file", ["x"], 1000)
    assert read.keys() == {"x"}
    assert read["x"].dtype == values.dtype
    np.testing.assert_array_equal(read["x"], values)


def test_members_that_nobody_wants_are_not_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        with file.open("unused.npy", "w") as member:
            for _ in range(512):
                member.write(bytes(MEBIBYTE))
        file.writestr(
            "x.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", 1, b"12")
        )
    tracemalloc.start()
    try:
        with path.open("rb") as opened:
            assert read_arrays(opened, "file", ["x"], 10)["x"].tolist() == [49, 50]
        assert tracemalloc.get_traced_memory()[1] < 10 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_member_is_read_no_further_than_its_header_says() -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}"
    buffer = archive(zipfile.ZIP_DEFLATED, x=npy(header, 1, bytes(256 * MEBIBYTE)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"x\.npy has more bytes than the 2 of its array"):
            read_arrays(buffer, "file", ["x"], 100)
        assert tracemalloc.get_traced_memory()[1] < 10 * MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("member", "complaint"),
    [
        (b"", "is a corrupt .npz file"),
        (b"no array", "is a corrupt .npz file"),
        (npy("(" * 5000), "is a corrupt .npz file"),
        (npy("{'descr': ["), "is a corrupt .npz file"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}"), "a shape that is none"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (10**9,)}"), "is a corrupt"),
        (
            npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**18},)}}"),
            "must hold at most 1,000 bytes in x.npy",
        ),
        (npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': (0, {2**63})}}"), "is none"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}"), "x.npy is cut off"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}"), "must hold numbers"),
        (npy("{'descr': '<U9', 'fortran_order': False, 'shape': (3,)}"), "must hold numbers"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", 3), "unknown format"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(member: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"file .*{complaint}"):
        read_arrays(archive(x=member), "file", ["x"], 1000)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_write_are_refused(method: int) -> None:
    header = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", 1, b"1")
    with pytest.raises(ValueError, match="must be stored or deflated"):
        read_arrays(archive(method, x=header), "file", ["x"], 1000)


def test_a_missing_array_is_named_with_those_that_are_there() -> None:
    with pytest.raises(ValueError, match=r"must hold an array x, but has only \['y'\]"):
        read_arrays(archive(y=b""), "file", ["x"], 1000)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_that_is_there_twice_is_refused() -> None:
    buffer = archive(x=npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", 1, b"1"))
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr("x.npy", file.read("x.npy"))
    with pytest.raises(ValueError, match="file must hold one array x, but has several"):
        read_arrays(buffer, "file", ["x"], 1000)
