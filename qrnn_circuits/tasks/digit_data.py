"""Where the handwritten digits come from: scikit-learn, a folder of files, or a download."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qrnn_circuits.bounded_readers.arrays import read_arrays
from qrnn_circuits.bounded_readers.files import full_path, open_file
from qrnn_circuits.settings.built_in_tasks import DATA_VARIABLE, VALIDATION, VARIABLE_FOLDER
from qrnn_circuits.tasks.idx import read_idx
from qrnn_circuits.tasks.images import above_threshold, scan, shrink

EMBEDDED_SIDE = 8
MNIST_SIDE = 10

_IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# Bytes of an array and of a file, some times what MNIST has.
_ARRAY_LIMIT = 2**26
_FILE_LIMIT = 2**28
_CHUNK = 10_000
# Of a coordinate, against that of the widest: less is rounding.
_LEAST_SPAN = 1e-6
_EMBEDDED_SEED = 0
_EMBEDDED_SHARES = {"train": 0.6, "validation": 0.15}


@dataclass(frozen=True)
class DigitSplit:
    """Digits of one split, grouped by what they show.

    Attributes:
        features: Pixel symbols (see :func:`~qrnn_circuits.tasks.images.scan`) or coordinates in
            ``[0, 256)``, uint8, shape ``(N, features)``.
        digits: Which digit each row is, int64, ascending, shape ``(N,)``.
    """

    features: Tensor
    digits: Tensor


@dataclass(frozen=True)
class DigitSplits:
    """Digits to train on, to watch a run on, and to judge the result on."""

    train: DigitSplit
    validation: DigitSplit
    test: DigitSplit


def _grouped(features: Tensor, digits: NDArray[np.integer]) -> DigitSplit:
    labels = torch.from_numpy(digits.astype(np.int64))
    order = labels.argsort(stable=True)
    return DigitSplit(features[order], labels[order])


def load_embedded() -> DigitSplits:
    """Loads scikit-learn's digits as pixel symbols: 1,797 images of 8x8 pixels.

    A pixel counts the ink in a block of 4x4; it is taken as ink from half a block on. Of each digit
    60 % are for training, 15 % for validation and 25 % for the test, by a fixed permutation.
    """
    images, digits = _embedded_images()
    return _embedded_splits(scan(images >= 8), digits)


def load_embedded_coordinates(digits: Sequence[int], dims: int) -> DigitSplits:
    """Loads some of scikit-learn's digits as the first principal components of their images.

    The components are those of the training images of these digits, and each is scaled so that it
    goes from 0 to 255 on them; what lies beyond in other images is cut off.

    Args:
        digits: Which digits.
        dims: Number of coordinates, from 1 to 64.

    Returns:
        The splits, with ``dims`` features.
    """
    from sklearn.decomposition import PCA

    images, shown = _embedded_images()
    chosen = np.isin(shown, digits)
    pixels, shown = images[chosen].reshape(-1, EMBEDDED_SIDE**2), shown[chosen]
    numbers = _embedded_splits(torch.arange(len(pixels)), shown)
    train = pixels[numbers.train.features.numpy()]
    components = PCA(dims, svd_solver="full").fit(train)
    levels = to_levels(components.transform(pixels), components.transform(train))
    return _embedded_splits(torch.from_numpy(levels), shown)


def to_levels(points: NDArray[np.floating], train: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Scales coordinates so that each goes from 0 to 255 on the training points.

    Args:
        points: Shape ``(N, dims)``; what lies beyond is cut off.
        train: The training points, shape ``(M, dims)``.

    Raises:
        ValueError: The training points do not differ in each coordinate by more than rounding.
    """
    lowest, highest = train.min(axis=0), train.max(axis=0)
    spans = highest - lowest
    told = int((spans > _LEAST_SPAN * spans.max()).sum())
    if told < len(spans):
        raise ValueError(
            f"training images must differ in {len(spans)} coordinates, but do in {told}: take "
            "more, or other ones"
        )
    scaled = (points - lowest) / spans
    levels: NDArray[np.uint8] = np.clip(256 * scaled, 0, 255).astype(np.uint8)
    return levels


def _embedded_images() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Images of 8x8 pixels with grey levels from 0 to 16, and which digit each shows."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    return images.reshape(-1, EMBEDDED_SIDE, EMBEDDED_SIDE), digits


def _embedded_splits(features: Tensor, digits: NDArray[np.int64]) -> DigitSplits:
    """Shares rows out, those of each digit by a permutation of their own."""
    rng = np.random.default_rng(_EMBEDDED_SEED)
    parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "validation": [], "test": []}
    for digit in np.unique(digits):
        rows = rng.permutation(np.flatnonzero(digits == digit))
        first = round(_EMBEDDED_SHARES["train"] * len(rows))
        second = first + round(_EMBEDDED_SHARES["validation"] * len(rows))
        for name, part in zip(parts, np.split(rows, [first, second]), strict=True):
            parts[name].append(part)
    return DigitSplits(
        **{
            name: _grouped(features[np.concatenate(rows)], digits[np.concatenate(rows)])
            for name, rows in parts.items()
        }
    )


def named_folder(data: str) -> Path:
    """The folder that an option ``data`` names.

    Args:
        data: A path, or :data:`VARIABLE_FOLDER`.

    Raises:
        FileNotFoundError: The environment names none.
    """
    if data != VARIABLE_FOLDER:
        return full_path(data)
    if folder := os.environ.get(DATA_VARIABLE):
        return full_path(folder)
    raise FileNotFoundError(
        f"the digits are in the folder that the environment variable {DATA_VARIABLE} names, which "
        "is not set: set it to a folder with MNIST files, or name one in place of it (qrnn "
        "evaluate --data FOLDER)"
    )


def load_pixels(folder: Path, *, deskewed: bool = False) -> DigitSplits:
    """Loads 10x10 MNIST digits as pixel symbols from a folder.

    Reads ``mnist-10x10.npz`` if the folder has it, else the files of the MNIST database.

    Args:
        folder: The folder.
        deskewed: Read ``mnist-10x10-deskewed.npz``, whose digits are upright, and nothing else.

    Returns:
        The splits, with 100 features.

    Raises:
        FileNotFoundError: If the folder holds none of these; the message says what was looked for.
        ValueError: If a file is corrupt or does not hold what it should.
    """
    prepared = folder / ("mnist-10x10-deskewed.npz" if deskewed else "mnist-10x10.npz")
    if prepared.is_file():
        # Each value packs three scans of the image: row-major, column-major and one that is unused.
        return _read_npz(prepared, MNIST_SIDE**2, 7, lambda packed: packed >> 1)
    _require_folder(folder)
    if deskewed:
        raise _unprepared(prepared, "--deskew")
    return load_mnist(folder)


def load_mnist(folder: Path) -> DigitSplits:
    """Loads the MNIST database as pixel symbols from its four IDX files.

    The images are scaled to 10x10 and thresholded. The last 5,000 training images are the
    validation split.

    Args:
        folder: The folder with the files, plain or compressed with gzip.

    Returns:
        The splits, with 100 features.

    Raises:
        FileNotFoundError: If the folder does not hold them all.
        ValueError: If a file is corrupt or does not hold what it should.
    """
    raw = read_raw_digits(folder, instead="mnist-10x10.npz, or ")
    train, validation, test = (
        _grouped(
            torch.cat([scan(above_threshold(shrink(chunk))) for chunk in in_chunks(images)]), digits
        )
        for images, digits in raw.values()
    )
    return DigitSplits(train, validation, test)


def in_chunks(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Images, some thousands at a time: their thresholds take a hundred times as much memory."""
    return np.split(images, range(_CHUNK, len(images), _CHUNK))


def read_raw_digits(
    folder: Path, validation: int = VALIDATION, *, instead: str = ""
) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Reads the four IDX files of a database in the format of MNIST.

    Args:
        folder: The folder with the files, plain or compressed with gzip.
        validation: How many training images, the last ones, are the validation split.
        instead: What else the folder might hold, for the message.

    Returns:
        Images, shape ``(N, 28, 28)``, and which digit each shows, shape ``(N,)``, of ``"train"``,
        ``"validate"`` and ``"test"``.

    Raises:
        FileNotFoundError: If the folder does not hold them all.
        ValueError: If a file is corrupt or does not hold what it should.
    """
    _require_folder(folder)
    paths = []
    for name in _IDX_NAMES:
        found = [p for p in (folder / name, folder / f"{name}.gz") if p.is_file()]
        if not found:
            raise FileNotFoundError(
                f"the folder {folder} must hold {instead}the MNIST files {', '.join(_IDX_NAMES)}, "
                f"plain or as .gz; {name} is missing"
            )
        paths.append(found[0])
    images, digits = _read_images(paths[0], paths[1])
    kept = len(digits) - validation
    if kept < 1:
        raise ValueError(
            f"{paths[0]} must hold more than the {validation} images of the validation, got "
            f"{len(digits)}: give more of them, or validation fewer"
        )
    return {
        "train": (images[:kept], digits[:kept]),
        "validate": (images[kept:], digits[kept:]),
        "test": _read_images(paths[2], paths[3]),
    }


def load_coordinates(folder: Path, reduction: str, dims: int) -> DigitSplits:
    """Loads MNIST digits that have been reduced to a few coordinates.

    Args:
        folder: A folder with the prepared files.
        reduction: ``"umap"`` reads ``mnist-umap-{dims}.npz``, ``"pca"`` the first columns of
            ``mnist-pca-8.npz``.
        dims: Number of coordinates.

    Returns:
        The splits, with ``dims`` features.

    Raises:
        FileNotFoundError: If the folder does not hold the file.
        ValueError: If the file is corrupt or does not hold what it should.
    """
    stored = 8 if reduction == "pca" else dims
    path = folder / f"mnist-{reduction}-{stored}.npz"
    if not path.is_file():
        _require_folder(folder)
        options = f"--reduce {reduction}" + (f" --dims {dims}" if reduction == "umap" else "")
        raise _unprepared(path, options)
    return _read_npz(path, stored, 255, lambda coordinates: coordinates[:, :dims])


def _unprepared(path: Path, options: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"the folder {path.parent} must hold {path.name}, but does not: qrnn data prepare RAW "
        f"{options} --out {path.parent} makes it of MNIST's files"
    )


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"digits must be in a folder, but there is no folder {folder}")


def _read_npz(
    path: Path, columns: int, greatest: int, features: Callable[[Tensor], Tensor]
) -> DigitSplits:
    """Reads ``x_*`` and ``y_*`` of the three splits and checks them."""
    wanted = [f"{kind}_{suffix}" for suffix in ("train", "validate", "test") for kind in "xy"]
    with open_file(path, _FILE_LIMIT) as file:
        arrays = read_arrays(file, str(path), wanted, _ARRAY_LIMIT)

    def part(suffix: str) -> DigitSplit:
        names = f"x_{suffix}", f"y_{suffix}"
        x, y = (arrays.pop(name) for name in names)
        _require_shape(path, names[0], x, (*x.shape[:1], columns))
        _require_shape(path, names[1], y, x.shape[:1])
        _require_range(path, names[0], x, greatest)
        _require_range(path, names[1], y, 9)
        return _grouped(features(torch.from_numpy(x)), y)

    return DigitSplits(part("train"), part("validate"), part("test"))


def _read_images(
    images_path: Path, digits_path: Path
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, digits = read_idx(images_path, 3), read_idx(digits_path, 1)
    if not len(digits):
        raise ValueError(f"{digits_path} must hold at least one label, got none")
    if len(images) != len(digits):
        raise ValueError(
            f"{digits_path} must hold a label for each of the {len(images)} images of "
            f"{images_path}, got {len(digits)}"
        )
    _require_shape(images_path, "the array", images, (len(digits), 28, 28))
    _require_range(digits_path, "the array", digits, 9)
    return images, digits


def _require_shape(
    path: Path, name: str, array: NDArray[np.generic], shape: tuple[int, ...]
) -> None:
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(
            f"{path}: {name} must be uint8 of shape {shape}, got {array.dtype} of shape "
            f"{array.shape}"
        )


def _require_range(path: Path, name: str, array: NDArray[np.uint8], greatest: int) -> None:
    if array.size and array.max() > greatest:
        raise ValueError(f"{path}: {name} must be at most {greatest}, got {array.max()}")
