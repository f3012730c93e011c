import re
import sys
import tomllib
from collections.abc import Collection
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from qrnn_circuits.optional_packages import EXTRAS, require_modules

ROOT = Path(__file__).parents[1]
PACKAGES = ("qrnn_circuits", "backends/qrnn_backends")
OTHERS = ("tests", "tools", "benchmarks", "examples", "docs", "conftest.py")
# To parse every file takes seconds.
IMPORT = re.compile(
    r"^ *(?:from (?=[\w.]+ import )|import (?=[\w.]+(?: as \w+)?$))(\w+)", re.MULTILINE
)
# Of modules that are not always installed, and are not called as the package is.
NAMES = {"tensorcircuit": "tensorcircuit-ng", "umap": "umap-learn"}


def imported(*places: str) -> dict[str, Path]:
    """The top module of every import that is not ours nor Python's, and a file that has it."""
    ours = {*sys.stdlib_module_names, *(Path(place).stem for place in (*PACKAGES, *OTHERS))}
    found: dict[str, Path] = {}
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")) or [ROOT / place]:
            found |= dict.fromkeys(IMPORT.findall(path.read_text(encoding="utf-8")), path)
    return {name: path for name, path in found.items() if name not in ours}


def requirements() -> dict[str, list[Requirement]]:
    """What is declared by extra; under no name what is always installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [Requirement(text) for text in lines] for extra, lines in texts.items()}


@pytest.mark.parametrize(
    ("places", "extras"),
    [(PACKAGES, {"", *EXTRAS.values()}), (OTHERS, requirements().keys())],
    ids=["packages", "others"],
)
def test_every_package_that_is_imported_is_declared(
    places: tuple[str, ...], extras: Collection[str]
) -> None:
    given = [each for extra in extras for each in requirements()[extra]]
    # An extra of another package installs what it is called after, as tensorcircuit-ng[jax] does.
    declared = {canonicalize_name(name) for each in given for name in (each.name, *each.extras)}
    installed = packages_distributions()
    undeclared = {
        name: path
        for name, path in imported(*places).items()
        if declared.isdisjoint(
            canonicalize_name(each) for each in installed.get(name, [NAMES.get(name, name)])
        )
    }
    assert undeclared == {}


@pytest.mark.parametrize("module", EXTRAS)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = EXTRAS[module]
    assert extra in (metadata("qrnn-circuits").get_all("Provides-Extra") or [])
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'{module} .* pip install "qrnn-circuits\[{extra}\]"'):
        require_modules(module)


def test_of_several_modules_the_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qiskit_aer", None)
    with pytest.raises(ImportError, match="qiskit_aer is needed"):
        require_modules("qiskit", "qiskit_aer")
