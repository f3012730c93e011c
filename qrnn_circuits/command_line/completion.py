"""What a shell offers to complete: names of tasks, recipes, devices and chips.

A shell waits for the answer, so that it is found without importing torch, PennyLane or Qiskit.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path


def completions(command: str, words: Sequence[str], incomplete: str) -> list[str]:
    """Names that a word may become, none where it is no name.

    Args:
        command: Name of the command.
        words: Those between the command and the word.
        incomplete: The word, as far as it is written.

    Example:
        >>> completions("train", ["xor", "--recipe"], "p")
        ['paper']
    """
    names: Iterable[str] = []
    match words[-1:]:
        case ["--device"]:
            from importlib.metadata import entry_points

            names = (point.name for point in entry_points(group="pennylane.plugins"))
        case ["--noise"]:
            names = _chips()
        case ["--backend"]:
            names = _chips() if command == "inspect" else ["least_busy", *_chips()]
        case ["--recipe"]:
            tasks = _tasks()
            given = [word for word in words if word in tasks]
            names = ["none", *(name for task in given or tasks for name in _recipes(task))]
        case [] if command in ("train", "sweep"):
            names = _tasks()
    return sorted({name for name in names if name.startswith(incomplete)})


def _tasks() -> list[str]:
    """Tasks of this package and installed ones."""
    from qrnn_circuits.settings.built_in_tasks import TASK_OPTIONS

    return list(TASK_OPTIONS.names())


def _recipes(task: str) -> list[str]:
    from qrnn_circuits.settings.recipe_files import built_in_recipes, recipe_tables

    tables = recipe_tables(built_in_recipes(task))
    return [name for name, table in tables.items() if "refused" not in table]


def _chips() -> list[str]:
    """Local models of chips, which have a folder each."""
    from importlib.util import find_spec

    spec = find_spec("qiskit_ibm_runtime")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "fake_provider" / "backends"
    return [f"fake_{path.parent.name}" for path in folder.glob("*/__init__.py")]
