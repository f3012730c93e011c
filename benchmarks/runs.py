"""Networks that are trained for a benchmark."""

import tempfile
from pathlib import Path
from typing import Any

from qrnn_circuits.training import RunConfig, TrainedRun, Trainer, load_run


def trained(config: RunConfig) -> TrainedRun[Any, Any]:
    """Trains a network in a folder that does not stay, and returns its best checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        Trainer.start(config, Path(folder) / "run").run()
        return load_run(Path(folder) / "run")
