"""Settings with which a task trains well, from a file beside the task.

A task of the name ``xor`` has its recipes in ``recipes/xor.toml`` in the folder of its module: a
table for each recipe, whose keys are fields of :class:`~qrnn_circuits.training.RunConfig`. By
convention ``default`` is for learning well, ``paper`` has the settings of Bausch, arXiv:2006.14619,
and ``chip`` is for networks that keep their shots and need few gates. Where a task has several
default recipes, as for different data, a table ``chip-NAME`` is what ``chip`` means where NAME is
the default. A recipe that has the settings of another one is its name in place of a table; a table
whose only key is ``refused`` says why a task has no such recipe, and what to take in its place.
"""

import sys
from pathlib import Path
from typing import Any

from qrnn_circuits.bounded_readers.files import brief
from qrnn_circuits.checks import errors_in
from qrnn_circuits.settings.recipe_files import recipe_tables
from qrnn_circuits.settings.run_settings import check_fields
from qrnn_circuits.tasks.base import BaseTask

# So many characters of why a recipe is refused are shown.
_REASON = 400


def read_recipes(task: type[BaseTask]) -> dict[str, dict[str, Any]]:
    """Reads the recipes of a task, which may have none.

    Args:
        task: Its class.

    Returns:
        The settings of each recipe.

    Raises:
        ValueError: If the file is not TOML, or a recipe is to be as one that is no table.
    """
    # A notebook is a module without a file.
    module = getattr(sys.modules.get(task.__module__), "__file__", None)
    if module is None:
        return {}
    return recipe_tables(Path(module).parent / "recipes" / f"{task.name}.toml")


def choose_recipe(task: BaseTask, name: str | None = None) -> dict[str, Any]:
    """The settings of one recipe.

    Args:
        task: The task.
        name: Name of the recipe, or ``"none"`` for no settings at all; by default, and for
            ``"default"``, the one that the task itself names.

    Raises:
        TypeError: If its task options are not a table.
        ValueError: If the task has no such recipe; where the file says why, in its words. If it
            has an entry that is no setting.
    """
    recipes = read_recipes(type(task)) | {"none": {}}
    own = task.default_recipe
    for chosen in (own,) if name in (None, "default") else (f"{name}-{own}", name):
        if chosen in recipes:
            if reason := recipes[chosen].get("refused"):
                raise ValueError(
                    f"recipe {name or own!r} is refused for {task.name}: {brief(reason, _REASON)}"
                )
            with errors_in(f"recipe {chosen!r} of {task.name}"):
                check_fields(recipes[chosen])
            return recipes[chosen]
    if name is None:
        return {}
    known = brief(", ".join(recipes), _REASON)
    raise ValueError(f"recipe must be one of {known} for {task.name}, got {name!r}")
