import numpy as np
import pytest
from numpy.polynomial import polynomial

from qrnn_circuits.circuits.realisations.amplification import (
    REAL_PART_PHASES,
    fixed_point_phases,
    flat_polynomial,
)

# The least distance to 1, over all real odd polynomials within [-1, 1].
ERRORS = {3: 4.4e-2, 5: 6.4e-3, 7: 9.6e-4}


def transform(amplitude: float, phases: list[float]) -> complex:
    """The amplitude after phases ``exp(i p Z)`` alternate with a rotation and its inverse."""
    other = np.sqrt(1 - amplitude**2)
    rotation = np.array([[amplitude, -other], [other, amplitude]])
    state = np.array([1, 0], dtype=np.complex128)
    for index, phase in enumerate(phases):
        if index:
            state = (rotation if index % 2 else rotation.T) @ state
        state = np.exp([1j * phase, -1j * phase]) * state
    return complex(state[0])


@pytest.mark.parametrize("length", [3, 5, 7])
def test_the_polynomial_is_odd_bounded_and_as_flat_as_can_be(length: int) -> None:
    coefficients, error = flat_polynomial(length)
    assert not coefficients[::2].any()
    assert abs(polynomial.polyval(np.linspace(-1, 1, 10001), coefficients)).max() <= 1 + 1e-9
    distance = 1 - polynomial.polyval(np.linspace(np.sqrt(0.5), 1, 10001), coefficients)
    assert distance.max() == pytest.approx(error, abs=1e-9)
    assert 0.98 * ERRORS[length] < error < 1.01 * ERRORS[length]
    # Chebyshev's criterion of the best: largest and least values in turn, one more than there are
    # coefficients.
    extreme = np.abs(distance - error / 2) > error / 2 * (1 - 1e-4)
    signs = np.sign(distance - error / 2)[extreme]
    assert np.count_nonzero(np.diff(signs)) + 1 == (length + 1) // 2 + 1


@pytest.mark.parametrize("length", [3, 5, 7])
def test_the_real_part_of_the_transformed_amplitude_is_the_polynomial(length: int) -> None:
    coefficients, _ = flat_polynomial(length)
    phases = list(REAL_PART_PHASES[length])
    for amplitude in np.linspace(0, 1, 21):
        value = transform(amplitude, phases).real
        assert abs(value - polynomial.polyval(amplitude, coefficients)) < 2e-6


@pytest.mark.parametrize("length", [3, 5, 7])
def test_fixed_point_phases_fail_less_often_than_the_polynomial(length: int) -> None:
    phases = [0.0, *fixed_point_phases(length), 0.0]
    failures = [
        1 - abs(transform(amplitude, phases)) ** 2
        for amplitude in np.linspace(np.sqrt(0.5), 1, 201)
    ]
    # Yoder, Low and Chuang: 1 / T_L(1/w)**2 for success amplitudes of at least w.
    bound = 1 / np.cosh(length * np.arccosh(np.sqrt(2))) ** 2
    assert max(failures) == pytest.approx(bound, rel=1e-6)
    assert max(failures) < 1 - (1 - ERRORS[length]) ** 2
