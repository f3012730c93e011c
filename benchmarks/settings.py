"""Settings of runs that benchmarks share, also from their command lines."""

import ast
from collections.abc import Sequence
from typing import Any

# Options of the task for the ten digits by UMAP coordinates.
TEN_BY_UMAP = {"digits": "0-9", "reduce": "umap", "dims": 4, "resolution": 3}
SET_HELP = "settings in place of the recipe's, values as in Python"


def python_values(words: Sequence[str]) -> dict[str, Any]:
    """The settings in words such as ``steps=600`` or ``basis="parities"``.

    Raises:
        SystemExit: If a value is none.
    """
    pairs = [word.partition("=") for word in words]
    try:
        return {name: ast.literal_eval(value) for name, _, value in pairs}
    except (SyntaxError, ValueError):
        raise SystemExit(f"--set takes NAME=VALUE, with values as in Python, got {words}") from None
