from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qrnn_circuits.training import EnsembleTrainer, RunConfig

Tiny = Callable[..., RunConfig]


def test_seeds_are_integers_of_any_library_and_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    for given in (tmp_path / "runs", 3, None, 1.5):
        with pytest.raises(TypeError, match="seeds must be several integers, such as range"):
            EnsembleTrainer.start(tiny(), given, tmp_path / "runs")  # type: ignore[arg-type]
    assert not (tmp_path / "runs").exists()
    EnsembleTrainer.start(tiny(), np.arange(2), tmp_path / "runs")
    assert (tmp_path / "runs/seed-1").exists()
