from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of recorded jobs."""
    return tmp_path / "jobs.sqlite"
