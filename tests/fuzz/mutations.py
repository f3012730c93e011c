"""Changed copies of valid inputs: of bytes, of nested values and of texts."""

import json
from contextlib import suppress
from random import Random
from typing import Any

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 255, 65536, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400),
    *(0.5, -0.5, 1e-320, 1e39, 1e308, float("inf"), float("-inf"), float("nan")),
)
TEXTS = (
    *("", " ", "x", "[", "[/bold]", "[bold]x", ":bug:", "a:b", ":", "a:", ":b", "..:x", "=", ","),
    *("\0", "\x1b[2J", "\ud800", "\u202e", "é", "9" * 5000, "[" * 5000, "a." * 5000, "{" * 5000),
    *("none", "nan", "inf", "1e39", "9" * 30, "-1", "0x10", "true", "null", "amplified,length=1e9"),
    *("amplified," + "x=" + "(" * 3000, "tests", "os:path", "os.path:join", "json:dumps"),
)


def changed_bytes(rng: Random, content: bytes) -> bytes:
    """Content with some bytes changed, left out, repeated or put in, or text in another code."""
    if rng.random() < 0.05:
        with suppress(UnicodeDecodeError):
            return content.decode().encode(rng.choice(("utf-8-sig", "utf-16", "utf-32-le")))
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        # The header, where a change can do the most, is at the beginning or at the end.
        end = len(changed) or 1
        place = rng.choice(
            (rng.randrange(end), rng.randrange(min(end, 200)), max(end - 1 - rng.randrange(200), 0))
        )
        length = rng.choice((1, 1, 2, 4, 8, 100))
        match rng.randrange(6):
            case 0 if changed:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place : place + length] = rng.randbytes(length)
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length]
            case 4:
                changed[place : place + length] = rng.choice((b"\0", b"\xff", b"9")) * length
            case _:
                del changed[place:]
    return bytes(changed)


def nested(depth: int) -> Any:  # noqa: ANN401
    """A list in a list in a list."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def odd_value(rng: Random) -> Any:  # noqa: ANN401
    """A value that hardly anything expects."""
    return rng.choice(
        (
            *(rng.choice(NUMBERS), rng.choice(NUMBERS), rng.choice(TEXTS)),
            *(None, True, [], {}, [1], {"a": 1}, nested(rng.choice((3, 70, 300))), ["x"] * 50),
        )
    )


def changed_value(rng: Random, value: Any) -> Any:  # noqa: ANN401
    """A nested value with a part of it changed, left out, added or moved."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        copy = dict(value)
        name = rng.choice(list(copy))
        match rng.randrange(12):
            case 0:
                del copy[name]
            case 1:
                copy[rng.choice(TEXTS)] = odd_value(rng)
            case 2:
                copy[name] = copy[rng.choice(list(copy))]
            case _:
                copy[name] = changed_value(rng, copy[name])
        return copy
    if isinstance(value, list | tuple) and value and rng.random() < 0.9:
        items = list(value)
        place = rng.randrange(len(items))
        match rng.randrange(12):
            case 0:
                del items[place]
            case 1:
                items.insert(place, odd_value(rng))
            case 2:
                items *= 2
            case _:
                items[place] = changed_value(rng, items[place])
        return items
    # Python turns no larger integer into a float.
    if isinstance(value, int | float) and rng.random() < 0.5 and not abs(value) > 1e300:
        return rng.choice((value + 1, -value, value * 1000, float(value), str(value), not value))
    return odd_value(rng)


def to_json(value: Any) -> str:  # noqa: ANN401
    """A JSON text, also of integers that Python itself refuses to write."""
    try:
        return json.dumps(value)
    except (RecursionError, ValueError):
        return "[" * 5000


def to_toml(table: Any) -> str:  # noqa: ANN401
    """A TOML text of a table, whose values are written as JSON where both agree."""
    if not isinstance(table, dict):
        return to_json(table)
    lines = []
    for name, value in table.items():
        if isinstance(value, dict) and value:
            inner = ", ".join(f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items())
            lines.append(f"{name} = {{{inner}}}")
        else:
            lines.append(f"{name} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, float):
        return str(value)
    if isinstance(value, int) and value.bit_length() > 4000:
        return "9" * 400
    return to_json(value)
