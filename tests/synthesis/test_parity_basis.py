from itertools import product
from math import comb, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrnn_circuits.synthesis import parities_up_to, polynomial_to_parities, table_to_parities

SIZES = st.integers(1, 6).flatmap(lambda m: st.tuples(st.just(m), st.integers(0, m)))


@given(sizes=SIZES, seed=st.integers(0, 2**31))
def test_parity_angles_sum_to_the_polynomial_at_every_pattern(
    sizes: tuple[int, int], seed: int
) -> None:
    controls, degree = sizes
    sets = parities_up_to(controls, degree)
    coefficients = np.random.default_rng(seed).normal(size=len(sets))
    angles = polynomial_to_parities(controls, degree) @ coefficients
    for bits in product((0, 1), repeat=controls):
        polynomial = sum(
            w * prod(bits[i] for i in s) for s, w in zip(sets, coefficients, strict=True)
        )
        signs = sum(a * (-1) ** sum(bits[i] for i in s) for s, a in zip(sets, angles, strict=True))
        assert signs == pytest.approx(polynomial, abs=1e-12)


@given(controls=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_parity_angles_sum_to_the_table_at_every_pattern(controls: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=2**controls)
    angles = table_to_parities(controls) @ table
    sets = parities_up_to(controls, controls)
    for pattern, bits in enumerate(product((0, 1), repeat=controls)):
        signs = sum(a * (-1) ** sum(bits[i] for i in s) for s, a in zip(sets, angles, strict=True))
        assert signs == pytest.approx(table[pattern], abs=1e-12)


@given(sizes=SIZES)
def test_there_is_one_parity_for_each_set_of_at_most_degree_controls(
    sizes: tuple[int, int],
) -> None:
    controls, degree = sizes
    sets = parities_up_to(controls, degree)
    assert len(set(sets)) == len(sets) == sum(comb(controls, r) for r in range(degree + 1))
    assert max(map(len, sets)) == degree


@pytest.mark.parametrize(
    ("controls", "degree", "named"), [(0, 0, "controls"), (2, 3, "degree"), (2, -1, "degree")]
)
def test_impossible_sizes_are_refused(controls: int, degree: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        polynomial_to_parities(controls, degree)
