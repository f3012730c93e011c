from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qrnn_circuits.tasks.digit_data import (
    DigitSplits,
    load_coordinates,
    load_embedded,
    load_mnist,
    load_pixels,
    read_raw_digits,
)
from qrnn_circuits.tasks.images import above_threshold, scan, shrink, unscan
from tests.tasks.digit_files import raw_digits, write_idx

SUFFIXES = {"train": 40, "validate": 20, "test": 20}


@pytest.fixture
def mnist_folder(tmp_path: Path) -> Path:
    """A small database in the form of MNIST: 5,020 training images and 30 test images."""
    for name, count, suffix in (("train", 5020, ""), ("t10k", 30, ".gz")):
        images, digits = raw_digits(count, seed=count)
        write_idx(tmp_path / f"{name}-images-idx3-ubyte{suffix}", images)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte{suffix}", digits)
    return tmp_path


def arrays(columns: int, greatest: int) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    contents = {}
    for suffix, count in SUFFIXES.items():
        contents[f"x_{suffix}"] = rng.integers(0, greatest + 1, (count, columns), np.uint8)
        contents[f"y_{suffix}"] = np.arange(count, dtype=np.uint8) % 10
    return contents


def splits_of(data: DigitSplits) -> list[torch.Tensor]:
    return [split.digits for split in (data.train, data.validation, data.test)]


def test_embedded_digits_are_split_in_fixed_shares_of_each_digit() -> None:
    first, second = load_embedded(), load_embedded()
    for before, after in zip(splits_of(first), splits_of(second), strict=True):
        assert torch.equal(before, after)
    assert torch.equal(first.train.features, second.train.features)
    counts = [digits.bincount(minlength=10) for digits in splits_of(first)]
    total = sum(counts)
    assert torch.is_tensor(total)
    assert total.sum() == 1797
    for count, share in zip(counts, (0.6, 0.15, 0.25), strict=True):
        assert (count - share * total).abs().max() <= 1


def test_embedded_digits_are_scikit_learns_images_with_at_least_half_a_block_of_ink() -> None:
    from sklearn.datasets import load_digits

    data = load_embedded()
    parts = (data.train, data.validation, data.test)
    ours = {
        (int(digit), tuple(image.flatten().tolist()))
        for part in parts
        for image, digit in zip(unscan(part.features, 8), part.digits, strict=True)
    }
    theirs = {
        (int(digit), tuple((image < 8).astype(float)))
        for image, digit in zip(*load_digits(return_X_y=True), strict=True)
    }
    assert ours == theirs


def test_idx_files_are_scaled_and_the_last_5000_training_images_are_for_validation(
    mnist_folder: Path,
) -> None:
    data = load_mnist(mnist_folder)
    train_images, train_digits = raw_digits(5020, seed=5020)
    test_images, test_digits = raw_digits(30, seed=30)
    for split, images, digits in (
        (data.train, train_images[:20], train_digits[:20]),
        (data.validation, train_images[20:], train_digits[20:]),
        (data.test, test_images, test_digits),
    ):
        order = digits.argsort(kind="stable")
        assert torch.equal(split.features, scan(above_threshold(shrink(images[order]))))
        assert split.digits.tolist() == digits[order].tolist()


def test_a_folder_without_prepared_digits_is_read_from_its_idx_files(mnist_folder: Path) -> None:
    assert torch.equal(
        load_pixels(mnist_folder).test.features, load_mnist(mnist_folder).test.features
    )


@pytest.mark.parametrize(("deskewed", "name"), [(False, ""), (True, "-deskewed")])
def test_prepared_digits_are_read_before_idx_files_and_keep_two_of_three_scans(
    mnist_folder: Path, deskewed: bool, name: str
) -> None:
    contents = arrays(100, 7)
    np.savez(mnist_folder / f"mnist-10x10{name}.npz", **contents)  # type: ignore[arg-type]
    data = load_pixels(mnist_folder, deskewed=deskewed)
    for split, suffix in ((data.train, "train"), (data.validation, "validate")):
        order = contents[f"y_{suffix}"].argsort(kind="stable")
        np.testing.assert_array_equal(split.features, contents[f"x_{suffix}"][order] // 2)
        np.testing.assert_array_equal(split.digits, contents[f"y_{suffix}"][order])


@pytest.mark.parametrize(
    ("reduction", "dims", "name", "stored"),
    [("umap", 3, "mnist-umap-3.npz", 3), ("pca", 5, "mnist-pca-8.npz", 8)],
)
def test_coordinates_are_the_first_columns_of_their_file(
    tmp_path: Path, reduction: str, dims: int, name: str, stored: int
) -> None:
    contents = arrays(stored, 255)
    np.savez(tmp_path / name, **contents)  # type: ignore[arg-type]
    test = load_coordinates(tmp_path, reduction, dims).test
    order = contents["y_test"].argsort(kind="stable")
    np.testing.assert_array_equal(test.features, contents["x_test"][order, :dims])


@pytest.mark.parametrize("deskewed", [False, True])
def test_a_missing_folder_is_named(tmp_path: Path, deskewed: bool) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        load_pixels(tmp_path / "nowhere", deskewed=deskewed)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        load_coordinates(tmp_path / "nowhere", "umap", 2)


def test_a_missing_file_is_named_with_all_that_was_looked_for(mnist_folder: Path) -> None:
    (mnist_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"mnist-10x10.npz, .*t10k-labels.* is missing"):
        load_pixels(mnist_folder)
    with pytest.raises(
        FileNotFoundError, match=r"must hold mnist-10x10-deskewed.npz.*--deskew --out"
    ):
        load_pixels(mnist_folder, deskewed=True)
    with pytest.raises(
        FileNotFoundError, match=r"must hold mnist-umap-2.npz.*--reduce umap --dims 2 --out"
    ):
        load_coordinates(mnist_folder, "umap", 2)


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        ("train-images-idx3-ubyte", np.zeros((5020, 2, 2), np.uint8), r"\(5020, 28, 28\)"),
        (
            "train-labels-idx1-ubyte",
            np.zeros(5019, np.uint8),
            "a label for each of the 5020 images of .*train-images-idx3-ubyte, got 5019",
        ),
        ("train-labels-idx1-ubyte", np.full(5020, 10, np.uint8), "must be at most 9, got 10"),
    ],
)
def test_idx_files_that_are_no_digits_are_refused(
    mnist_folder: Path, name: str, values: NDArray[np.uint8], complaint: str
) -> None:
    write_idx(mnist_folder / name, values)
    with pytest.raises(ValueError, match=f"{name}.*{complaint}"):
        load_mnist(mnist_folder)


def test_files_without_test_images_are_refused(mnist_folder: Path) -> None:
    write_idx(mnist_folder / "t10k-images-idx3-ubyte", np.zeros((0, 28, 28), np.uint8))
    write_idx(mnist_folder / "t10k-labels-idx1-ubyte", np.zeros(0, np.uint8))
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte must hold at least one label"):
        read_raw_digits(mnist_folder)


def test_too_few_training_images_for_a_validation_split_are_refused(mnist_folder: Path) -> None:
    images, digits = raw_digits(5000, seed=0)
    write_idx(mnist_folder / "train-images-idx3-ubyte", images)
    write_idx(mnist_folder / "train-labels-idx1-ubyte", digits)
    with pytest.raises(ValueError, match=r"must hold more than the 5000 images .* got 5000"):
        load_mnist(mnist_folder)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"x_test": None}, "must hold an array x_test, but has only"),
        ({"y_train": None}, "must hold an array y_train, but has only"),
        ({"x_train": np.zeros((40, 3), np.uint8)}, r"x_train must be uint8 of shape \(40, 2\)"),
        ({"x_train": np.uint8(0)}, r"x_train must be uint8 of shape \(2,\), got .* shape \(\)"),
        ({"x_train": np.zeros((40, 2))}, "x_train must be uint8 .*, got float64"),
        ({"y_test": np.zeros(19, np.uint8)}, r"y_test must be uint8 of shape \(20,\)"),
        ({"y_test": np.full(20, 11, np.uint8)}, "y_test must be at most 9, got 11"),
        ({"x_test": np.array([None])}, "must hold numbers in x_test.npy, but has the type object"),
    ],
)
def test_prepared_files_with_wrong_arrays_are_refused(
    tmp_path: Path, change: dict[str, NDArray[np.generic] | None], complaint: str
) -> None:
    contents = {k: v for k, v in (arrays(2, 255) | change).items() if v is not None}
    np.savez(tmp_path / "mnist-umap-2.npz", **contents)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"mnist-umap-2.npz.*{complaint}"):
        load_coordinates(tmp_path, "umap", 2)


def test_damaged_prepared_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mnist-umap-2.npz"
    np.savez_compressed(path, **arrays(2, 255))  # type: ignore[arg-type]
    whole = path.read_bytes()
    middle = whole.index(b"x_validate") + 80
    damaged = whole[:middle] + bytes(20) + whole[middle + 20 :]
    for content in (b"", b"no zip", whole[:-30], damaged):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"mnist-umap-2.npz is (not an|a corrupt) .npz file"):
            load_coordinates(tmp_path, "umap", 2)


def test_the_prepared_mnist_has_its_published_sizes(data_folder: Path) -> None:
    data = load_pixels(data_folder)
    assert [len(digits) for digits in splits_of(data)] == [55010, 5000, 10000]
    assert data.train.features.shape[1] == 100
    assert data.train.features.max() == 3
