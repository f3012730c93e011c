"""Pickles that others wrote, read as plain data.

A pickle is a program: ``pickle.load`` imports and calls whatever it names. Here it is only read:
what it would import or call becomes a :class:`Pickled`, which says so, and nothing is run.
"""

import pickletools
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

PERSISTENT = "persistent"
"""Name of what a pickle leaves to its reader: the only argument says what it is."""


@dataclass(eq=False, repr=False)
class Pickled:
    """What a pickle imports, or makes by calling it.

    Attributes:
        name: Module and name of what is imported, with a space between, or :data:`PERSISTENT`.
        arguments: Of the call; None where nothing is called.
        items: What is stored by key in the object that the call returns.
        state: What the object's attributes are set from, usually a dict.
    """

    name: str
    arguments: tuple[Any, ...] | None = None
    items: dict[Hashable, Any] = field(default_factory=dict)
    state: Any = None


def read_pickle(stream: BinaryIO) -> tuple[Any, list[Any]]:
    """Reads one pickle of protocol 2, as PyTorch writes it, and leaves the stream after it.

    Args:
        stream: With the whole pickle; the values take some hundred times its memory at most.

    Returns:
        Its value, of dicts, lists, tuples, strings, numbers, bools, None and :class:`Pickled`; and
        the arguments of all that is :data:`PERSISTENT`.

    Raises:
        ValueError: It is no such pickle.

    Example:
        >>> import io, pickle
        >>> read_pickle(io.BytesIO(pickle.dumps({"a": [1, 2.5, None]}, 2)))
        ({'a': [1, 2.5, None]}, [])
        >>> value, _ = read_pickle(io.BytesIO(pickle.dumps(print, 2)))
        >>> value.name
        '__builtin__ print'
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.pop(), machine.persistent
            machine.run(opcode.name, argument)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"its instructions do not fit together: {error}") from None
    raise ValueError("it does not end")


class _Machine:
    """The stack, the marks on it and the memory of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}
        self.persistent: list[Any] = []

    def pop(self) -> Any:  # noqa: ANN401
        """The uppermost value, above the last mark."""
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError("a value is missing")
        return self.stack.pop()

    def pop_marked(self) -> list[Any]:
        """All values above the last mark, which goes."""
        place = self.marks.pop()
        values = self.stack[place:]
        del self.stack[place:]
        return values

    def run(self, name: str, argument: Any) -> None:  # noqa: ANN401
        """Carries out one instruction."""
        match name:
            case "PROTO":
                if argument != 2:
                    raise ValueError(f"it must be of protocol 2, got {argument}")
            case "MARK":
                self.marks.append(len(self.stack))
            case "BINPUT" | "LONG_BINPUT":
                self.memory[argument] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memory[argument])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE":
                self.stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                self.stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                self.stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": []}.get(name, ()))
            case "TUPLE":
                self.stack.append(tuple(self.pop_marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                values = [self.pop() for _ in range(int(name[-1]))]
                self.stack.append(tuple(reversed(values)))
            case "APPEND" | "APPENDS":
                values = [self.pop()] if name == "APPEND" else self.pop_marked()
                self._last(list).extend(values)
            case "SETITEM" | "SETITEMS":
                values = [self.pop(), self.pop()][::-1] if name == "SETITEM" else self.pop_marked()
                # Python's stack would overflow on the hash of a deeply nested tuple.
                if not all(isinstance(key, str | int) for key in values[::2]):
                    raise TypeError("a key is neither a string nor an integer")
                target = self._last(dict | Pickled)
                items = target.items if isinstance(target, Pickled) else target
                items.update(zip(values[::2], values[1::2], strict=True))
            case "GLOBAL":
                self.stack.append(Pickled(argument))
            case "BINPERSID":
                identifier = self.pop()
                self.persistent.append(identifier)
                self.stack.append(Pickled(PERSISTENT, (identifier,)))
            case "REDUCE" | "NEWOBJ":
                arguments, called = self.pop(), self.pop()
                if not isinstance(arguments, tuple) or not isinstance(called, Pickled):
                    raise TypeError("something is called that cannot be")
                self.stack.append(Pickled(called.name, arguments))
            case "BUILD":
                state = self.pop()
                self._last(Pickled).state = state
            case _:
                raise ValueError(f"it has the instruction {name}, which is not read here")

    def _last(self, kind: Any) -> Any:  # noqa: ANN401
        """The uppermost value, which must be of a kind."""
        if not isinstance(self.stack[-1], kind):
            raise TypeError("a value is changed that cannot be")
        return self.stack[-1]
