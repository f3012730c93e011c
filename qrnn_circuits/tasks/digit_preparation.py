"""Prepared files of digits, made from the raw files of a database in the format of MNIST.

The four raw files are those of MNIST, or of EMNIST, KMNIST and the like: images of 28x28 pixels and
their labels in IDX format. What is made of them is what :mod:`.digit_data` reads in place of MNIST.
"""

import io
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qrnn_circuits.checks import check_integer
from qrnn_circuits.tasks.digit_data import in_chunks, to_levels
from qrnn_circuits.tasks.images import above_threshold, deskew, shrink, turn

Embedding = Literal["umap", "pca"]

PCA_DIMS = 8
_UMAP_DIMS = (2, 4)
# Degrees clockwise by which the published images are turned for their third scan.
_DIAGONAL = 225

Raw = Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def prepare_pixels(digits: Raw, *, upright: bool = False) -> bytes:
    """Scales images to 10x10 pixels and tells ink from background.

    Args:
        digits: Images, shape ``(N, 28, 28)``, and which digit each shows, of each split.
        upright: Set the digits upright first.

    Returns:
        The content of ``mnist-10x10.npz`` or ``mnist-10x10-deskewed.npz``: each value packs three
        scans of an image, of which background is 1; bit 2 row by row, bit 1 column by column, bit 0
        row by row of the image turned clockwise by 225 degrees, as the published ones are.
    """

    def packed(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        upright_images = deskew(images) if upright else images
        straight, turned = (
            (~above_threshold(shrink(each))).astype(np.uint8)
            for each in (upright_images, turn(upright_images, _DIAGONAL))
        )
        scans = (straight, straight.transpose(0, 2, 1), turned)
        rows, columns, diagonals = (each.reshape(len(images), -1) for each in scans)
        return 4 * rows + 2 * columns + diagonals

    return _content(digits, lambda images: np.concatenate([packed(c) for c in in_chunks(images)]))


def prepare_coordinates(
    digits: Raw,
    embedding: Embedding,
    dims: int | None = None,
    *,
    upright: bool = False,
    seed: int = 0,
) -> bytes:
    """Reduces images to a few coordinates, which the training images determine.

    Args:
        digits: Images, shape ``(N, 28, 28)``, and which digit each shows, of each split.
        embedding: ``"pca"``: the first eight principal components; ``"umap"``: by umap-learn.
        dims: Number of coordinates: from 2 to 4 for UMAP, by default 2; 8 for PCA.
        upright: Set the digits upright first.
        seed: Of UMAP.

    Returns:
        The content of ``mnist-pca-8.npz`` or ``mnist-umap-{dims}.npz``: each coordinate goes from 0
        to 255 on the training images; what lies beyond in others is cut off.

    Raises:
        ImportError: umap-learn is needed and not installed.
        ValueError: ``dims`` is out of range, or there are too few training images.
    """
    if embedding == "pca":
        dims = PCA_DIMS if dims is None else dims
        check_integer("dims", dims, PCA_DIMS, PCA_DIMS)
    else:
        dims = _UMAP_DIMS[0] if dims is None else dims
        check_integer("dims", dims, *_UMAP_DIMS)

    def flat(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        chunks = [deskew(chunk) if upright else chunk for chunk in in_chunks(images)]
        return np.concatenate(chunks).reshape(len(images), -1) / 255.0

    train = flat(digits["train"][0])
    # Nearest neighbours of an image, of which UMAP takes fifteen with the image itself.
    least = 16 if embedding == "umap" else PCA_DIMS
    if len(train) < least:
        raise ValueError(f"{embedding} needs at least {least} training images, got {len(train)}")
    reduce = _pca(train, dims) if embedding == "pca" else _umap(train, dims, seed)
    points = reduce(train)
    return _content(digits, lambda images: to_levels(reduce(flat(images)), points))


def _pca(train: NDArray[np.float64], dims: int) -> Callable[..., NDArray[np.float64]]:
    from sklearn.decomposition import PCA

    # Of many images with few pixels each. Shares of a variance of 0 are NaN, and not asked for.
    with np.errstate(invalid="ignore"):
        fitted = PCA(dims, svd_solver="covariance_eigh").fit(train)
    found: Callable[..., NDArray[np.float64]] = fitted.transform
    return found


def _umap(train: NDArray[np.float64], dims: int, seed: int) -> Callable[..., NDArray[np.float64]]:
    from qrnn_circuits.optional_packages import require_modules

    require_modules("umap")
    from umap import UMAP

    # Of the training images in their order it gives the embedding itself, and else a new one.
    found: Callable[..., NDArray[np.float64]] = (
        UMAP(n_components=dims, random_state=seed, n_jobs=1).fit(train).transform
    )
    return found


def _content(digits: Raw, features: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> bytes:
    """A file in NumPy's format, its rows grouped by digit."""
    arrays: dict[str, NDArray[np.uint8]] = {}
    for split, (images, shown) in digits.items():
        order = shown.argsort(kind="stable")
        arrays[f"x_{split}"], arrays[f"y_{split}"] = features(images)[order], shown[order]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
