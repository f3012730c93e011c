from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qrnn_circuits.tasks.idx import read_idx
from qrnn_circuits.tasks.images import above_threshold, deskew, quantise, scan, shrink, turn, unscan


def test_a_small_image_is_the_mean_of_four_pixels_rounded_down_twice() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    small = shrink(images)
    assert small.dtype == np.uint8
    assert small.shape == (5, 10, 10)
    for image, row, column in np.ndindex(small.shape):
        top, left = 4 + 2 * row, 4 + 2 * column
        (a, b), (c, d) = images[image, top : top + 2, left : left + 2].tolist()
        assert small[image, row, column] == ((a + b) // 2 + (c + d) // 2) // 2


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have shape \(N, 28, 28\), got \(2, 8, 8\)"):
        shrink(np.zeros((2, 8, 8), np.uint8))


@given(seed=st.integers(0, 999), levels=st.integers(2, 256))
def test_the_threshold_maximises_the_variance_between_the_classes(seed: int, levels: int) -> None:
    image = np.random.default_rng(seed).integers(0, levels, (1, 4, 4), np.uint8)
    bright = above_threshold(image)

    def variance(bright: np.ndarray) -> float:
        share = bright.mean()
        return float(share * (1 - share) * (image[bright].mean() - image[~bright].mean()) ** 2)

    thresholds = np.unique(image)[:-1]
    if len(thresholds) == 0:
        assert not bright.any()
    else:
        assert variance(bright) == pytest.approx(max(variance(image > t) for t in thresholds))
        assert image[bright].min() > image[~bright].max()


def test_an_image_of_one_grey_level_has_no_bright_pixels() -> None:
    assert not above_threshold(np.full((2, 4, 4), 200, np.uint8)).any()


def test_scans_are_row_major_and_column_major_with_background_one() -> None:
    ink = np.array([[[True, False], [True, True]]])
    # Row-major background: 0 1 0 0; column-major: 0 0 1 0.
    assert scan(ink).tolist() == [[0, 2, 1, 0]]


@given(seed=st.integers(0, 999), side=st.integers(1, 10))
def test_images_are_read_back_from_their_scans(seed: int, side: int) -> None:
    ink = np.random.default_rng(seed).random((3, side, side)) < 0.5
    np.testing.assert_array_equal(unscan(scan(ink), side).numpy(), ~ink)


def test_scans_that_disagree_give_half_a_pixel() -> None:
    assert unscan(torch.tensor([[3, 1, 0, 0]]), 2).tolist() == [[[1, 0], [0.5, 0]]]


def test_sequences_of_another_length_are_no_image() -> None:
    with pytest.raises(ValueError, match=r"must have shape \(N, 4\), one for each pixel, got"):
        unscan(torch.zeros(1, 5), 2)


@given(
    points=st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=1, max_size=5),
    resolution=st.integers(1, 8),
)
def test_the_top_bits_of_coordinates_are_read_back_from_their_symbols(
    points: list[list[int]], resolution: int
) -> None:
    symbols = quantise(torch.tensor(points, dtype=torch.uint8), resolution)
    assert symbols.shape == (len(points), resolution)
    for point, row in zip(points, symbols.tolist(), strict=True):
        for place, coordinate in enumerate(point):
            bits = "".join(f"{symbol:03b}"[place] for symbol in row)
            assert int(bits, 2) == coordinate >> 8 - resolution


def test_scaled_test_images_agree_with_the_published_ones(data_folder: Path) -> None:
    raw = read_idx(data_folder / "t10k-images-idx3-ubyte.gz", 3)
    raw_digits = read_idx(data_folder / "t10k-labels-idx1-ubyte.gz", 1)
    ours = scan(above_threshold(shrink(raw))).numpy()
    with np.load(data_folder / "mnist-10x10.npz") as arrays:
        published, digits = arrays["x_test"] >> 1, arrays["y_test"]

    # The published images are in another order: each digit's are compared as a set.
    identical, distances = 0, []
    for digit in range(10):
        our_rows, their_rows = ours[raw_digits == digit], published[digits == digit]
        both = Counter(map(bytes, our_rows)) & Counter(map(bytes, their_rows))
        identical += both.total()
        ours_ink, theirs_ink = (1.0 - (rows >> 1) for rows in (our_rows, their_rows))
        apart = ours_ink.sum(1)[:, None] + theirs_ink.sum(1) - 2 * ours_ink @ theirs_ink.T
        distances.append(apart.min(0))
    assert identical >= 9300  # of 10,000
    assert np.concatenate(distances).mean() <= 0.08  # pixels of 100


def moments(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Central second moments of the grey levels: of rows with columns, and of rows."""
    weights = image.astype(np.float64) / image.sum(dtype=np.float64)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    y, x = y - (weights * y).sum(), x - (weights * x).sum()
    return float((weights * y * x).sum()), float((weights * y * y).sum())


@pytest.mark.parametrize("slope", [-1, 0, 1])
def test_an_image_that_was_sheared_by_whole_pixels_is_set_upright(slope: int) -> None:
    upright = np.zeros((28, 28), np.uint8)
    upright[10:19, 12:15] = [[40, 200, 40]]
    sheared = np.stack([np.roll(row, slope * (y - 14)) for y, row in enumerate(upright)])
    mixed, rows = moments(sheared)
    # Rows 10 to 18 have a variance of 20 / 3, and their columns move with them.
    assert rows == pytest.approx(20 / 3)
    assert mixed == pytest.approx(slope * 20 / 3)
    np.testing.assert_array_equal(deskew(sheared[None])[0], upright)


@given(seed=st.integers(0, 10**6), slope=st.floats(-0.6, 0.6))
def test_rows_and_columns_of_an_upright_image_are_uncorrelated(seed: int, slope: float) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    image = np.zeros((28, 28))
    for _ in range(3):
        row, column = rng.uniform(10, 17, 2)
        ridge = x - column - slope * (y - row)
        image += 80 * np.exp(-(ridge**2) / 3 - (y - row) ** 2 / 9)
    upright = deskew(image.astype(np.uint8)[None])[0]
    mixed, rows = moments(upright)
    assert abs(mixed) < 0.01 * rows + 0.05


def test_images_without_ink_or_of_one_row_are_left_as_they_are() -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 7, 3:9] = 200
    np.testing.assert_array_equal(deskew(images), images)


@given(quarters=st.integers(-4, 4), seed=st.integers(0, 99))
def test_turning_by_right_angles_moves_pixels_clockwise(quarters: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (2, 9, 9), np.uint8)
    expected = np.rot90(images, -quarters, axes=(1, 2))
    # At the border interpolation sees what is outside, by rounding.
    found = turn(images, 90 * quarters)
    np.testing.assert_array_equal(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1])


def test_turning_by_45_degrees_brings_the_diagonal_to_the_middle_column() -> None:
    image = np.zeros((1, 21, 21), np.uint8)
    image[0, range(4, 11), range(4, 11)] = 255
    turned = turn(image, 45)[0]
    assert turned[:10, 10].min() == 0
    assert turned[3:10, 10].min() > 100
    assert turned[12:].max() == 0
    assert turned[:, :9].max() == turned[:, 12:].max() == 0
