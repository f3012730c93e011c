"""The different rows of a table of bits."""

import numpy as np
from numpy.typing import NDArray

# Of a row, in one key; as many bits tell the rows before apart.
_KEY_BITS = 31


def distinct_rows(bits: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The different rows in their order, and which of them each row is.

    NumPy's own ``unique`` with an axis compares rows byte by byte, which takes some
    thirty times as long.

    Args:
        bits: Zeros and ones, shape ``(rows, columns)``, with fewer than ``2**31`` rows.

    Returns:
        The different rows, shape ``(different, columns)``, and the number of each row among them,
        shape ``(rows,)``.

    Example:
        >>> patterns, numbers = distinct_rows(np.array([[1, 0], [0, 1], [1, 0]], np.uint8))
        >>> patterns.tolist(), numbers.tolist()
        ([[0, 1], [1, 0]], [1, 0, 1])
    """
    numbers = np.zeros(len(bits), np.int64)
    first = np.zeros(min(len(bits), 1), np.int64)
    for start in range(0, bits.shape[1], _KEY_BITS):
        part = bits[:, start : start + _KEY_BITS]
        weights = 1 << np.arange(part.shape[1], dtype=np.int64)[::-1]
        keys = (numbers << _KEY_BITS) + part @ weights
        _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    return bits[first], numbers
