import io
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from qrnn_circuits.tasks import Digits
from qrnn_circuits.tasks.digit_data import (
    load_coordinates,
    load_mnist,
    load_pixels,
    to_levels,
)
from qrnn_circuits.tasks.digit_preparation import Raw, prepare_coordinates, prepare_pixels
from qrnn_circuits.tasks.idx import read_idx
from tests.tasks.digit_files import Images, blobs, raw_digits, write_idx

COUNTS = {"train": 60, "validate": 12, "test": 15}


def arrays(content: bytes) -> dict[str, Images]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def test_prepared_pixels_are_those_that_are_read_from_the_raw_files(tmp_path: Path) -> None:
    for name, count, suffix in (("train", 5020, ".gz"), ("t10k", 30, "")):
        images, digits = raw_digits(count, seed=count)
        write_idx(tmp_path / f"{name}-images-idx3-ubyte{suffix}", images)
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte{suffix}", digits)
    raw = load_mnist(tmp_path)
    train, train_digits = raw_digits(5020, seed=5020)
    digits_of: Raw = {
        "train": (train[:20], train_digits[:20]),
        "validate": (train[20:], train_digits[20:]),
        "test": raw_digits(30, seed=30),
    }
    (tmp_path / "mnist-10x10.npz").write_bytes(prepare_pixels(digits_of))
    prepared = load_pixels(tmp_path)
    for ours, theirs in (
        (prepared.train, raw.train),
        (prepared.validation, raw.validation),
        (prepared.test, raw.test),
    ):
        assert torch.equal(ours.features, theirs.features)
        assert torch.equal(ours.digits, theirs.digits)


def test_upright_pixels_are_those_of_upright_images(tmp_path: Path) -> None:
    from qrnn_circuits.tasks.images import deskew

    raw = blobs(COUNTS)
    upright = {split: (deskew(images), shown) for split, (images, shown) in raw.items()}
    assert prepare_pixels(raw, upright=True) == prepare_pixels(upright)
    assert prepare_pixels(raw, upright=True) != prepare_pixels(raw)


@pytest.mark.skipif("QRNN_DATA_DIR" not in os.environ, reason="QRNN_DATA_DIR is not set")
def test_each_scan_shows_the_digits_that_the_published_file_shows() -> None:
    folder = Path(os.environ["QRNN_DATA_DIR"])
    images = read_idx(folder / "t10k-images-idx3-ubyte.gz", 3)[:2000]
    shown = read_idx(folder / "t10k-labels-idx1-ubyte.gz", 1)[:2000]
    ours = arrays(prepare_pixels({"test": (images, shown)}))
    with np.load(folder / "mnist-10x10.npz") as theirs:
        published, labels = theirs["x_test"], theirs["y_test"]
    for bit in range(3):
        for digit in range(10):
            mean = (ours["x_test"][ours["y_test"] == digit] >> bit & 1).mean(0)
            expected = (published[labels == digit] >> bit & 1).mean(0)
            assert np.corrcoef(mean, expected)[0, 1] > 0.95, (bit, digit)


def levels(train: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    lowest, highest = train.min(0), train.max(0)
    scaled: NDArray[np.float64] = np.clip(256 * (points - lowest) / (highest - lowest), 0, 255)
    return scaled


def test_principal_components_are_the_right_singular_vectors_of_the_centred_images() -> None:
    raw = blobs(COUNTS)
    flat = {
        split: images[shown.argsort(kind="stable")].reshape(len(images), -1).astype(np.float64)
        for split, (images, shown) in raw.items()
    }
    mean = flat["train"].mean(0)
    vectors = np.linalg.svd(flat["train"] - mean, full_matrices=False)[2][:8]
    found = arrays(prepare_coordinates(raw, "pca"))
    train = (flat["train"] - mean) @ vectors.T
    for split in COUNTS:
        points = (flat[split] - mean) @ vectors.T
        # A component is determined up to its sign.
        for column in range(8):
            ours = found[f"x_{split}"][:, column].astype(np.float64)
            same, mirrored = (
                np.abs(ours - levels(sign * train, sign * points)[:, column]).max()
                for sign in (1, -1)
            )
            assert min(same, mirrored) <= 1
        assert found[f"y_{split}"].tolist() == sorted(raw[split][1])


def test_coordinates_are_read_back_by_the_task(tmp_path: Path) -> None:
    content = prepare_coordinates(blobs(COUNTS, kinds=2), "pca", upright=True)
    (tmp_path / "mnist-pca-8.npz").write_bytes(content)
    task = Digits(digits="0,1", reduce="pca", dims=2, resolution=8, data=str(tmp_path))
    inputs = task.test().inputs
    bits = torch.stack([inputs >> 1, inputs & 1], -1)
    read = (bits << torch.arange(7, -1, -1)[:, None]).sum(1)
    assert torch.equal(read, torch.from_numpy(arrays(content)["x_test"][:, :2]).long())


@pytest.mark.filterwarnings("ignore")
def test_umap_keeps_images_together_that_are_alike(tmp_path: Path) -> None:
    pytest.importorskip("umap")
    raw = blobs(COUNTS)
    content = prepare_coordinates(raw, "umap", 3, seed=1)
    (tmp_path / "mnist-umap-3.npz").write_bytes(content)
    splits = load_coordinates(tmp_path, "umap", 3)
    centres = torch.stack(
        [splits.train.features[splits.train.digits == d].float().mean(0) for d in range(3)]
    )
    nearest = torch.cdist(splits.test.features.float(), centres).argmin(1)
    assert torch.equal(nearest, splits.test.digits)
    assert splits.train.features.min(0).values.tolist() == [0, 0, 0]
    assert splits.train.features.max(0).values.tolist() == [255, 255, 255]
    assert prepare_coordinates(raw, "umap", 3, seed=1) == content


class Embedding:
    """What UMAP does: it knows the training images again, and places all others anew."""

    def __init__(self, n_components: int, **_: object) -> None:
        self.dims = n_components

    def fit(self, images: NDArray[np.float64]) -> "Embedding":
        self.images = images
        self.points = np.random.default_rng(0).normal(size=(len(images), self.dims))
        return self

    def transform(self, images: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.points if np.array_equal(images, self.images) else np.zeros((1, self.dims))


def test_training_images_have_the_coordinates_that_were_fitted_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("umap")
    monkeypatch.setattr(module, "UMAP", Embedding, raising=False)
    monkeypatch.setitem(sys.modules, "umap", module)
    images, shown = blobs({"train": 60})["train"]
    order = np.random.default_rng(1).permutation(60)
    raw: Raw = {"train": (images[order], shown[order])}
    found = arrays(prepare_coordinates(raw, "umap", 2))
    points = np.random.default_rng(0).normal(size=(60, 2))
    grouped = shown[order].argsort(kind="stable")
    assert not np.array_equal(grouped, np.arange(60))
    np.testing.assert_array_equal(found["x_train"], to_levels(points, points)[grouped])


@pytest.mark.parametrize(
    ("embedding", "dims", "count", "expected"),
    [
        ("umap", 5, 60, "dims must be from 2 to 4, got 5"),
        ("pca", 2, 60, "dims must be from 8 to 8, got 2"),
        ("pca", None, 7, "pca needs at least 8 training images, got 7"),
        ("umap", 2, 15, "umap needs at least 16 training images, got 15"),
    ],
)
def test_what_cannot_be_reduced_is_refused(
    embedding: str, dims: int | None, count: int, expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        prepare_coordinates(blobs({"train": count}), embedding, dims)  # type: ignore[arg-type]


@pytest.mark.parametrize(("differing", "told"), [(0, 0), (4, 3)])
def test_coordinates_that_are_rounding_alone_are_refused(differing: int, told: int) -> None:
    images, digits = blobs({"train": 40})["train"]
    few = {"train": (images[np.arange(40) % max(differing, 1)], digits)}
    with pytest.raises(ValueError, match=f"must differ in 8 coordinates, but do in {told}: "):
        prepare_coordinates(few, "pca")
