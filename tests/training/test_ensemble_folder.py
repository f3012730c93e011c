from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qrnn_circuits.training import EnsembleTrainer, RunConfig, Trainer

Tiny = Callable[..., RunConfig]


def test_seeds_are_integers_of_any_library_and_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    for given in (tmp_path / "runs", 3, None, 1.5):
        with pytest.raises(TypeError, match="seeds must be several integers, such as range"):
            EnsembleTrainer.start(tiny(), given, tmp_path / "runs")  # type: ignore[arg-type]
    assert not (tmp_path / "runs").exists()
    EnsembleTrainer.start(tiny(), np.arange(2), tmp_path / "runs")
    assert (tmp_path / "runs/seed-1").exists()


@pytest.mark.parametrize("content", ['{"seeds": [0', "", "[]"])
def test_a_damaged_list_of_runs_is_told_with_the_way_to_go_on(
    content: str, tiny: Tiny, tmp_path: Path
) -> None:
    EnsembleTrainer.start(tiny(steps=2), range(2), tmp_path / "runs").run()
    (tmp_path / "runs/ensemble.json").write_text(content)
    with pytest.raises(ValueError, match=r"ensemble\.json .*--out .*seed-0 --resume`"):
        EnsembleTrainer.resume(tmp_path / "runs")
    assert Trainer.resume(tmp_path / "runs/seed-0", {"steps": 3}).run().step == 3
