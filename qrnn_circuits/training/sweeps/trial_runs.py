"""The runs of a sweep's trial, begun or taken up again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qrnn_circuits.training.checkpoint import CheckpointError
from qrnn_circuits.training.config import RunConfig
from qrnn_circuits.training.ensemble import EnsembleTrainer
from qrnn_circuits.training.run_folder import RunFolder
from qrnn_circuits.training.trainer import Trainer


def trial_run(folder: Path, config: RunConfig) -> Trainer:
    """The run of a trial.

    Args:
        folder: Of the trial.
        config: What the sweep's journal says of it.

    Raises:
        CheckpointError: A checkpoint cannot be used, or the folder holds another run.
        OSError: The folder cannot be written, or the task's data are missing.
    """
    if not RunFolder(folder).is_started:
        return Trainer.start(config, folder)
    trainer = Trainer.resume(folder)
    _check_same(folder, [trainer.config], [config])
    return trainer


def trial_runs(folder: Path, config: RunConfig, seeds: Sequence[int]) -> EnsembleTrainer:
    """The runs of a trial of several seeds.

    Args:
        folder: Of the trial.
        config: What the sweep's journal says of it, whose seed counts for nothing.
        seeds: Those of the runs, in order.

    Raises:
        CheckpointError: A checkpoint cannot be used, or the folder holds other runs.
        OSError: The folder cannot be written, or the task's data are missing.
    """
    if not EnsembleTrainer.is_started(folder):
        return EnsembleTrainer.start(config, seeds, folder)
    runs = EnsembleTrainer.resume(folder)
    stored = [trainer.config for trainer in runs.trainers.values()]
    _check_same(folder, stored, [replace(config, seed=seed) for seed in seeds])
    return runs


def _check_same(folder: Path, stored: Sequence[RunConfig], wanted: Sequence[RunConfig]) -> None:
    """Raises a CheckpointError lest the figures of other settings are those of a trial.

    So it may be where an older copy of the journal was put back: its next values are drawn anew.
    """
    told = [f"{len(stored)} seeds, not {len(wanted)}"] if len(stored) != len(wanted) else []
    for found, right in zip(stored, wanted, strict=False):
        told += [f"{name} {value!r}, not {w!r}" for name, value, w in found.contradictions(right)]
    if told:
        raise CheckpointError(
            f"{folder} holds a run of other settings than the sweep's journal says, {told[0]}: "
            "move it elsewhere, and the trial begins anew"
        )
