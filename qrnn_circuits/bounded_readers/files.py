"""Files and texts that others wrote, read within limits.

Nothing here waits for a pipe, takes more memory than a limit allows, or ends in another error than
one that names the file and what is wrong with it.
"""

import json
import os
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

SETTINGS_LIMIT = 2**16
"""Bytes of a file of settings that a person writes."""

_DEPTH = 64
_SHOWN = 200
# tomllib takes memory with the square of the parts of a dotted key.
_DOTS_OF_A_LINE = 1000
_KINDS = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def full_path(text: str) -> Path:
    """The place that a user names, from anywhere; ``~`` stands for the home folder."""
    # Path.expanduser raises a RuntimeError where there is no such home.
    return Path(os.path.expanduser(text)).absolute()  # noqa: PTH111


@contextmanager
def open_file(path: Path, limit: int) -> Iterator[BinaryIO]:
    """Opens a regular file for reading, and waits for nothing else.

    Args:
        path: The file.
        limit: Bytes that it may have.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be opened or read.
        ValueError: It is no regular file, or has more bytes.
    """
    if path.is_dir():
        raise ValueError(f"{path} must be a regular file, but is a folder: name another file")
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
            raise ValueError(f"{path} must be a regular file, but is {kind}: name another file")
        if found.st_size > limit:
            raise ValueError(
                f"{path} must have at most {limit:,} bytes to be what is read here, but has "
                f"{found.st_size:,}: name another file"
            )
        try:
            yield file
        except OSError as error:
            # What fails once a file is open, as on a broken disk, does not name it.
            if error.errno is None or error.filename is not None:
                raise
            raise OSError(error.errno, error.strerror, str(path)) from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file.

    Args:
        path: The file.
        limit: Bytes that it may have.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        ValueError: It is no regular file, or has more bytes.
    """
    with open_file(path, limit) as file:
        # A file of the system tells no size beforehand.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path} must have at most {limit:,} bytes, but has more")
    return content


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file of settings.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It cannot be read.
        ValueError: It is no TOML file, is too large, nests too deep, or has an integer beyond 64
            bits.
    """
    content = read_bytes(path, SETTINGS_LIMIT)
    try:
        # Some editors begin UTF-8 with a mark.
        text = content.decode("utf-8-sig")
        if any(line.count(".") > _DOTS_OF_A_LINE for line in text.split("\n")):
            raise ValueError(f"a line has more than {_DOTS_OF_A_LINE:,} dots")
        tables = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"{path} is not a TOML file: {_too_deep()}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a TOML file: {brief(error)}") from error
    check_nesting(str(path), tables)
    return tables


def parse_json(name: str, text: str | bytes, *, bits: int | None = 64) -> Any:  # noqa: ANN401
    """The value of a JSON text.

    Args:
        name: Of the text, for messages.
        text: The text.
        bits: Of its integers with their sign, at most; None for any.

    Raises:
        ValueError: It is no JSON, nests too deep, gives a name more than once in an object, or has
            a larger integer.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unrepeated)
    except RecursionError:
        raise ValueError(f"{name} is not JSON: {_too_deep()}") from None
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {brief(error)}") from error
    check_nesting(name, value, bits=bits)
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a name that is given twice, nobody knows which value is meant."""
    table = dict(pairs)
    if len(table) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"it gives {brief(repr(name))} more than once")
    return table


def check_nesting(name: str, value: object, *, bits: int | None = 64) -> None:
    """Checks that all of a nested value can be used: shown, compared, copied and stored.

    Args:
        name: Of the value.
        value: Made of dicts, lists, tuples and what is in them.
        bits: Of its integers with their sign, at most; None for any.

    Raises:
        ValueError: It nests deeper than 64 levels, or has a larger integer.
    """
    level: list[object] = [value]
    for _ in range(_DEPTH):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list | tuple):
                inner += each
            elif bits is not None and isinstance(each, int) and each.bit_length() >= bits:
                raise ValueError(
                    f"{name} must have integers of at most {bits} bits, got one of "
                    f"{each.bit_length() + 1}"
                )
        if not inner:
            return
        level = inner
    raise ValueError(f"{name} is not accepted: {_too_deep()}")


def brief(value: object, shown: int = _SHOWN) -> str:
    """The beginning of what an error or another value says, in one line of some characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= shown else f"{text[:shown]}..."


def _too_deep() -> str:
    return f"it must nest at most {_DEPTH} levels deep"
