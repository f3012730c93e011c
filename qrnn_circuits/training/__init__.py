"""Training runs: configuration, loop, checkpoints, evaluation."""

from qrnn_circuits.training.checkpoint import Checkpoint, CheckpointError
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.evaluation import Evaluation, TrainedRun, evaluate, load_run
from qrnn_circuits.training.log import LogError, read_scalars
from qrnn_circuits.training.progress import LineProgress, LiveProgress, Progress, progress_for
from qrnn_circuits.training.run_folder import RunFolder
from qrnn_circuits.training.trainer import Trainer, TrainingDiverged, TrainingResult
from qrnn_circuits.training.validation import Validation

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Evaluation",
    "LineProgress",
    "LiveProgress",
    "LogError",
    "Progress",
    "RunConfig",
    "RunFolder",
    "TrainedRun",
    "Trainer",
    "TrainingDiverged",
    "TrainingResult",
    "Validation",
    "evaluate",
    "load_run",
    "progress_for",
    "read_scalars",
]
