"""Reader of the IDX file format of the MNIST database."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08
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
    content = path.read_bytes()
    if content.startswith(_GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is a corrupt gzip file: {error}") from error
    if len(content) < 4:
        raise ValueError(f"{path} is cut off: an IDX header has 4 bytes, it holds {len(content)}")
    if content[:2] != b"\0\0":
        raise ValueError(
            f"{path} is not an IDX file: it must begin with two zero bytes, got {content[:2]!r}"
        )
    if content[2] != _UNSIGNED_BYTE:
        found = _OTHER_TYPES.get(content[2], f"unknown (0x{content[2]:02x})")
        raise ValueError(f"{path} must hold values of type uint8, got {found}")
    if content[3] != dimensions:
        raise ValueError(f"{path} must have {dimensions} dimensions, got {content[3]}")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError(
            f"{path} is cut off: an IDX header of {dimensions} dimensions has {start} bytes, it "
            f"holds {len(content)}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected, found_values = prod(shape), len(content) - start
    if found_values != expected:
        wrong = "is cut off" if found_values < expected else "has trailing bytes"
        raise ValueError(
            f"{path} {wrong}: shape {shape} needs {expected} values, got {found_values}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
