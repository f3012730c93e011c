import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

PUBLIC = ("qrnn_circuits", *(f"qrnn_circuits.{name}" for name in ("circuits", "execution")))
PUBLIC += tuple(f"qrnn_circuits.{name}" for name in ("synthesis", "tasks", "training"))
ROOT = Path(__file__).parents[1]


def exported() -> Iterator[tuple[str, object]]:
    """Every exported class and function, and those that entry points name."""
    for module in map(import_module, PUBLIC):
        for name in module.__all__:
            yield f"{module.__name__}.{name}", getattr(module, name)
    for point in distribution("qrnn-circuits").entry_points:
        if point.group != "console_scripts":
            yield point.value, point.load()


def test_every_exported_name_has_an_example() -> None:
    # Constants and names of types have no docstring of their own.
    missing = [
        name
        for name, item in exported()
        if getattr(item, "__module__", "").startswith(("qrnn_circuits", "qrnn_backends"))
        and ">>> " not in (item.__doc__ or "")
    ]

    assert not missing, "\n".join(["no example:", *missing])


def test_docstrings_say_what_they_mean_where_they_stand() -> None:
    pointing = re.compile(r"\bSee there\b|\blikewise\b\.?|: As (for|in) [^.]*\.$", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("qrnn_circuits", "backends")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pointing.search(line)
    ]

    assert not found, "\n".join(["a docstring points elsewhere:", *found])
