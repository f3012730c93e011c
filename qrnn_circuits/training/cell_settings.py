"""What a cell suits: settings of a run, by its constructor, and steps that are not read."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch import nn

from qrnn_circuits.cells import CELLS, Cell
from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.forecaster import LAYERS
from qrnn_circuits.network import RecurrentNetwork
from qrnn_circuits.registry import Registry
from qrnn_circuits.settings.run_settings import NOT_FOR_FORECASTS
from qrnn_circuits.tasks import BaseBatch, BaseTask, Batch, Forecast, Task
from qrnn_circuits.training.task_options import task_class

CELL_SETTINGS = (
    "hidden_size",
    "num_layers",
    "lane",
    "workspace",
    "stages",
    "order",
    "degree",
    "semantics",
    "basis",
)
# Sequences that are drawn to look at them.
_TRIED = 3
_SPREADS = ("bias_spread", "weight_spread", "theta_spread")
_SPARSITY = ("sparsity_weight", "prune_tolerance")


def cells_for(task: str) -> Registry[Any]:
    """The cells that a task's network can be made of."""
    return LAYERS if issubclass(task_class(task), Forecast) else CELLS


def find_cell(task: str, cell: str) -> Any:  # noqa: ANN401 - a class, a function or an object
    """What stands under the name of a cell that reads what a task's sequences hold.

    Args:
        task: Name of the task.
        cell: Name of the cell, without its options.

    Raises:
        ValueError: If there is no such cell, or it is for real values in place of symbols, or for
            symbols in place of real values.
    """
    cells = cells_for(task)
    of_series = cells is LAYERS
    if cell in cells.names() or cell not in (CELLS if of_series else LAYERS).names():
        found = cells.find(cell)
        # What makes a cell, in place of its class, tells its kind once it has made one.
        if not isinstance(found, type) or issubclass(found, Cell) is not of_series:
            return found
    kinds = "a layer called as torch.nn.RNN, for real values", "a Cell, for symbols"
    needed, got = kinds if of_series else kinds[::-1]
    raise ValueError(
        f"cell must be {needed}, since the task is {task!r}, but {cell!r} is {got}: take "
        f"{', '.join(cells.names())} or one of your own"
    )


def constructor_arguments(task: str, cell: str) -> Mapping[str, Any]:
    """The arguments of a cell's constructor.

    Raises:
        ValueError: If there is no such cell, or it is for other tasks, or is a layer that does not
            take its size by name.
    """
    accepted = signature(find_cell(task, cell)).parameters
    if cells_for(task) is LAYERS and "hidden_size" not in accepted:
        raise ValueError(
            f"cell must take the argument hidden_size by this name, but {cell!r} takes "
            f"{', '.join(map(str, accepted.values())) or 'nothing'}"
        )
    return accepted


def sizes_of_cell(task: str, cell: str) -> dict[str, int]:
    """The sizes that a cell takes in place of a recipe's, which are for other cells."""
    cells = cells_for(task)
    size = getattr(cells.find(_name(cells, cell)), "affordable_hidden_size", None)
    return {} if size is None else {"hidden_size": size}


def unused_settings(task: str, cell: str) -> list[str]:
    """The settings that a task or its cell has no use for."""
    cells = cells_for(task)
    cell = _name(cells, cell)
    accepted = set(constructor_arguments(task, cell))
    unused = [name for name in CELL_SETTINGS if name not in accepted]
    if "initialisation" not in accepted:
        unused += _SPREADS
    if cells is LAYERS:
        return list(dict.fromkeys([*unused, *NOT_FOR_FORECASTS]))
    # What makes an object of a cell, in place of its class, does not tell.
    method = getattr(cells.find(cell), "parity_angles", None)
    return [*unused, *(_SPARSITY if method is Cell.parity_angles else ())]


def check_given_once(given: Mapping[str, Any], cell_options: Mapping[str, Any]) -> None:
    """Raises a ``ValueError`` where a setting has another value among the options of the cell.

    Args:
        given: Settings that are given.
        cell_options: Arguments of the cell, which count before what settings say.
    """
    for name, value in cell_options.items():
        if given.get(name, value) != value:
            raise ValueError(
                f"{name} must be given once, got {given[name]!r} and, with the cell, {value!r}"
            )


def most_degree(task: BaseTask, workspace: int, lane: object) -> int | None:
    """The number of bits and features that a neuron's angle depends on, if the task tells."""
    if isinstance(task, Task):
        return workspace + (lane if isinstance(lane, int) else task.lane) - 1
    return workspace - 1 + task.features if isinstance(task, Forecast) else None


def _name(cells: Registry[Any], cell: object) -> str:
    """A cell's name without its options."""
    name, _ = cells.parse(cell if isinstance(cell, str) else cells.name_of(cell))
    return name


def check_batches(task: BaseTask, model: nn.Module, validation: BaseBatch) -> None:
    """Checks what a task draws, before a run begins.

    Raises:
        TypeError: It is no batch.
        ValueError: It has another size than was asked for, or fields of other shapes than one
            another, or steps are unread that the cell must read.
    """
    drawn = task.batch(_TRIED, torch.Generator().manual_seed(0))
    for method, batch in (("batch", drawn), ("validation", validation)):
        if not isinstance(batch, BaseBatch):
            raise TypeError(
                f"{method} of the task {task.name!r} must return a Batch, got {type(batch)}"
            )
        shapes = [tuple(each.shape) for each in batch.tensors]
        if isinstance(batch, Batch) and len(set(shapes)) > 1:
            raise ValueError(
                f"inputs, outcomes and scored must have one shape, (sequences, steps), but "
                f"{method} of the task {task.name!r} gives {', '.join(map(str, shapes))}"
            )
    if len(drawn) != _TRIED:
        raise ValueError(
            f"batch of the task {task.name!r} must return as many sequences as it is asked for, "
            f"{_TRIED}, got inputs of shape {tuple(drawn.inputs.shape)}"
        )
    _check_read(model, validation)


def _check_read(model: nn.Module, batch: BaseBatch) -> None:
    """Raises a ``ValueError`` where steps are unread that the cell must read."""
    if not (isinstance(model, RecurrentNetwork) and isinstance(batch, Batch)):
        return
    if type(model.cell).evolve is Cell.evolve and bool((batch.outcomes == UNREAD).any()):
        raise ValueError(
            f"the cell {type(model.cell).__name__} must be read at every step, and the task leaves "
            "steps unread: define the cell's method evolve, or give reading='every' to a task that "
            "has it"
        )
