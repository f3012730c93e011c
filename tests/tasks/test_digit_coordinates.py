from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from qrnn_circuits.tasks import Digits


def test_embedded_digits_are_reduced_to_their_principal_components() -> None:
    from sklearn.datasets import load_digits

    task = Digits(digits="0,1", reduce="pca", dims=2, resolution=3)
    batch = task.test()
    assert batch.inputs.shape == (90, 3)
    bits = torch.stack((batch.inputs >> 1, batch.inputs & 1), 2)
    levels = (bits * torch.tensor([4, 2, 1])[:, None]).sum(1).double()
    # Components are uncorrelated, the first has the larger variance, and both span their range.
    images, digits = load_digits(return_X_y=True)
    chosen = images[digits < 2]
    variances = np.sort(np.linalg.eigvalsh(np.cov(chosen.T)))[::-1]
    first, second = levels.var(0).tolist()
    assert first > second * variances[1] / variances[0]
    assert abs(np.corrcoef(levels.T.numpy())[0, 1]) < 0.25
    assert levels.amin(0).tolist() == [0, 0]
    assert levels.amax(0).max() == 7
    # What the digits are can be told from the first component alone.
    right = batch.outcomes[:, -1]
    errors = [((levels[:, 0] >= cut).long() != right).double().mean() for cut in range(8)]
    assert min(*errors, *(1 - error for error in errors)) < 0.1


def test_reduced_digits_are_the_top_bits_of_their_coordinates(reduced_folder: Path) -> None:
    task = Digits(reduce="umap", dims=3, resolution=5, data=str(reduced_folder))
    with np.load(reduced_folder / "mnist-umap-3.npz") as arrays:
        points = arrays["x_test"][arrays["y_test"] == 1]
    data = task.test().inputs[-len(points) :, :5]
    assert task.lane == 3
    for point, symbols in zip(points, data.tolist(), strict=True):
        for place, coordinate in enumerate(point):
            assert int("".join(f"{s:03b}"[place] for s in symbols), 2) == coordinate >> 3


def test_jitter_moves_coordinates_of_training_images_alone(tmp_path: Path) -> None:
    points = np.array([[100, 1], [100, 255]], np.uint8)
    parts = {f"x_{part}": points for part in ("train", "validate", "test")}
    parts |= {f"y_{part}": np.arange(2, dtype=np.uint8) for part in ("train", "validate", "test")}
    np.savez(tmp_path / "mnist-umap-2.npz", **parts)  # type: ignore[arg-type]
    options: dict[str, Any] = {"reduce": "umap", "resolution": 8, "data": str(tmp_path)}
    task = Digits(**options, jitter=0.05)
    batch = task.batch(4000, torch.Generator().manual_seed(0))
    bits = torch.stack((batch.inputs[:, :8] >> 1, batch.inputs[:, :8] & 1), 2)
    first, second = (bits * 2 ** torch.arange(7, -1, -1)[:, None]).sum(1).double().T
    assert_close(first.mean().item(), 100.0, atol=1, rtol=0)
    assert_close(first.std().item(), 0.05 * 256, rtol=0.05, atol=0)
    # What would leave the range stays at its ends: half of all.
    digits = batch.outcomes[:, -1]
    assert 0.4 < (second[digits == 0] <= 1).double().mean() < 0.6
    assert 0.4 < (second[digits == 1] == 255).double().mean() < 0.6
    still = Digits(**options)
    for name in ("validation", "test"):
        assert torch.equal(getattr(task, name)().inputs, getattr(still, name)().inputs)


def test_reduced_digits_have_no_images(reduced_folder: Path) -> None:
    task = Digits(reduce="umap", data=str(reduced_folder))
    with pytest.raises(ValueError, match="reduce='umap' keeps no pixels"):
        task.images(task.test().inputs)
