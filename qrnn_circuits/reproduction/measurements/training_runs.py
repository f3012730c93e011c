"""Networks that are trained for a measurement, in run folders that can be gone on with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qrnn_circuits.training import Progress, RunConfig, RunFolder, TrainedRun, Trainer, load_run
from qrnn_circuits.training.task_options import with_located_data
from qrnn_circuits.training.validation import Validation


def run_config(task: str, recipe: str | None, settings: Mapping[str, Any], seed: int) -> RunConfig:
    """The configuration of a run, with data where the environment says that they are.

    Args:
        task: Name of the task.
        recipe: Of the task; None for its own default.
        settings: Fields of :class:`~qrnn_circuits.training.RunConfig` that differ from it.
        seed: Of the run.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A field does not exist, is the seed, or its value is not acceptable.

    Example:
        >>> run_config("xor", "paper", {"steps": 7}, seed=3).steps
        7
    """
    if "seed" in settings:
        raise ValueError(
            f"run must not set the seed, which each measurement is given, got {settings['seed']!r}"
        )
    return RunConfig.resolve(task, with_located_data(task, settings), {"seed": seed}, recipe=recipe)


def train(config: RunConfig, folder: Path, progress: Callable[[str], None]) -> TrainedRun:
    """Trains a network, or goes on with its training where that was interrupted.

    Args:
        config: Of the run.
        folder: Of the run.
        progress: Is told each validation.

    Returns:
        The network of the best checkpoint.

    Raises:
        KeyboardInterrupt: If a signal interrupted the training; it can be gone on with.
        TrainingDiverged: If the loss is no longer finite.
        ValueError: If another run lies in the folder, or the network reads no symbols.

    Example:
        >>> config = run_config("memorise", "paper", {"workspace": 2, "steps": 2}, seed=0)
        >>> train(config, Path("run"), print).step
        step 2 of 2: loss ..., error ...%
        2
    """
    run = RunFolder(folder)
    if not run.is_started:
        trainer = Trainer.start(config, folder)
    elif (stored := run.read_config()) == config:
        trainer = Trainer.resume(folder)
    else:
        theirs, asked = stored.to_json(), config.to_json()
        differences = "; ".join(
            f"{name} is {theirs[name]!r}, asked for is {asked[name]!r}"
            for name in theirs
            if theirs[name] != asked[name]
        )
        raise ValueError(
            f"folder must be empty or hold the same run, but in {folder} {differences}: take "
            "another folder, or remove this one"
        )
    result = trainer.run(_Validations(config, progress))
    if result.signal is not None:
        raise KeyboardInterrupt
    return load_run(folder).of_symbols()


class _Validations(Progress):
    """Tells each validation in words."""

    def __init__(self, config: RunConfig, progress: Callable[[str], None]) -> None:
        self._steps = config.steps
        self._progress = progress

    def validation(self, validation: Validation) -> None:
        """Tells its figures."""
        self._progress(
            f"step {validation.step} of {self._steps}: loss {validation.loss:.3g}, error "
            f"{validation.error:.1%}"
        )
