"""A sheet of drawn digits as a picture."""

from collections.abc import Mapping
from math import ceil, sqrt

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

_GAP = 1
_GREY = 0.7
_WIDTH = 3.2


def mosaic(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Puts images of one size side by side, in about as many rows as columns.

    Args:
        images: Brightness from 0 to 1, shape ``(N, height, width)``, N at least 1.

    Returns:
        The rows from above, each from the left, with a grey line around every image; what is left
        of the last row is grey.

    Example:
        >>> mosaic(np.ones((1, 1, 2))).tolist()
        [[0.7, 0.7, 0.7, 0.7], [0.7, 1.0, 1.0, 0.7], [0.7, 0.7, 0.7, 0.7]]
    """
    count, height, width = images.shape
    columns = ceil(sqrt(count))
    rows = ceil(count / columns)
    sheet = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP), _GREY)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = row * (height + _GAP) + _GAP, column * (width + _GAP) + _GAP
        sheet[top : top + height, left : left + width] = image
    return sheet


def draw_sheet(images: Mapping[str, NDArray[np.floating]]) -> Figure:
    """Draws images of several kinds, those of each kind together.

    Args:
        images: Of each kind from left to right, by its name, see :func:`mosaic`; at least one kind.

    Example:
        >>> figure = draw_sheet({"0": np.ones((4, 10, 10)), "1": np.ones((4, 10, 10))})
        >>> [axes.get_title() for axes in figure.axes]
        ['0', '1']
    """
    figure = Figure(figsize=(_WIDTH * len(images), _WIDTH * 1.1), layout="constrained")
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, (name, each) in zip(panels, images.items(), strict=True):
        axes.imshow(mosaic(each), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(name)
        axes.set_axis_off()
    return figure
