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


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Two columns that tell each point's time: 0, 1, 2 ... and 100, 98, 96 ..."""
    path = tmp_path / "ramp.csv"
    rows = [f"{time},{100 - 2 * time}" for time in range(40)]
    path.write_text("\n".join(["up,down", *rows]))
    return path


@pytest.fixture
def weather(tmp_path: Path) -> Path:
    """Dates, numbers with a gap in the first row, numbers without gaps, and an empty column."""
    path = tmp_path / "weather.csv"
    rows = [f"2026-01-{d:02},{'' if d == 1 else d},{d % 5}," for d in range(1, 31)]
    path.write_text("\n".join(["day,sun,rain,", *rows]))
    return path
