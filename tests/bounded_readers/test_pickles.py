import contextlib
import io
import pickle
import pickletools
import tracemalloc
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.bounded_readers.pickles import Pickled, read_pickle

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(0, 300), inner)
        | st.lists(inner).map(tuple)
    ),
)


@given(value=PLAIN, rest=st.binary(max_size=4))
def test_plain_values_are_those_that_python_wrote_and_the_rest_is_left(
    value: object, rest: bytes
) -> None:
    stream = io.BytesIO(pickle.dumps(value, 2) + rest)
    assert read_pickle(stream) == (value, [])
    assert stream.read() == rest


def test_what_a_pickle_calls_is_named_with_its_arguments_items_and_state() -> None:
    value: Any = OrderedDict(a=1)
    value.extra = 5
    read, _ = read_pickle(io.BytesIO(pickle.dumps([value, value], 2)))
    assert read[0] is read[1]
    assert isinstance(read[0], Pickled)
    assert (read[0].name, read[0].arguments) == ("collections OrderedDict", ())
    assert (read[0].items, read[0].state) == ({"a": 1}, {"extra": 5})


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_value_error(content: bytes) -> None:
    try:
        read_pickle(io.BytesIO(content))
    except ValueError:
        return
    assert b"." in content


@given(
    content=st.lists(
        st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes])
        | st.integers(0, 255).map(lambda byte: bytes([byte])),
        max_size=60,
    )
)
def test_any_instructions_are_read_or_refused_with_a_value_error(content: list[bytes]) -> None:
    try:
        read_pickle(io.BytesIO(b"\x80\x02" + b"".join(content)))
    except ValueError:
        return


# Tuples nested twice as deep as those whose hash overflows the stack of 8 MiB.
DEEP = b"N" + b"\x85" * (4 * 10**5)


@pytest.mark.parametrize(
    "content", [b"}" + DEEP + b"Ns.", b"}(" + DEEP + b"Nu.", b"}K\x01" + DEEP + b"s.", DEEP + b"."]
)
def test_no_depth_of_nesting_is_too_much(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_pickle(io.BytesIO(b"\x80\x02" + content))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02r\xff\xff\xff\x7f.",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\x00\x00\x00.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\x00\x00\x00.",
    ],
)
def test_lengths_that_a_pickle_only_claims_take_no_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):
            read_pickle(io.BytesIO(content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**22


def test_a_value_below_a_mark_is_none_of_those_above_it() -> None:
    # The number 1, a mark, and a tuple of one value above the mark, where there is none.
    content = b"\x80\x02K\x01(\x85."
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(content)
    with pytest.raises(ValueError, match="a value is missing"):
        read_pickle(io.BytesIO(content))
