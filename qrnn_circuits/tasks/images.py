"""From grey digits to sequences of symbols and back."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MARGIN = 4


def shrink(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scales MNIST images to 10x10: the central 20x20 pixels, averaged two by two.

    An average is taken along rows first, then along columns, each rounded down to a whole grey
    level. This is what comes nearest to the images published with Bausch, arXiv:2006.14619.

    Args:
        images: Grey levels, shape ``(N, 28, 28)``.

    Returns:
        Grey levels, shape ``(N, 10, 10)``.

    Raises:
        ValueError: If the images are not 28x28.
    """
    if images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"images must have shape (N, 28, 28), got {images.shape}")
    inner = images[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].astype(np.uint16)
    rows = (inner[:, :, ::2] + inner[:, :, 1::2]) // 2
    return ((rows[:, ::2] + rows[:, 1::2]) // 2).astype(np.uint8)


def deskew(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Sets digits upright: shears each along its rows until these and its columns are uncorrelated.

    With the central second moments ``m`` of the grey levels, pixel ``(y, x)`` is taken from
    ``(y, x + (y - mean_y) * m_xy / m_yy)`` of the image, between pixels by linear interpolation.

    Args:
        images: Grey levels, shape ``(N, height, width)``.

    Returns:
        Grey levels of the same shape; an image of a single row is left as it is.
    """
    from scipy.ndimage import affine_transform

    upright = images.copy()
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    for number, image in enumerate(images):
        weights = image / max(int(image.sum(dtype=np.int64)), 1)
        mean_y, mean_x = (weights * y).sum(), (weights * x).sum()
        spread = (weights * (y - mean_y) ** 2).sum()
        if spread > 0:
            slant = (weights * (y - mean_y) * (x - mean_x)).sum() / spread
            matrix, offset = [[1, 0], [slant, 1]], [0, -slant * mean_y]
            sheared = affine_transform(image.astype(np.float64), matrix, offset, order=1)
            upright[number] = np.rint(sheared)
    return upright


def turn(images: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Turns images clockwise about their middle, between pixels by linear interpolation.

    Args:
        images: Grey levels, shape ``(N, side, side)``.
        degrees: By how much.

    Returns:
        Grey levels of the same shape; what comes from outside is 0.
    """
    from scipy.ndimage import affine_transform

    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # Row and column of a pixel in the image, of those in the turned one; the images are apart.
    matrix = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    middle = np.array([0, *((side - 1) / 2 for side in images.shape[1:])])
    offset = middle - matrix @ middle
    turned = affine_transform(images.astype(np.float64), matrix, offset, order=1)
    levels: NDArray[np.uint8] = np.rint(turned).astype(np.uint8)
    return levels


def above_threshold(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Splits each image's pixels in dark and bright at the image's own best threshold.

    The threshold is that of Otsu, *A Threshold Selection Method from Gray-Level Histograms*, IEEE
    Transactions on Systems, Man, and Cybernetics 9 (1979): it maximises the variance between the
    two classes.

    Args:
        images: Grey levels, shape ``(N, height, width)``.

    Returns:
        The bright pixels, bool, of the same shape; none in an image of one grey level.
    """
    levels = np.sort(images.reshape(len(images), -1).astype(np.int64), axis=1)
    pixels = levels.shape[1]
    dark = np.arange(1, pixels)
    sums = levels.cumsum(axis=1)
    # Variance between the classes of the `dark` lowest levels and the others, times pixels**4.
    variance = (sums[:, -1:] * dark - pixels * sums[:, :-1]) ** 2 / (dark * (pixels - dark))
    variance[levels[:, 1:] == levels[:, :-1]] = -1
    best = variance.argmax(axis=1)[:, None]
    threshold = np.take_along_axis(levels, best, axis=1)[:, :, None]
    return images > threshold


def scan(ink: NDArray[np.bool_]) -> Tensor:
    """Writes images as sequences of two bits a step; background is 1 and ink is 0.

    Args:
        ink: Shape ``(N, side, side)``.

    Returns:
        Symbols ``2 * r + c``, uint8, shape ``(N, side**2)``: at step t, r is pixel t in row-major
        order and c is pixel t in column-major order.
    """
    background = (~ink).astype(np.uint8)
    rows = background.reshape(len(ink), -1)
    columns = background.transpose(0, 2, 1).reshape(len(ink), -1)
    return torch.from_numpy(2 * rows + columns)


def unscan(symbols: Tensor, side: int) -> Tensor:
    """Reads images back from :func:`scan`'s symbols.

    Args:
        symbols: Shape ``(N, side**2)``. Bits above the lowest two are ignored.
        side: Height and width of the images.

    Returns:
        The mean of what the two scans say of each pixel, 1 for background and 0 for ink, float32,
        shape ``(N, side, side)``.

    Raises:
        ValueError: If the sequences do not have ``side**2`` steps.
    """
    if symbols.ndim != 2 or symbols.shape[1] != side * side:
        raise ValueError(
            f"symbols must have shape (N, {side * side}), one for each pixel, got "
            f"{tuple(symbols.shape)}"
        )
    rows = (symbols >> 1 & 1).reshape(-1, side, side)
    columns = (symbols & 1).reshape(-1, side, side).transpose(1, 2)
    return (rows + columns).float() / 2


def quantise(coordinates: Tensor, resolution: int) -> Tensor:
    """Writes points as sequences of one bit of each coordinate a step.

    Args:
        coordinates: Integers in ``[0, 256)``, uint8, shape ``(N, dims)``.
        resolution: Number of bits, from 1 to 8.

    Returns:
        Symbols, uint8, shape ``(N, resolution)``: step r carries each coordinate's bit r, the most
        significant first; the first coordinate is the symbol's most significant bit.
    """
    shifts = torch.arange(7, 7 - resolution, -1)
    bits = coordinates.long()[:, None, :] >> shifts[:, None] & 1
    places = torch.arange(coordinates.shape[1] - 1, -1, -1)
    return (bits << places).sum(-1).to(torch.uint8)
