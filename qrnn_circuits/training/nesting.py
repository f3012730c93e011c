"""Nested Python values that hold tensors, split into a JSON value and named tensors.

An optimiser's ``state_dict()`` is such a value. Python's pickle would run whatever code a
manipulated file names; JSON and safetensors cannot.
"""

from collections.abc import Mapping
from math import isfinite

from torch import Tensor


def split(value: object, name: str, tensors: dict[str, Tensor]) -> object:
    """Moves every tensor of a nested value into ``tensors``.

    Args:
        value: Made of dicts with ``int`` or ``str`` keys, lists, tuples, tensors, ``None``,
            booleans, integers, floats (also infinite or NaN) and strings.
        name: Of the value; the tensors in it are named after the path to them,
            ``name.key.index``.
        tensors: Receives detached copies of the tensors.

    Returns:
        A value that ``json.dumps`` writes and from which, with ``tensors``, :func:`join` rebuilds
        the original exactly.

    Raises:
        TypeError: The value holds something else.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if isfinite(value) else {"float": repr(value)}
    if isinstance(value, Tensor):
        while name in tensors:  # the path "a.b" may also be one key
            name += "_"
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, list | tuple):
        items = [split(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict) and all(type(key) in (int, str) for key in value):
        pairs = [[key, split(item, f"{name}.{key}", tensors)] for key, item in value.items()]
        return {"dict": pairs}
    raise TypeError(f"{name} is of type {type(value).__name__}, which cannot be stored: {value!r}")


def join(skeleton: object, tensors: Mapping[str, Tensor]) -> object:
    """Rebuilds the nested value that :func:`split` took apart."""
    if isinstance(skeleton, list):
        return [join(item, tensors) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    ((kind, content),) = skeleton.items()
    match kind:
        case "float":
            return float(content)
        case "tensor":
            return tensors[content]
        case "tuple":
            return tuple(join(item, tensors) for item in content)
        case "dict":
            if any(type(key) not in (int, str) for key, _ in content):
                raise ValueError("a stored value has a key that is neither an integer nor text")
            return {key: join(item, tensors) for key, item in content}
        case _:
            raise ValueError(f"unknown kind {kind!r} in a stored value")
