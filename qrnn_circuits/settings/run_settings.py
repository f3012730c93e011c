"""The settings of a training run, each written once: what options, files and checks follow from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

from qrnn_circuits.bounded_readers import files
from qrnn_circuits.checks import (
    check_choice,
    check_instance,
    check_integer,
    check_number,
    check_positive,
    errors_in,
    similar,
)
from qrnn_circuits.choices import Basis, Loss, Semantics, Strategy

DTYPES = ("float32", "float64")
DEVICES = ("cpu", "cuda")
OPTIMIZERS = ("adam", "sgd", "rmsprop", "lbfgs")
DECAYS = ("none", "cosine")


def _setting(
    panel: str,
    default: Any,  # noqa: ANN401
    text: str,
    *,
    choices: tuple[str, ...] | None = None,
    least: int | None = None,
    greatest: int | None = None,
    positive: bool = False,
    number: bool = True,
    shown: str = "",
) -> Any:  # noqa: ANN401 - as dataclasses.field is typed
    """A field of :class:`RunSettings` with all that options, files and checks need to know of it.

    Args:
        panel: Under which heading the command line lists it.
        default: Its default; None for what is left to something else or not wanted.
        text: What it does.
        choices: The accepted texts.
        least: The least accepted integer.
        greatest: The greatest, where a larger one asks for more memory than there is.
        positive: Whether a number must not be 0.
        number: Whether it is a number if it is neither one of the choices nor an integer.
        shown: What None stands for, in words.
    """
    metadata = {
        "panel": panel,
        "help": text,
        "choices": choices,
        "least": least,
        "greatest": greatest,
        "positive": positive,
        "number": number,
        "shown": shown,
    }
    return field(default=default, metadata=metadata)


FOR_FORECASTS = ("hidden_size", "num_layers")
"""Settings that only forecasts have a use for."""

NOT_FOR_FORECASTS = (
    "lane",
    "strategy",
    "loss",
    "readout_learning_rate",
    "acceptance_weight",
    "acceptance_warmup",
    "sparsity_weight",
    "prune_tolerance",
    "curriculum",
)
"""Settings that forecasts have no use for."""

NOT_FOR_LBFGS = ("readout_learning_rate", "clip_norm")
"""Settings that the line search of L-BFGS rules out."""

_network = partial(_setting, "Network")
_optimisation = partial(_setting, "Optimisation")
_schedule = partial(_setting, "Schedule")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The task, the network, the optimiser and the schedule of a run.

    Every field but the task, the cell and their options is a setting: an option of ``qrnn train``,
    a key of its TOML files and of a run's ``config.json``. ``qrnn train --help`` lists them with
    what they do, which is in the metadata of the fields.
    """

    task: str
    task_options: Mapping[str, Any] = field(default_factory=dict)
    cell: str = "qrnn"
    cell_options: Mapping[str, Any] = field(default_factory=dict)
    workspace: int = _network(4, "Workspace wires: the size of the cell's state.", least=1)
    hidden_size: int = _network(
        8, "Values that a layer returns of a step, for forecasts.", least=1, greatest=2**14
    )
    num_layers: int = _network(1, "Recurrent layers, for forecasts.", least=1, greatest=2**10)
    lane: int | None = _network(
        None,
        "Lane wires, which hold a symbol of the task, where more than it needs are wanted.",
        number=False,
    )
    stages: int = _network(
        1,
        "Work stages: how often a step puts a further neuron onto each workspace wire.",
        least=0,
        greatest=2**12,
    )
    order: int = _network(
        2, "How often a neuron's angle is sharpened towards 0 or pi; 0: not at all.", least=0
    )
    degree: int = _network(
        2, "Most bits that are multiplied in a term of a neuron's angle.", least=1
    )
    semantics: Semantics = _network(
        "postselected",
        "postselected: shots are dropped where a neuron fails; unitary: none is lost in a neuron.",
        choices=get_args(Semantics),
    )
    basis: Basis = _network(
        "monomials",
        "Whose coefficients are trained: monomials, products of bits; or parities, of signs.",
        choices=get_args(Basis),
    )
    strategy: Strategy = _network(
        "auto",
        "How it is simulated: transfer, a matrix for each symbol; state, gate by gate; auto, the "
        "faster one.",
        choices=get_args(Strategy),
    )
    dtype: str = _network("float32", "float32 or float64.", choices=DTYPES)
    device: str = _network(
        "cpu", "cpu, or cuda: a GPU, under torchrun one for each process.", choices=DEVICES
    )
    bias_spread: float | None = _network(
        None,
        "Standard deviation of a neuron's initial constant, around pi/2, with order 0 around 0.",
        shown="0.1, with order 0 0.05",
    )
    weight_spread: float | None = _network(
        None,
        "Standard deviation of a neuron's other initial coefficients.",
        shown="0, with order 0 0.02",
    )
    theta_spread: float = _network(
        0.01, "Standard deviation of the initial angles of the work stages' rotations."
    )
    optimizer: str = _optimisation("adam", "adam, sgd, rmsprop or lbfgs.", choices=OPTIMIZERS)
    learning_rate: float = _optimisation(
        0.005,
        "Of the optimiser; with lbfgs the first trial of its line search.",
        positive=True,
    )
    readout_learning_rate: float | None = _optimisation(
        None,
        "Learning rate of the neurons onto lane wires; it decays and is halved with the other.",
        positive=True,
        shown="that of the others",
    )
    decay: str = _optimisation(
        "none", "none, or cosine: the learning rate falls to 0 over the steps.", choices=DECAYS
    )
    clip_norm: float | None = _optimisation(
        None, "Greatest norm of the gradients; a huge one clips none.", positive=True
    )
    history: int = _optimisation(40, "Past updates that lbfgs remembers.", least=1, greatest=2**16)
    loss: Loss = _optimisation(
        "nll",
        "nll: the negative log-likelihood; paper: the paper's, which takes probabilities for "
        "logits.",
        choices=get_args(Loss),
    )
    acceptance_weight: float = _optimisation(
        0.0,
        "Adds so many times the mean of -log(acceptance) for each step to the loss, so that the "
        "network learns to keep its shots.",
    )
    acceptance_warmup: int = _optimisation(
        0,
        "Steps over which that weight grows from 0: at once it may be all that is learnt.",
        least=0,
    )
    sparsity_weight: float = _optimisation(
        0.0,
        "Adds so many times the sum of all angles, in radians, by which a step's circuit rotates "
        "under control to the loss, so that few such gates are left; it grows from 0 until the "
        "rotations are pruned.",
    )
    batch_size: int = _optimisation(16, "Sequences in a step.", least=1, greatest=2**20)
    seed: int = _optimisation(0, "Of the initial parameters and the batches.", least=0)
    steps: int = _schedule(1000, "Optimiser steps, from the start of the run.", least=1)
    curriculum: str | None = _schedule(
        None,
        "Lengths of the training sequences over the first two thirds of the steps, such as 3,6,12, "
        "before that of the task.",
        number=False,
    )
    prune_tolerance: float | None = _schedule(
        None,
        "In radians: after three quarters of the steps, rotations under control by at most this "
        "angle are set to none, and the others trained on without --sparsity-weight.",
    )
    restarts: int = _schedule(
        0,
        "Times that training starts anew, with other initial parameters, before it goes on from "
        "the best validation of all these trials.",
        least=0,
    )
    restart_after: int | None = _schedule(None, "Steps of each of these trials.", least=1)
    validate_every: int = _schedule(50, "Steps between two validations.", least=1)
    checkpoint_every: int = _schedule(50, "Steps between two checkpoints.", least=1)
    retreat: int | None = _schedule(
        None,
        "Go back to the best checkpoint, at half the rate, after so many validations in a row "
        "without improvement of which the latest is markedly worse than the best.",
        least=1,
    )
    patience: int | None = _schedule(
        None, "Stop after so many validations in a row without improvement.", least=1
    )
    stop_loss: float | None = _schedule(None, "Stop once the validation loss is not above this.")
    stop_error: float | None = _schedule(
        None,
        "Stop once the validation error, of a forecast the normalised one, is not above this.",
    )

    def _check_settings(self) -> None:
        """Checks every setting by what its field says.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A value is not acceptable.
        """
        for setting in settings():
            if getattr(self, setting.name) is not None or setting.default is not None:
                self._check(setting)

    def _check(self, setting: "dataclasses.Field[Any]") -> None:
        """Checks a setting by what its field says; integers that count as numbers become floats."""
        name, value, known = setting.name, getattr(self, setting.name), setting.metadata
        if known["choices"] is not None:
            check_choice(name, value, known["choices"])
        elif known["least"] is not None:
            check_integer(name, value, known["least"], known["greatest"])
        elif known["number"]:
            check = check_positive if known["positive"] else check_number
            object.__setattr__(self, name, check(name, value))


TAKEN_NAMES = frozenset(
    {field.name for field in dataclasses.fields(RunSettings)}
    | {"config", "help", "out", "recipe", "resume", "seeds"}
)
"""What an option of a task cannot be called: settings, and further options of ``qrnn train``."""


def settings() -> list["dataclasses.Field[Any]"]:
    """The fields of :class:`RunSettings` that stand for one setting each."""
    return [f for f in dataclasses.fields(RunSettings) if "panel" in f.metadata]


def read_toml(path: Path) -> dict[str, Any]:
    """Reads some fields of a :class:`RunSettings`.

    Top-level keys are the fields; the options of the task stand in a table ``[task_options]``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not TOML, or has an unknown key.
    """
    try:
        layer = files.read_toml(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no configuration file {path}") from None
    with errors_in(path):
        check_fields(layer)
    return layer


def merge(task: str, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Puts layers of :class:`RunSettings` fields on top of each other.

    Args:
        task: Name of the task.
        layers: Of two that hold a field, the later one counts. ``task_options`` are merged.

    Raises:
        TypeError: The task's options are not a table.
        ValueError: A field does not exist, or a layer names another task.
    """
    merged: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for layer in layers:
        check_fields(layer)
        if layer.get("task", task) != task:
            raise ValueError(f"task must be {task!r} here, got {layer['task']!r}")
        merged |= layer
        options |= layer.get("task_options", {})
    return merged | {"task": task, "task_options": options}


def check_fields(values: Mapping[str, Any]) -> None:
    """Checks that every key is a field of :class:`RunSettings`.

    Raises:
        TypeError: The settings or the task's options are not a table.
        ValueError: A key is unknown; the message names similar fields.
    """
    check_instance("settings", values, Mapping, "name them, as {'steps': 100}, and recipe='chip'")
    names = [f.name for f in dataclasses.fields(RunSettings)]
    for key in values:
        if key not in names:
            raise ValueError(f"unknown setting {key!r}{similar(key, names)}")
    if not isinstance(values.get("task_options", {}), Mapping):
        raise TypeError(f"task_options must be a table, got {values['task_options']!r}")
