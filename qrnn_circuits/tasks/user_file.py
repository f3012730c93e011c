"""Reads a file that a user names, within limits: as bytes, text or arrays."""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.bounded_files import read_bytes

MOST_BYTES = 2**26
"""Most bytes of a file, and of the arrays in it."""


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
            f"data must be {wanted}, but there is no file {path}: name it by --data FILE"
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
            f"{path} is no text in UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path} is no text: it holds a zero byte")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def npz_arrays(path: Path, content: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of an ``.npz`` file by name, without running anything in it.

    Raises:
        ValueError: If it is no such file, or its arrays are too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            size = sum(member.file_size for member in members.infolist())
        if size > MOST_BYTES:
            raise ValueError(f"its arrays have {size:,} bytes, more than {MOST_BYTES:,}")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"{path} is no .npz file that can be read: {error}") from None
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
