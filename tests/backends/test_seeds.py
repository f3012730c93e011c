import re

import numpy as np
import pennylane as qml
import pytest

from qrnn_backends.seeds import random_generator


def test_a_generator_is_taken_as_it_is() -> None:
    generator = np.random.default_rng(1)
    assert random_generator(generator) is generator


@pytest.mark.parametrize("device", ["qrnn.torch", "qrnn.aer", "qrnn.ibm"])
@pytest.mark.parametrize("seed", [-1, "a", 1.5])
def test_seeds_that_are_none_are_named(device: str, seed: object) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^seed must .*got {re.escape(repr(seed))}$"):
        qml.device(device, seed=seed)
