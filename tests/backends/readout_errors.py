"""Readout errors of one bit."""

import numpy as np
from numpy.typing import NDArray


def matrix(one_from_zero: float, zero_from_one: float) -> NDArray[np.float64]:
    return np.array([[1 - one_from_zero, zero_from_one], [one_from_zero, 1 - zero_from_one]])
