"""Everything that decides how a training run goes, in one value."""

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch

from qrnn_circuits.loss import Loss
from qrnn_circuits.network import QRNN, RecurrentNetwork
from qrnn_circuits.neuron import Initialisation, Semantics
from qrnn_circuits.simulation.strategy import Strategy
from qrnn_circuits.tasks import TASKS, Task
from qrnn_circuits.training.checks import check_choice, check_integer, check_number, similar
from qrnn_circuits.training.task_options import check_task_options, option_names

DTYPES = {"float32": torch.float32, "float64": torch.float64}
DEVICES = ("cpu", "cuda")
OPTIMIZERS = ("adam", "sgd", "rmsprop", "lbfgs")
DECAYS = ("none", "cosine")

# A run may go on with other values of these: none of them changes what a step does, to rounding.
_CHANGEABLE = {
    "device",
    "steps",
    "validate_every",
    "checkpoint_every",
    "patience",
    "stop_loss",
    "stop_error",
}

_NOT_FOR_LBFGS = ("readout_learning_rate", "clip_norm")
# What tasks recommend is for this optimiser.
_FOR_ADAM = ("learning_rate", "readout_learning_rate", "decay")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The task, the network, the optimiser and the schedule of a run.

    Attributes:
        task: Name of the task, a key of ``TASKS``.
        task_options: Options of the task; those left out are filled in with their defaults.
        workspace: Number of workspace wires.
        lane: Number of lane wires; by default what the task needs.
        stages: Number of work stages of the cell.
        order: Order of the neurons.
        degree: Degree of their polynomials.
        semantics: ``"postselected"`` or ``"unitary"``.
        strategy: How the network is simulated: ``"auto"``, ``"transfer"`` or ``"state"``.
        dtype: ``"float32"`` or ``"float64"``.
        device: Where the network is trained: ``"cpu"``, or ``"cuda"`` for a GPU.
        bias_spread: Standard deviation of the initial biases around pi/2, in radians.
        weight_spread: Standard deviation of the initial weights, in radians.
        theta_spread: Standard deviation of the initial angles theta, in radians.
        optimizer: ``"adam"``, ``"sgd"``, ``"rmsprop"`` or ``"lbfgs"``.
        learning_rate: Of the optimiser, in its first step.
        readout_learning_rate: That of the neurons onto lane wires, by default the same. It decays
            and is halved with ``learning_rate``. Pixel by pixel, digits train better with a greater
            one; not for L-BFGS.
        decay: ``"none"`` keeps the learning rate; ``"cosine"`` lowers it to 0 over ``steps`` along
            half a cosine.
        clip_norm: Gradients of a greater Euclidean norm are scaled down to this one; not for
            L-BFGS.
        history: How many past updates L-BFGS remembers; no other optimiser uses it.
        loss: ``"nll"`` or ``"paper"``.
        batch_size: Handed to the task's ``batch``.
        steps: Number of optimiser steps, counted from the start of the run.
        seed: Of the initial parameters and of the batches.
        validate_every: Steps between two validations; there is one after the last step, too.
        checkpoint_every: Steps between two checkpoints.
        retreat: Go back to the best checkpoint and halve the learning rate from there on, after
            this many validations in a row without improvement of which the latest is markedly
            worse than the best.
        patience: Stop after this many validations in a row without improvement.
        stop_loss: Stop once the validation loss is not above this.
        stop_error: Stop once the validation error is not above this.
    """

    task: str
    task_options: Mapping[str, Any] = field(default_factory=dict)
    workspace: int = 4
    lane: int | None = None
    stages: int = 1
    order: int = 2
    degree: int = 2
    semantics: Semantics = "postselected"
    strategy: Strategy = "auto"
    dtype: str = "float32"
    device: str = "cpu"
    bias_spread: float = 0.1
    weight_spread: float = 0.0
    theta_spread: float = 0.01
    optimizer: str = "adam"
    learning_rate: float = 0.005
    readout_learning_rate: float | None = None
    decay: str = "none"
    clip_norm: float | None = None
    history: int = 40
    loss: Loss = "nll"
    batch_size: int = 16
    steps: int = 1000
    seed: int = 0
    validate_every: int = 50
    checkpoint_every: int = 50
    retreat: int | None = None
    patience: int | None = None
    stop_loss: float | None = None
    stop_error: float | None = None

    def __post_init__(self) -> None:
        """Checks every field, builds the task once to check its options, and fills them in.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A value is not acceptable.
        """
        check_choice("task", self.task, TASKS)
        check_choice("semantics", self.semantics, get_args(Semantics))
        check_choice("strategy", self.strategy, get_args(Strategy))
        check_choice("dtype", self.dtype, DTYPES)
        check_choice("device", self.device, DEVICES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("decay", self.decay, DECAYS)
        check_choice("loss", self.loss, get_args(Loss))
        for name in ("workspace", "order", "degree", "history", "batch_size"):
            check_integer(name, getattr(self, name), 1)
        for name in ("steps", "validate_every", "checkpoint_every"):
            check_integer(name, getattr(self, name), 1)
        for name in ("stages", "seed"):
            check_integer(name, getattr(self, name), 0)
        for name in ("bias_spread", "weight_spread", "theta_spread", "learning_rate"):
            self._set_number(name)
        if self.learning_rate == 0:
            raise ValueError("learning_rate must be greater than 0, got 0.0")
        for name in ("retreat", "patience"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), 1)
        for name in (*_NOT_FOR_LBFGS, "stop_loss", "stop_error"):
            if getattr(self, name) is not None:
                self._set_number(name)
        for name in _NOT_FOR_LBFGS:
            value = getattr(self, name)
            if value == 0:
                raise ValueError(f"{name} must be greater than 0, got 0.0")
            if value is not None and self.optimizer == "lbfgs":
                raise ValueError(
                    f"{name} is not for the optimizer 'lbfgs', whose line search needs gradients "
                    f"and steps as they are, got {value}"
                )

        check_task_options(self.task, self.task_options)
        task = self.build_task()
        options = {name: getattr(task, name) for name in option_names(self.task)}
        object.__setattr__(self, "task_options", options)
        if self.lane is None:
            object.__setattr__(self, "lane", task.lane)
        check_integer("lane", self.lane, task.lane)

    def _set_number(self, name: str) -> None:
        object.__setattr__(self, name, check_number(name, getattr(self, name)))

    @classmethod
    def resolve(cls, task: str, *layers: Mapping[str, Any]) -> "RunConfig":
        """Puts a configuration together.

        Args:
            task: Name of the task.
            layers: Field values that replace the defaults and what the task recommends; of two
                layers that hold a field, the later one counts. ``task_options`` are merged.
                Recommended learning rates are Adam's, and that of the read-out goes with the other.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A field does not exist or its value is not acceptable; a layer names
                another task; or ``history`` is set for an optimiser without one.
        """
        check_choice("task", task, TASKS)
        given = merge(task, *layers)
        options = given.get("task_options", {})
        check_task_options(task, options)
        recommended = dict(TASKS[task](**options).recommended)
        unsuited: tuple[str, ...] = ()
        if given.get("optimizer") == "lbfgs":
            unsuited += _NOT_FOR_LBFGS
        if given.get("optimizer", "adam") != "adam":
            unsuited += _FOR_ADAM
        if "learning_rate" in given:
            unsuited += ("readout_learning_rate",)
        for name in unsuited:
            recommended.pop(name, None)
        config = cls(**{**recommended, **given})
        config._check_used(given)
        return config

    @classmethod
    def from_toml(cls, path: Path) -> "RunConfig":
        """Reads a file as :func:`read_toml` does and fills in what it leaves out.

        Raises:
            FileNotFoundError: There is no such file.
            TypeError: A value has the wrong type.
            ValueError: The file is not TOML, or a key or value is not acceptable.
        """
        layer = read_toml(path)
        if "task" not in layer:
            raise ValueError(f"{path} does not say which task it is for: add task = ...")
        return cls.resolve(layer["task"], layer)

    def to_json(self) -> dict[str, Any]:
        """The fields as a dict that ``json.dumps`` writes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Builds the configuration that :meth:`to_json` wrote.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A field is unknown, its value is not acceptable, or the task is missing.
        """
        check_fields(values)
        if "task" not in values:
            raise ValueError("the configuration names no task")
        return cls(**values)

    def changed(self, values: Mapping[str, Any]) -> "RunConfig":
        """The configuration to resume this run with.

        Args:
            values: Fields given anew. The schedule and the early stopping may differ from this
                configuration, and so may the folder in which the same data lie.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: Another field differs, or a value is not acceptable.
        """
        check_fields(values)
        task = values.get("task", self.task)
        if task != self.task:
            raise ValueError(f"this is a run of the task {self.task!r}, not {task!r}")
        given_options = values.get("task_options", {})
        check_task_options(task, given_options)
        options = {**self.task_options, **given_options}
        config = dataclasses.replace(self, **{**values, "task_options": options})
        config._check_used(values)
        if differences := self.contradictions(config):
            raise ValueError(
                "a resumed run goes on with its own settings, and these differ: "
                + "; ".join(f"{name} is {old!r}, got {new!r}" for name, old, new in differences)
                + ". Leave them out, or start another run in another folder"
            )
        return config

    def contradictions(self, other: "RunConfig") -> list[tuple[str, object, object]]:
        """Name and both values of each field that one run cannot have two values of."""
        mine, others = _flat(self), _flat(other)
        return [
            (name, mine.get(name), others.get(name))
            for name in sorted(mine.keys() | others.keys())
            if mine.get(name) != others.get(name)
            and not (name == "data" and _is_folder(mine.get(name)) and _is_folder(others.get(name)))
        ]

    def _check_used(self, given: Mapping[str, Any]) -> None:
        """Raises a ``ValueError`` where a given field has no effect."""
        if "history" in given and self.optimizer != "lbfgs":
            raise ValueError(f"history is for the optimizer 'lbfgs', not for {self.optimizer!r}")

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step.

        Args:
            step: Optimiser steps taken before it, from 0 to ``steps - 1``.
        """
        if self.decay == "none":
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2

    def build_task(self) -> Task:
        """The task with its options."""
        return TASKS[self.task](**self.task_options)

    def build_model(self, device: torch.device | None = None) -> RecurrentNetwork:
        """The untrained network, its parameters drawn with :attr:`seed`.

        Args:
            device: Where it lives, by default on the CPU.

        Raises:
            ValueError: The network cannot be built, for example because the degree exceeds the
                number of controls.
        """
        return QRNN(
            lane=cast(int, self.lane),  # filled in by __post_init__
            workspace=self.workspace,
            stages=self.stages,
            order=self.order,
            degree=self.degree,
            semantics=self.semantics,
            strategy=self.strategy,
            initialisation=Initialisation(self.bias_spread, self.weight_spread, self.theta_spread),
            generator=self._generator(0),
            device=device,
            dtype=DTYPES[self.dtype],
        )

    def batch_generator(self) -> torch.Generator:
        """The source of the batches at the start of a run, independent of the initialisation."""
        return self._generator(1)

    def _generator(self, stream: int) -> torch.Generator:
        seeds = np.random.SeedSequence(self.seed).generate_state(2, np.uint64)
        return torch.Generator().manual_seed(int(seeds[stream]))


def read_toml(path: Path) -> dict[str, Any]:
    """Reads some fields of a :class:`RunConfig`.

    Top-level keys are the fields; the options of the task stand in a table ``[task_options]``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not TOML, or has an unknown key.
    """
    try:
        layer = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no configuration file {path}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from error
    try:
        check_fields(layer)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{path}: {error}") from error
    return layer


def merge(task: str, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Puts layers of :class:`RunConfig` fields on top of each other.

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
    """Checks that every key is a field of :class:`RunConfig`.

    Raises:
        TypeError: The task's options are not a table.
        ValueError: A key is unknown; the message names similar fields.
    """
    names = [f.name for f in dataclasses.fields(RunConfig)]
    for key in values:
        if key not in names:
            raise ValueError(f"unknown setting {key!r}{similar(key, names)}")
    if not isinstance(values.get("task_options", {}), Mapping):
        raise TypeError(f"task_options must be a table, got {values['task_options']!r}")


def _flat(config: RunConfig) -> dict[str, object]:
    """The fields and task options that stay the same for the whole of a run."""
    changeable = set(_CHANGEABLE)
    # Where a decay is laid out over all steps, or validations can lead to a retreat, they decide
    # what a step does.
    if config.decay != "none":
        changeable.remove("steps")
    if config.retreat is not None:
        changeable.remove("validate_every")
    values = {k: v for k, v in config.to_json().items() if k not in changeable}
    options: dict[str, object] = values.pop("task_options")
    return values | options


def _is_folder(data: object) -> bool:
    return data not in ("embedded", "download")
