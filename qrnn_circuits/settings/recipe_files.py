"""Files of recipes: tables of the settings with which a task trains well."""

from pathlib import Path
from typing import Any

from qrnn_circuits.bounded_readers.files import brief, read_toml


def built_in_recipes(task: str) -> Path:
    """The file of the recipes of a task of this package, whether there is one or not."""
    return Path(__file__).parents[1] / "tasks" / "recipes" / f"{task}.toml"


def recipe_tables(path: Path) -> dict[str, dict[str, Any]]:
    """The settings of each recipe in a file; none where there is no such file.

    Raises:
        ValueError: If the file is not TOML, or a recipe is to be as one that is no table.

    Example:
        >>> recipe_tables(built_in_recipes("xor"))["paper"]["workspace"]
        4
    """
    if not path.is_file():
        return {}
    tables = read_toml(path)
    return {name: _table(tables, name, path) for name in tables}


def _table(tables: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """The settings of a recipe, or of the one whose name stands in their place."""
    named = tables[name]
    table = tables.get(named) if isinstance(named, str) else named
    if not isinstance(table, dict):
        raise ValueError(
            f"{brief(name)} in {path} must be a table of settings or the name of one, got "
            f"{brief(repr(named))}"
        )
    return table
