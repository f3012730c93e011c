import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_backends.torch.distinct_rows import distinct_rows


@given(st.integers(0, 40), st.sampled_from([1, 2, 5, 31, 32, 63, 100]), st.integers(0, 2**32 - 1))
def test_rows_are_told_apart_and_ordered_as_numpy_does(rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    some = random.integers(2, size=(max(rows // 2, 1), columns), dtype=np.uint8)
    bits = some[random.integers(len(some), size=rows)]
    patterns, numbers = distinct_rows(bits)
    expected, inverse = np.unique(bits, axis=0, return_inverse=True)
    assert np.array_equal(patterns, expected)
    assert np.array_equal(numbers, inverse.reshape(-1))


@pytest.mark.parametrize("rows", [0, 3])
def test_rows_without_columns_are_all_alike(rows: int) -> None:
    patterns, numbers = distinct_rows(np.zeros((rows, 0), np.uint8))
    assert patterns.shape == (min(rows, 1), 0)
    assert numbers.tolist() == [0] * rows
