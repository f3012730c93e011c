import os
from pathlib import Path

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
