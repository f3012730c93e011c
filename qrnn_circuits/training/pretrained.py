"""Networks that come with the package, already trained, in a folder beside this module.

Each is a checkpoint ``NAME.safetensors`` and a file ``NAME.json`` with its figures on the test set
and the command that trains it. ``python -m benchmarks.pretrained`` makes both from run folders.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from qrnn_circuits.bounded_readers.files import SETTINGS_LIMIT, parse_json, read_bytes
from qrnn_circuits.training.checkpoint import Checkpoint, read_checkpoint
from qrnn_circuits.training.evaluation import TrainedRun, trained_run

FOLDER = Path(__file__).parent / "pretrained"


def pretrained_names() -> list[str]:
    """Names of the networks that come with the package.

    Example:
        >>> "xor-chip" in pretrained_names()
        True
    """
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def load_pretrained(name: str, task_options: Mapping[str, Any] | None = None) -> TrainedRun:
    """Brings a network that comes with the package, with its task and its settings.

    Args:
        name: One of :func:`pretrained_names`.
        task_options: Options that the task gets in place of the stored ones. The networks for MNIST
            have ``data="$QRNN_DATA_DIR"``, the folder that this environment variable names when
            digits are read.

    Raises:
        ValueError: There is no such network, or the task has no such option.

    Example:
        >>> run = load_pretrained("xor-chip")
        >>> run.task.name, run.model.cell.order
        ('xor', 0)
    """
    checkpoint = read_checkpoint(_path(name))
    model = checkpoint.config.build_model()
    checkpoint.load_parameters(model)
    run: TrainedRun = trained_run(checkpoint.config, model, checkpoint.step, task_options)
    return run


def pretrained_figures(name: str) -> dict[str, Any]:
    """What was found when a network was made that comes with the package.

    Args:
        name: One of :func:`pretrained_names`.

    Returns:
        ``"command"``: what trained it; ``"seeds"``: among how many seeds validation chose it;
        ``"figures"``: those of ``qrnn evaluate --json``.

    Raises:
        ValueError: There is no such network.

    Example:
        >>> pretrained_figures("xor-chip")["figures"]["test_error"]
        0.0
    """
    path = _path(name).with_suffix(".json")
    figures: dict[str, Any] = parse_json(str(path), read_bytes(path, SETTINGS_LIMIT))
    return figures


def without_training(checkpoint: Checkpoint, task_options: Mapping[str, Any]) -> Checkpoint:
    """What of a checkpoint is needed to use its network: the optimiser and the batches are not.

    Args:
        checkpoint: Of a run.
        task_options: Options that are stored in place of those of the run, such as a ``data``
            folder that other machines do not have.
    """
    values = checkpoint.config.to_json()
    values["task_options"] |= task_options
    config = type(checkpoint.config).from_json(values)
    nothing = torch.empty(0, dtype=torch.uint8)
    return Checkpoint(
        config, checkpoint.step, checkpoint.parameters, {}, nothing, checkpoint.standing
    )


def _path(name: str) -> Path:
    names = pretrained_names()
    if name not in names:
        raise ValueError(f"there is no pretrained network {name!r}: known are {', '.join(names)}")
    return FOLDER / f"{name}.safetensors"
