from pathlib import Path

import pytest

from qrnn_circuits.job_store import JobStore


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "folder" / "jobs.sqlite")
