"""Seeds of devices."""

import numpy as np


def random_generator(seed: "int | np.random.Generator | None") -> np.random.Generator:
    """Where a device's randomness comes from.

    Args:
        seed: A number, a generator, or None for another one each time.

    Raises:
        TypeError: If it is none of these.
        ValueError: If it is negative.

    Example:
        >>> int(random_generator(3).integers(100))
        81
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"seed must be a non-negative integer, a generator of NumPy's or None, got {seed!r}"
        ) from error
