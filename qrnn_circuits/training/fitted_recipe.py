"""What a recipe recommends to a run as it is wanted; the rest is for runs of other settings."""

from collections.abc import Mapping
from typing import Any, cast

from qrnn_circuits.settings.run_settings import NOT_FOR_LBFGS, RunSettings, merge
from qrnn_circuits.tasks.recipes import choose_recipe
from qrnn_circuits.training.cell_settings import most_degree, sizes_of_cell, unused_settings
from qrnn_circuits.training.task_options import build_task

# What recipes say is for their optimiser.
_FOR_ONE_OPTIMIZER = ("learning_rate", "readout_learning_rate", "decay")


def fitted_recipe(task: str, given: Mapping[str, Any], recipe: str | None = None) -> dict[str, Any]:
    """The settings of a recipe that are for a run of which some settings are given.

    The recipe's learning rates go with its optimizer, that of the readout with the other, and
    settings that the cell has no use for are left out, as are the spreads of biases and weights
    where either the recipe's neurons or those of the run are of order 0, and pruning where it is
    not for the neurons. Neurons of order 0 are unitary. A layer of which each value is a wire has a
    size of its own, and a smaller workspace has the highest degree that there is.

    Args:
        task: Name of the task.
        given: Fields of :class:`~qrnn_circuits.settings.run_settings.RunSettings`, with
            ``task_options``.
        recipe: Name of the recipe, or ``"none"``; by default the one that the task names.

    Returns:
        Fields, with ``task_options``.

    Raises:
        TypeError: A task option has the wrong type.
        ValueError: The task has no such recipe, or an option is not acceptable.

    Example:
        >>> "learning_rate" in fitted_recipe("xor", {"task_options": {}, "optimizer": "sgd"})
        False
    """
    recommended = merge(task, choose_recipe(build_task(task, given["task_options"]), recipe))
    cell = given.get("cell", RunSettings.cell)
    unsuited = unused_settings(task, cell)
    if given.get("optimizer") == "lbfgs":
        unsuited += NOT_FOR_LBFGS
    optimizer = recommended.get("optimizer", RunSettings.optimizer)
    if given.get("optimizer", optimizer) != optimizer:
        unsuited += _FOR_ONE_OPTIMIZER
    if "learning_rate" in given:
        unsuited += ("readout_learning_rate",)
    order = recommended.get("order", RunSettings.order)
    if (given.get("order", order) == 0) != (order == 0):
        unsuited += ("bias_spread", "weight_spread")
    if not given.get("order", order):
        recommended["semantics"] = "unitary"
    elif given.get("semantics", recommended.get("semantics", RunSettings.semantics)) == "unitary":
        unsuited += ("prune_tolerance",)
    recommended |= sizes_of_cell(task, cell)
    options = recommended["task_options"] | given["task_options"]
    _fit(task, recommended, {**given, "task_options": options})
    return {name: value for name, value in recommended.items() if name not in unsuited}


def _fit(task: str, recommended: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Leaves out what a recipe says of more steps, longer sequences or larger cells than wanted."""
    # What is no number here is refused with all settings.
    numbers = given.get("steps"), recommended.get("restarts"), recommended.get("restart_after")
    steps, restarts, each = cast(tuple[int, int, int], numbers)
    if all(isinstance(number, int) for number in numbers) and steps < (restarts + 1) * each:
        del recommended["restarts"], recommended["restart_after"]
    length, lengths = given["task_options"].get("length"), recommended.get("curriculum")
    if isinstance(length, int) and isinstance(lengths, str):
        shorter = [text for text in lengths.split(",") if int(text) < length]
        recommended["curriculum"] = ",".join(shorter) or None
    workspace, degree = given.get("workspace"), recommended.get("degree")
    if isinstance(workspace, int) and isinstance(degree, int):
        built = build_task(task, given["task_options"])
        if most := most_degree(built, workspace, given.get("lane")):
            recommended["degree"] = min(degree, most)
