import json
import struct
from math import isnan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits.training.nesting import join, split


def _tensor(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from([torch.float32, torch.float64, torch.int64, torch.bool]))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return torch.randn(shape, generator=generator).mul(3).to(dtype)


tensors = st.composite(_tensor)()
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | tensors
keys = st.integers() | st.text()
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=5)
    ),
    max_leaves=20,
)


def same(a: object, b: object) -> bool:
    """Equality to the last bit, also of types and of NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return (a.dtype, a.shape, a.numpy().tobytes()) == (b.dtype, b.shape, b.numpy().tobytes())
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("d", a) == struct.pack("d", b) or (isnan(a) and isnan(b))
    return a == b


@given(value=nested)
def test_a_nested_value_comes_back_through_json_exactly_as_it_was(value: object) -> None:
    store: dict[str, Tensor] = {}
    text = json.dumps(split(value, "value", store), allow_nan=False)
    assert same(join(json.loads(text), store), value)


def test_tensors_are_named_after_the_path_to_them() -> None:
    store: dict[str, Tensor] = {}
    split({"state": {0: {"exp_avg": torch.ones(2)}, 1: [None, torch.ones(1)]}}, "optimizer", store)
    assert list(store) == ["optimizer.state.0.exp_avg", "optimizer.state.1.1"]


def test_paths_that_look_alike_get_different_names() -> None:
    store: dict[str, Tensor] = {}
    value = {"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}}
    assert same(join(split(value, "x", store), store), value)


def test_later_changes_of_a_tensor_do_not_reach_the_stored_copy() -> None:
    store: dict[str, Tensor] = {}
    weight = torch.zeros(2)
    split(weight, "weight", store)
    weight += 1
    assert store["weight"].tolist() == [0, 0]


@pytest.mark.parametrize("value", [{1, 2}, {(1, 2): 3}, object(), b"bytes"])
def test_other_types_are_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match=r"optimizer\.0 is of type"):
        split([value], "optimizer", {})


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind 'pickle'"):
        join({"pickle": "x"}, {})


@pytest.mark.parametrize("key", [True, None, 1.5])
def test_a_key_that_could_not_be_stored_again_is_refused(key: object) -> None:
    with pytest.raises(ValueError, match="a key that is neither an integer nor text"):
        join({"dict": [["lr", 0.1], [key, 0.1]]}, {})
