"""Arrays in NumPy's .npz format that others wrote, read within limits.

``numpy.load`` decompresses whatever members a file has, however large they become. Here a member's
header is read first, and of its content no more than the header says.
"""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from math import prod
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qrnn_circuits.bounded_readers.files import brief

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_SHOWN = 10
# What zipfile and numpy raise on content that is not of their formats.
_FORMAT_ERRORS = (
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_arrays(
    file: BinaryIO, name: str, wanted: Iterable[str], limit: int, optional: Iterable[str] = ()
) -> dict[str, NDArray[Any]]:
    """Reads some arrays of numbers, and nothing else of the file.

    Args:
        file: In NumPy's ``.npz`` format.
        name: Of the file, for messages.
        wanted: Names of the arrays.
        limit: Bytes that each array may have.
        optional: Names of arrays that may be missing.

    Returns:
        The arrays by name.

    Raises:
        ValueError: The file is no ``.npz`` file or is corrupt, or an array is missing, there more
            than once, larger, or not of numbers.
    """
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{name} is not an .npz file")
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            present = archive.namelist()
            names = set(present)
            for array in [*wanted, *(each for each in optional if f"{each}.npy" in names)]:
                if f"{array}.npy" not in present:
                    raise _ContentError(
                        f"must hold an array {array}, but has only {_known(present)}"
                    )
                if present.count(f"{array}.npy") > 1:
                    raise _ContentError(f"must hold one array {array}, but has several")
                arrays[array] = _read_member(archive, f"{array}.npy", limit)
    except _ContentError as error:
        raise ValueError(f"{name} {error}") from None
    except _FORMAT_ERRORS as error:
        raise ValueError(f"{name} is a corrupt .npz file: {brief(error)}") from error
    return arrays


def _known(members: Sequence[str]) -> list[str]:
    """Names of arrays for a message, of many the first."""
    return [member.removesuffix(".npy")[:80] for member in members[:_SHOWN]]


class _ContentError(Exception):
    """A file in the right format has another content than is wanted."""


def _read_member(archive: zipfile.ZipFile, member: str, limit: int) -> NDArray[Any]:
    info = archive.getinfo(member)
    if info.compress_type not in _COMPRESSIONS or info.flag_bits & _ENCRYPTED:
        raise ValueError(f"{member} must be stored or deflated, as numpy writes it")
    with archive.open(info) as stream:
        version = npy.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{member} is in the unknown format {version}")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, in_columns, dtype = read_header(stream)
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise _ContentError(f"must hold numbers in {member}, but has the type {brief(dtype)}")
        size = prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or max(shape, default=0) >= 2**63:
            raise ValueError(f"{member} has a shape that is none, {brief(shape)}")
        if size > limit:
            raise _ContentError(
                f"must hold at most {limit:,} bytes in {member}, but has {size:,}, of shape "
                f"{brief(shape)}"
            )
        content = _read_all(stream, member, size)
    array = np.frombuffer(bytearray(content), dtype)
    return array.reshape(shape, order="F" if in_columns else "C")


def _read_all(stream: IO[bytes], member: str, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ValueError(f"{member} is cut off: it needs {size:,} bytes, got {len(content):,}")
    # Only at the end of a member its checksum is compared.
    if stream.read(1):
        raise ValueError(f"{member} has more bytes than the {size:,} of its array")
    return content
