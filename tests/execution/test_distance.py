from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.execution.distance import expected_distance, total_variation_distance


@given(st.floats(0, 1), st.integers(1, 30))
def test_the_expected_distance_of_a_coin_is_the_sum_over_all_counts(p: float, shots: int) -> None:
    expected = sum(
        comb(shots, count) * p**count * (1 - p) ** (shots - count) * abs(count / shots - p)
        for count in range(shots + 1)
    )
    assert expected_distance((p, 1 - p), shots) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shots", [1, 7, 200, 10_000])
def test_the_expected_distance_is_the_mean_over_many_samples(shots: int) -> None:
    exact = (0.62, 0.25, 0.1, 0.03, 0.0)
    samples = np.random.default_rng(shots).multinomial(shots, exact, size=4_000) / shots
    distances = np.abs(samples - exact).sum(1) / 2
    error = distances.std() / np.sqrt(len(distances))
    assert abs(expected_distance(exact, shots) - distances.mean()) < 4 * error


def test_a_certain_symbol_has_no_noise() -> None:
    assert expected_distance((0.0, 1.0), 10) == 0


def test_the_distance_is_the_greatest_difference_in_any_event() -> None:
    first, second = (0.5, 0.3, 0.2, 0.0), (0.1, 0.3, 0.35, 0.25)
    events = [[bool(number >> place & 1) for place in range(4)] for number in range(16)]
    greatest = max(
        abs(sum(p - q for p, q, chosen in zip(first, second, event, strict=True) if chosen))
        for event in events
    )
    assert total_variation_distance(first, second) == pytest.approx(greatest)
