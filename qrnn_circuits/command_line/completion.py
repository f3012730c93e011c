"""What a shell offers to complete: names of tasks, recipes, devices and chips.

A shell waits for the answer, so that it is found without importing torch, PennyLane or Qiskit.
"""

import tomllib
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

_RECIPES = Path(__file__).parents[1] / "tasks" / "recipes"


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
    """Tasks of this package, each with a file of recipes, and of installed ones."""
    own = [path.stem for path in _RECIPES.glob("*.toml")]
    return own + [point.name for point in entry_points(group="qrnn_circuits.tasks")]


def _recipes(task: str) -> list[str]:
    path = _RECIPES / f"{task}.toml"
    if not path.is_file():
        return []
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return [name for name, table in tables.items() if "refused" not in table]


def _chips() -> list[str]:
    """Local models of chips, which have a folder each."""
    spec = find_spec("qiskit_ibm_runtime")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent / "fake_provider" / "backends"
    return [f"fake_{path.parent.name}" for path in folder.glob("*/__init__.py")]
