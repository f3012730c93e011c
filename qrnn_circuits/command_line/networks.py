"""The network that a command is given: a run folder, or one that comes with the package."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qrnn_circuits.choices import PRETRAINED
from qrnn_circuits.command_line.options import CheckpointChoice

if TYPE_CHECKING:
    from qrnn_circuits.forecaster import Forecaster
    from qrnn_circuits.network import RecurrentNetwork
    from qrnn_circuits.training import RunConfig, TrainedRun


def load_network(
    place: Path, checkpoint: CheckpointChoice, task_options: Mapping[str, Any] | None = None
) -> "TrainedRun[Any, Any]":
    """Loads the network that a command is given.

    Args:
        place: Folder of a run, or ``pretrained:NAME``.
        checkpoint: Of a run.
        task_options: Options that the task gets in place of the stored ones.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        FileNotFoundError: There is no run in the folder.
        ValueError: There is no such network, it has no such checkpoint, or the task no such option.
    """
    from qrnn_circuits.training import load_pretrained, load_run, pretrained_names

    if not is_pretrained(place):
        if not place.exists() and str(place) in pretrained_names():
            raise FileNotFoundError(
                f"there is no run in {place}; the network of that name that comes with the package "
                f"is {PRETRAINED}{place}"
            )
        return load_run(place, checkpoint.value, task_options)
    if checkpoint is not CheckpointChoice.BEST:
        raise ValueError(
            f"checkpoint must be best for {place}, which has no other, got {checkpoint.value}"
        )
    return load_pretrained(str(place).removeprefix(PRETRAINED), task_options)


def size_text(config: "RunConfig", model: "RecurrentNetwork | Forecaster") -> str:
    """How large a network is: the number of its parameters, and what that follows from.

    Args:
        config: Of the network's run.
        model: The network.
    """
    parameters = sum(parameter.numel() for parameter in model.parameters())
    sizes = ", ".join(f"{name} {value}" for name, value in config.sizes(model))
    return f"{parameters:,} parameters ({sizes})"


def is_pretrained(place: Path) -> bool:
    """Whether what a command is given names a network that comes with the package."""
    return str(place).startswith(PRETRAINED)
