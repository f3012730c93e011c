"""Digits made for tests, and files that hold them."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    header = struct.pack(f">2xBB{values.ndim}I", 8, values.ndim, *values.shape)
    content = header + values.tobytes()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def raw_digits(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8) % 10


def blobs(counts: dict[str, int], kinds: int = 3) -> dict[str, tuple[Images, Images]]:
    """Noisy bright squares in a few places, one for each digit."""
    rng = np.random.default_rng(0)
    splits = {}
    for split, count in counts.items():
        shown = np.arange(count, dtype=np.uint8) % kinds
        images = rng.integers(0, 60, (count, 28, 28), np.uint8)
        for image, digit in zip(images, shown, strict=True):
            image[4 + 7 * digit : 10 + 7 * digit, 5 * digit + 4 : 5 * digit + 12] += 180
        splits[split] = images, shown
    return splits
