"""Files of ``torch.save`` that others wrote, read within limits and without running them."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qrnn_circuits.bounded_readers.files import brief, read_bytes
from qrnn_circuits.bounded_readers.pickles import PERSISTENT, Pickled, read_pickle

# Bytes of a file and of the pickle in it, some ten times what a network of this kind has.
_LIMIT = 2**26
_PICKLE_LIMIT = 2**20
_MOST_DIMENSIONS = 64
_ZIP = b"PK\x03\x04"
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPES = {
    f"torch {name}Storage": dtype
    for name, dtype in {
        "BFloat16": torch.bfloat16,
        "Bool": torch.bool,
        "Byte": torch.uint8,
        "Char": torch.int8,
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "Int": torch.int32,
        "Long": torch.int64,
        "Short": torch.int16,
    }.items()
}
# What zipfile raises on content that is not of its format.
_ZIP_ERRORS = (
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class TorchFile:
    """What ``torch.save`` has written, with tensors that are read when they are asked for.

    Attributes:
        content: The saved object, see :func:`~qrnn_circuits.bounded_readers.pickles.read_pickle`.
        storage: Finds the bytes behind a tensor by their key, uint8, shape ``(N,)``.
    """

    content: Any
    storage: Callable[[str], Tensor | None]

    def tensor(self, value: object) -> Tensor:
        """The tensor that a part of the content stands for.

        Raises:
            ValueError: It stands for something else, or its bytes are not all there.
        """
        try:
            return self._tensor(value)
        except (RuntimeError, TypeError, OverflowError) as error:
            raise ValueError(f"a tensor is not stored as such: {brief(error)}") from None

    def _tensor(self, value: object) -> Tensor:
        if isinstance(value, Pickled) and value.name == "torch._utils _rebuild_parameter":
            value = (value.arguments or (None,))[0]
        if not isinstance(value, Pickled) or value.name != "torch._utils _rebuild_tensor_v2":
            raise ValueError("a tensor is missing where one should be")
        numbers_of, offset, size, stride, *_ = value.arguments or (None,) * 4
        key, dtype = _storage(numbers_of)
        # The product of many or of large integers would take long.
        if not len(size) == len(stride) <= _MOST_DIMENSIONS or not all(
            isinstance(number, int) and 0 <= number <= _LIMIT for number in (offset, *size, *stride)
        ):
            raise TypeError("its shape is not one of a few small integers")
        stored = self.storage(key)
        if stored is None:
            raise ValueError(f"the numbers of a tensor are missing, under the key {brief(key)}")
        numbers = stored.view(dtype)
        # A stride of 0 would repeat few numbers without end.
        if prod(size) > len(numbers):
            raise ValueError(f"a tensor is cut off: it has {len(numbers)} of {prod(size)} numbers")
        return numbers.as_strided(size, stride, offset).clone()


def read_torch_file(path: Path) -> TorchFile:
    """Reads a file of ``torch.save``, in the zip format or the one before PyTorch 1.6.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        ValueError: It is no such file, is corrupt, or is too large.
    """
    content = read_bytes(path, _LIMIT)
    try:
        return _read_zip(content) if content.startswith(_ZIP) else _read_legacy(content)
    except (ValueError, *_ZIP_ERRORS) as error:
        raise ValueError(f"{path} cannot be read as a file of torch.save: {brief(error)}") from None


def _storage(value: object) -> tuple[str, torch.dtype]:
    """Key and type of the numbers that a tensor is made from."""
    if isinstance(value, Pickled) and value.name == PERSISTENT and value.arguments:
        return _named(value.arguments[0])
    raise TypeError("its numbers are named in another way")


def _named(identifier: object) -> tuple[str, torch.dtype]:
    match identifier:
        case ("storage", Pickled(name=kind, arguments=None), str(key), *_) if kind in _TYPES:
            return key, _TYPES[kind]
    raise TypeError("numbers are named in another way")


class _Records:
    """The storages of a file in the zip format."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive = archive
        self._folder = folder
        self._left = _LIMIT
        self._read: dict[str, Tensor] = {}

    def get(self, key: str) -> Tensor | None:
        """The bytes of a storage, or None; many tensors may share one, which is read once."""
        name = f"{self._folder}data/{key}"
        if name not in self._archive.NameToInfo:
            return None
        if key not in self._read:
            try:
                content = self.read(name, self._left)
            except _ZIP_ERRORS as error:
                raise ValueError(brief(error)) from None
            # Records of a forged file may lie upon each other.
            self._left -= len(content)
            self._read[key] = _bytes(content)
        return self._read[key]

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a record, which is not compressed."""
        info = self._archive.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError("its records must not be compressed")
        if info.file_size > limit:
            raise ValueError(f"a record must have at most {limit:,} bytes, got {info.file_size:,}")
        with self._archive.open(info) as record:
            return record.read(limit)


def _read_zip(content: bytes) -> TorchFile:
    archive = zipfile.ZipFile(io.BytesIO(content))
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if not pickles:
        raise ValueError("it is a zip file without data.pkl")
    records = _Records(archive, pickles[0].removesuffix("data.pkl"))
    order = f"{pickles[0].removesuffix('data.pkl')}byteorder"
    if order in archive.NameToInfo and records.read(order, _PICKLE_LIMIT) != b"little":
        raise ValueError("its numbers must begin with their lowest bytes")
    value, _ = read_pickle(io.BytesIO(records.read(pickles[0], _PICKLE_LIMIT)))
    return TorchFile(value, records.get)


def _read_legacy(content: bytes) -> TorchFile:
    stream = io.BytesIO(content[:_PICKLE_LIMIT])
    if read_pickle(stream)[0] != _MAGIC:
        raise ValueError("it does not begin as one")
    protocol, system = (read_pickle(stream)[0] for _ in range(2))
    if protocol != _PROTOCOL:
        raise ValueError("it is of another version of the format")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers must begin with their lowest bytes")
    value, identifiers = read_pickle(stream)
    keys, _ = read_pickle(stream)
    try:
        types = dict(map(_named, identifiers))
        return TorchFile(value, _split(content, stream.tell(), keys, types).get)
    except (KeyError, TypeError) as error:
        raise ValueError(f"its list of numbers is not understood: {error}") from None


def _split(
    content: bytes, place: int, keys: list[str], types: dict[str, torch.dtype]
) -> dict[str, Tensor]:
    """The bytes of the storages, which follow one another, each after its count of numbers."""
    storages = {}
    for key in keys:
        if not isinstance(key, str):
            raise TypeError("a key is no string")
        count = int.from_bytes(content[place : place + 8], "little")
        end = place + 8 + count * types[key].itemsize
        if end > len(content):
            raise ValueError(f"it is cut off: it has {len(content):,} of {end:,} bytes")
        storages[key] = _bytes(content[place + 8 : end])
        place = end
    return storages


def _bytes(content: bytes) -> Tensor:
    """Bytes that can be viewed as numbers of any type."""
    if not content:
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)
