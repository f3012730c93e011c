"""Everything that decides how a training run goes, in one value."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch

from qrnn_circuits.cells import CELLS
from qrnn_circuits.checks import check_integer
from qrnn_circuits.forecaster import Forecaster, make_forecaster
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.neuron import Initialisation
from qrnn_circuits.settings.run_settings import (
    NOT_FOR_FORECASTS,
    NOT_FOR_LBFGS,
    RunSettings,
    check_fields,
    merge,
)
from qrnn_circuits.tasks import TASKS, BaseTask, Forecast, Task
from qrnn_circuits.training.cell_settings import (
    CELL_SETTINGS,
    cells_for,
    check_given_once,
    constructor_arguments,
    find_cell,
    unused_settings,
)
from qrnn_circuits.training.fitted_recipe import fitted_recipe
from qrnn_circuits.training.schedule import Schedule
from qrnn_circuits.training.task_options import (
    build_task,
    check_task_options,
    folder_options,
    option_names,
    task_class,
)

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

# Arguments of a cell that are objects, made from settings.
_OF_THE_RUN = {"device", "dtype", "generator", "initialisation"}


@dataclass(frozen=True, kw_only=True)
class RunConfig(RunSettings):
    """The settings of a run, checked, with what is made of them.

    A field is a setting of the run, by the name of its option of ``qrnn train`` with underscores
    for hyphens; the reference of that command says what each does. Besides there are:

    Attributes:
        task: Name of the task or ``"module:attribute"``; a :class:`~qrnn_circuits.tasks.Task` or
            its class is replaced by it.
        task_options: Options of the task; those left out are filled in with their defaults.
        cell: Name of the cell or ``"module:attribute"``, with arguments of its constructor for
            which there is no setting after commas, as in ``"qlstm,depth=2"``; a class of cells is
            replaced by it. For forecasts, a recurrent layer.
        cell_options: Such arguments.

    Example:
        >>> config = RunConfig.resolve("xor", {"steps": 10, "task_options": {"length": 9}})
        >>> config.workspace, config.task_options
        (2, {'length': 9, 'reading': 'scored'})
    """

    def __post_init__(self) -> None:
        """Checks every field, builds the task once to check its options, and fills them in.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A value is not acceptable.
        """
        self._set_names()
        self._check_settings()
        for name in NOT_FOR_LBFGS:
            value = getattr(self, name)
            if value is not None and self.optimizer == "lbfgs":
                raise ValueError(
                    f"{name} is not for the optimizer 'lbfgs', whose line search needs gradients "
                    f"and steps as they are, got {value}"
                )
        # A larger rate ends a step of PyTorch's optimisers in a RuntimeError.
        greatest = torch.finfo(getattr(torch, self.dtype)).max
        for name in ("learning_rate", "readout_learning_rate"):
            rate = getattr(self, name)
            if rate is not None and rate > greatest:
                raise ValueError(
                    f"{name} must be at most {greatest:.4g}, the largest {self.dtype}, got {rate:g}"
                )
        check_task_options(self.task, self.task_options)
        task = self.build_task()
        options = {name: getattr(task, name) for name in option_names(self.task)}
        object.__setattr__(self, "task_options", options)
        if isinstance(task, Task):
            if self.lane is None:
                object.__setattr__(self, "lane", task.lane)
            check_integer("lane", self.lane, task.lane)
            if self.stop_error is not None and self.stop_error > 1:
                raise ValueError(
                    f"stop_error must be a share of the answers, from 0 to 1, got "
                    f"{self.stop_error:g}: 0.02 stands for 2 %"
                )
        if self.curriculum is not None:
            self._check_curriculum()
        _ = self.schedule
        self._check_pruning()

    def _check_pruning(self) -> None:
        """Raises where rotations cannot be pruned one by one."""
        own = {"order": self.order, "semantics": self.semantics} | dict(self.cell_options)
        if self.prune_tolerance is not None and own["order"] and own["semantics"] == "unitary":
            raise ValueError(
                f"prune_tolerance is for neurons of order 0 or postselected ones, got "
                f"{self.prune_tolerance} for unitary ones of order {own['order']}, which rotate by "
                "their activation: choose order 0, or sparsity_weight alone"
            )

    def _check_curriculum(self) -> None:
        """Raises where the task has no sequences of these lengths."""
        if not isinstance(self.task_options.get("length"), int):
            raise ValueError(
                f"curriculum is for tasks with an option length, which {self.task!r} has not, got "
                f"{self.curriculum!r}"
            )
        for length in self.schedule.lengths:
            self.build_task(length)

    def _set_names(self) -> None:
        """Names the task and the cell, where they are given as objects."""
        task, own = _named(self.task)
        object.__setattr__(self, "task", task)
        object.__setattr__(self, "task_options", own | dict(self.task_options))
        cells = cells_for(self.task)
        if isinstance(self.cell, str):
            cell, options = cells.parse(self.cell)
        else:
            cell, options = cells.name_of(self.cell), {}
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "cell_options", {**options, **self.cell_options})
        if given := {k: v for k, v in self.cell_options.items() if k in _OF_THE_RUN}:
            raise ValueError(
                f"cell_options must not hold {', '.join(sorted(_OF_THE_RUN))}, which the run makes "
                "of its settings device, dtype, seed, bias_spread, weight_spread and theta_spread, "
                f"got {given}: give these"
            )
        find_cell(self.task, self.cell)

    @classmethod
    def resolve(
        cls,
        task: str | BaseTask | type[BaseTask],
        *layers: Mapping[str, Any],
        recipe: str | None = None,
    ) -> "RunConfig":
        """Puts a configuration together.

        Args:
            task: Name of the task or ``"module:attribute"``, a task, or its class.
            layers: Field values that replace the defaults and those of the recipe; of two layers
                that hold a field, the later one counts. ``task_options`` are merged.
            recipe: Name of the recipe, or ``"none"``; by default the one that the task names. Of
                it counts what :func:`~qrnn_circuits.training.fitted_recipe.fitted_recipe` leaves.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A field does not exist or its value is not acceptable; a layer names
                another task; or ``history`` is set for an optimiser without one.
        """
        name, own = _named(task)
        given = merge(name, {"task_options": own}, *layers)
        check_task_options(name, given["task_options"])
        recommended = fitted_recipe(name, given, recipe)
        given["task_options"] = recommended.pop("task_options") | given["task_options"]
        config = cls(**{**recommended, **given})
        config._check_used(given)
        return config

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
            names = [name for name, _, _ in differences]
            laid_out = ", ".join(self.laid_out_over_steps)
            raise ValueError(
                "a resumed run goes on with its own settings, and these differ: "
                + "; ".join(f"{name} is {old!r}, got {new!r}" for name, old, new in differences)
                + (f" ({laid_out} of this run is laid out over all steps)" * ("steps" in names))
                + ". Leave them out, or start another run in another folder"
            )
        return config

    def contradictions(self, other: "RunConfig") -> list[tuple[str, object, object]]:
        """Name and both values of each field that one run cannot have two values of."""
        mine, others = _flat(self), _flat(other)
        words = folder_options(self.task)
        return [
            (name, mine.get(name), others.get(name))
            for name in sorted(mine.keys() | others.keys())
            if mine.get(name) != others.get(name)
            and not (name in words and not {mine.get(name), others.get(name)} & {*words[name]})
        ]

    @property
    def laid_out_over_steps(self) -> list[str]:
        """The settings that a run of more or fewer steps would follow otherwise from the start."""
        used = {
            "decay": self.decay != "none",
            "curriculum": self.curriculum is not None,
            "prune_tolerance": self.prune_tolerance is not None,
            "sparsity_weight": self.sparsity_weight > 0,
        }
        return [name for name, is_used in used.items() if is_used]

    def _check_used(self, given: Mapping[str, Any]) -> None:
        """Raises a ``ValueError`` where a given field has no effect."""
        if "history" in given and self.optimizer != "lbfgs":
            raise ValueError(f"history is for the optimizer 'lbfgs', not for {self.optimizer!r}")
        longest = self.task_options.get("length", math.inf)
        if "curriculum" in given and max(self.schedule.lengths, default=0) > longest:
            raise ValueError(
                f"curriculum must not go beyond the length of the task, {longest}, got "
                f"{self.curriculum!r}"
            )
        for name in (unused := unused_settings(self.task, self.cell)):
            if name in given and name in NOT_FOR_FORECASTS and self.of_series:
                raise ValueError(
                    f"{name} is for tasks of symbols, got {given[name]!r} for a forecast"
                )
            if name in given:
                raise ValueError(f"the cell {self.cell!r} takes no {name}, got {given[name]!r}")
        check_given_once(given, self.cell_options)
        # Who gives both, as a sweep over the other does, means it.
        for name, other in (("acceptance_warmup", "acceptance_weight"), ("theta_spread", "stages")):
            if given.get(name) and other not in {*given, *unused} and not getattr(self, other):
                raise ValueError(f"{name} needs {other}, which is 0, got {given[name]}: give both")

    @property
    def of_series(self) -> bool:
        """Whether real values are forecast, and not symbols."""
        return issubclass(task_class(self.task), Forecast)

    @cached_property
    def schedule(self) -> Schedule:
        """What changes from step to step."""
        return Schedule(self)

    def build_task(self, length: int | None = None) -> BaseTask:
        """The task with its options.

        Args:
            length: Of its sequences, if not that of the options.
        """
        options = self.task_options if length is None else {**self.task_options, "length": length}
        return build_task(self.task, options)

    def build_model(
        self, device: torch.device | None = None, *, trial: int = 0
    ) -> RecurrentNetwork | Forecaster:
        """The untrained network, its parameters drawn with ``seed``.

        Args:
            device: Where it lives, by default on the CPU.
            trial: Number of the trial, each of which has initial parameters of its own.

        Raises:
            ValueError: The network cannot be built, for example because the degree exceeds the
                number of controls.
        """
        values = {
            **{name: getattr(self, name) for name in CELL_SETTINGS},
            "initialisation": Initialisation(
                self.bias_spread, self.weight_spread, self.theta_spread
            ),
            "generator": self._generator(0, trial),
            "device": device,
            "dtype": getattr(torch, self.dtype),
        }
        accepted = constructor_arguments(self.task, self.cell)
        taken = {name: value for name, value in values.items() if name in accepted}
        taken |= self.cell_options
        if self.of_series:
            return self._forecaster(taken).to(device)
        return RecurrentNetwork(CELLS.make(self.cell, **taken), strategy=self.strategy).to(device)

    def sketch(self) -> RecurrentNetwork | Forecaster:
        """The network on the device ``meta``: its shapes, without memory for its numbers."""
        try:
            with torch.device("meta"):
                return self.build_model()
        except (RuntimeError, TypeError):  # A cell of one's own may need numbers to be made.
            return self.build_model()

    def _forecaster(self, arguments: dict[str, Any]) -> Forecaster:
        """The untrained network of a forecast, with a layer of these arguments."""
        with torch.device("cpu"):
            task = cast(Forecast, self.build_task())
        return make_forecaster(
            self.cell, features=task.features, targets=len(task.target_names), **arguments
        )

    def sizes(self, model: RecurrentNetwork | Forecaster) -> list[tuple[str, object]]:
        """What says how large the run's network is, by name."""
        if isinstance(model, RecurrentNetwork):
            return list(model.cell.sizes().items())
        used = constructor_arguments(self.task, self.cell)
        names = [name for name in CELL_SETTINGS if name in used]
        sizes = {name: getattr(self, name) for name in names} | dict(self.cell_options)
        return [("cell", self.cell), *sizes.items()]

    def batch_generator(self) -> torch.Generator:
        """The source of the batches at the start of a run, independent of the initialisation."""
        return self._generator(1)

    def step_seed(self, step: int, rank: int) -> int:
        """Of what the network itself draws in a step, as dropout does.

        Args:
            step: Optimiser steps taken before it.
            rank: Of the process, each of which has other rows.
        """
        seeds = np.random.SeedSequence(self.seed, spawn_key=(step, rank))
        return int(seeds.generate_state(1)[0])

    def _generator(self, stream: int, trial: int = 0) -> torch.Generator:
        key = (trial,) if trial else ()
        seeds = np.random.SeedSequence(self.seed, spawn_key=key).generate_state(2, np.uint64)
        return torch.Generator().manual_seed(int(seeds[stream]))


def _flat(config: RunConfig) -> dict[str, object]:
    """The fields and task options that stay the same for the whole of a run."""
    changeable = set(_CHANGEABLE)
    # Where validations can lead to a retreat or to the trial that goes on, they decide what a step
    # does, as the number of steps does where something is laid out over all of them.
    if config.laid_out_over_steps:
        changeable.remove("steps")
    if config.retreat is not None or config.restarts:
        changeable.remove("validate_every")
    values = {k: v for k, v in config.to_json().items() if k not in changeable}
    options: dict[str, object] = values.pop("task_options")
    return values | options


def _named(task: str | BaseTask | type[BaseTask]) -> tuple[str, dict[str, Any]]:
    """A task's name and the options that an object of it has."""
    if isinstance(task, str):
        return task, {}
    if isinstance(task, type):
        return TASKS.name_of(task), {}
    name = TASKS.name_of(type(task))
    return name, {option: getattr(task, option) for option in option_names(name)}
