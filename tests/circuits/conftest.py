from collections.abc import Callable, Iterator
from math import comb, pi

import numpy as np
import pennylane as qml
import pytest
from numpy.typing import NDArray


@pytest.fixture
def draw_coefficients() -> Callable[..., NDArray[np.float64]]:
    """Coefficients of a polynomial, far from the symmetric initial ones."""

    def draw(
        controls: int, degree: int, *, seed: int = 0, batch: int | None = None
    ) -> NDArray[np.float64]:
        size = sum(comb(controls, r) for r in range(degree + 1))
        shape = (size,) if batch is None else (batch, size)
        coefficients = np.random.default_rng(seed).normal(size=shape)
        coefficients[..., 0] += pi / 2
        return coefficients

    return draw


@pytest.fixture
def graph_decomposition() -> Iterator[None]:
    """PennyLane's graph-based decomposition instead of the legacy one."""
    qml.decomposition.enable_graph()
    yield
    qml.decomposition.disable_graph()
