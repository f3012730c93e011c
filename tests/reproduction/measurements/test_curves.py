from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.reproduction.measurements.curves import thinned


@given(length=st.integers(2, 300), most=st.integers(2, 60))
def test_a_thinned_curve_keeps_order_and_both_ends_and_leaves_even_gaps(
    length: int, most: int
) -> None:
    points = thinned(range(length), most)
    assert len(points) == min(length, most)
    assert (points[0], points[-1]) == (0, length - 1)
    gaps = {later - earlier for earlier, later in pairwise(points)}
    assert max(gaps) - min(gaps) <= 1
    assert min(gaps) >= 1


def test_a_curve_without_points_has_none() -> None:
    assert thinned([], 2) == []


def test_fewer_points_than_a_curve_has_ends_are_refused() -> None:
    with pytest.raises(ValueError, match="most must be at least 2"):
        thinned(range(3), 1)
