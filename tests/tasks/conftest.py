import os
from pathlib import Path

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with the MNIST test images and the prepared files."""
    folder = os.environ.get("QRNN_DATA_DIR")
    if not folder:
        pytest.skip("QRNN_DATA_DIR is not set to a folder with the MNIST files")
    return Path(folder)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def reduced_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared files with a few random points of each digit."""
    folder = tmp_path_factory.mktemp("reduced")
    rng = np.random.default_rng(0)
    for name, columns in (("umap-2", 2), ("umap-3", 3), ("pca-8", 8)):
        contents = {}
        for suffix, count in (("train", 60), ("validate", 30), ("test", 30)):
            contents[f"x_{suffix}"] = rng.integers(0, 256, (count, columns), np.uint8)
            contents[f"y_{suffix}"] = np.arange(count, dtype=np.uint8) % 10
        np.savez(folder / f"mnist-{name}.npz", **contents)  # type: ignore[arg-type]
    return folder
