"""Reader of the IDX file format of the MNIST database."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.bounded_readers.files import open_file

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
# Bytes, five times what MNIST has.
_LIMIT = 2**28
_OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Reads an array of unsigned bytes from an IDX file, compressed with gzip or plain.

    The format is two zero bytes, one byte for the type, one for the number of dimensions, each
    dimension as a big-endian 32-bit integer, and the values in row-major order.

    Args:
        path: The file.
        dimensions: How many dimensions the array must have.

    Returns:
        The array.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not an IDX file of that kind, is corrupt or is cut off; the
            message names the file and what is wrong with it.
    """
    with open_file(path, _LIMIT) as file:
        try:
            return _read(path, file, dimensions)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is a corrupt gzip file: {error}") from error


def _read(path: Path, file: BinaryIO, dimensions: int) -> NDArray[np.uint8]:
    compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    file.seek(0)
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if compressed else file
    start = 4 + 4 * dimensions
    header = stream.read(start)
    if len(header) < 4:
        raise ValueError(f"{path} is cut off: an IDX header has 4 bytes, it holds {len(header)}")
    if header[:2] != b"\0\0":
        raise ValueError(
            f"{path} is not an IDX file: it must begin with two zero bytes, got {header[:2]!r}"
        )
    if header[2] != _UNSIGNED_BYTE:
        found = _OTHER_TYPES.get(header[2], f"unknown (0x{header[2]:02x})")
        raise ValueError(f"{path} must hold values of type uint8, got {found}")
    if header[3] != dimensions:
        raise ValueError(f"{path} must have {dimensions} dimensions, got {header[3]}")
    if len(header) < start:
        raise ValueError(
            f"{path} is cut off: an IDX header of {dimensions} dimensions has {start} bytes, it "
            f"holds {len(header)}"
        )
    shape = struct.unpack(f">{dimensions}I", header[4:])
    expected = prod(shape)
    # Where one dimension is 0 the others may be anything.
    if max(expected, *shape) > _LIMIT:
        raise ValueError(
            f"{path} must hold at most {_LIMIT:,} values, but has {expected:,}, of shape {shape}"
        )
    values = stream.read(expected)
    # The checksum of a compressed file is compared at its end only.
    if len(values) < expected or stream.read(1):
        wrong = "is cut off" if len(values) < expected else "has trailing bytes"
        got = len(values) if len(values) < expected else "more"
        raise ValueError(f"{path} {wrong}: shape {shape} needs {expected} values, got {got}")
    return np.frombuffer(values, np.uint8).reshape(shape)
