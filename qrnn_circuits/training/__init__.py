"""Training runs: configuration, loop, checkpoints, evaluation, sweeps."""

from qrnn_circuits.training.checkpoint import Checkpoint, CheckpointError
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.ensemble import EnsembleTrainer, SeedResult, best_result
from qrnn_circuits.training.evaluation import Evaluation, TrainedRun, evaluate, load_run
from qrnn_circuits.training.folder_lock import RunInUseError
from qrnn_circuits.training.forecast_evaluation import ForecastEvaluation, evaluate_forecast
from qrnn_circuits.training.log import LogError, read_scalars
from qrnn_circuits.training.pretrained import load_pretrained, pretrained_figures, pretrained_names
from qrnn_circuits.training.progress import LineProgress, LiveProgress, Progress, progress_for
from qrnn_circuits.training.ranks import RankError, Ranks, joined_ranks
from qrnn_circuits.training.results import TrainingDiverged, TrainingResult
from qrnn_circuits.training.run_folder import RunFolder
from qrnn_circuits.training.rvqe import RvqeNetwork, import_rvqe, read_rvqe
from qrnn_circuits.training.sweeps.space import SweepSpace
from qrnn_circuits.training.sweeps.store import SweepError
from qrnn_circuits.training.sweeps.sweep import Sweep, SweepTrial
from qrnn_circuits.training.trainer import Trainer
from qrnn_circuits.training.validation import Validation

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "EnsembleTrainer",
    "Evaluation",
    "ForecastEvaluation",
    "LineProgress",
    "LiveProgress",
    "LogError",
    "Progress",
    "RankError",
    "Ranks",
    "RunConfig",
    "RunFolder",
    "RunInUseError",
    "RvqeNetwork",
    "SeedResult",
    "Sweep",
    "SweepError",
    "SweepSpace",
    "SweepTrial",
    "TrainedRun",
    "Trainer",
    "TrainingDiverged",
    "TrainingResult",
    "Validation",
    "best_result",
    "evaluate",
    "evaluate_forecast",
    "import_rvqe",
    "joined_ranks",
    "load_pretrained",
    "load_run",
    "pretrained_figures",
    "pretrained_names",
    "progress_for",
    "read_rvqe",
    "read_scalars",
]
