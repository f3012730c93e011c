import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from qrnn_circuits.optional_packages import EXTRAS, require_modules

ROOT = Path(__file__).parents[1]


def imported() -> Iterator[str]:
    """The top module of every import of both packages."""
    for folder in ("qrnn_circuits", "backends"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name.partition(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield node.module.partition(".")[0]


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = list(project["dependencies"])
    for extra in {*EXTRAS.values()}:
        texts += project["optional-dependencies"][extra]
    declared = {canonicalize_name(Requirement(text).name) for text in texts}
    found = packages_distributions()
    needed = {canonicalize_name(name) for each in {*imported()} for name in found.get(each, [])}
    # Qiskit Runtime's options raise the errors of pydantic.
    assert needed - {"qrnn-circuits", "pydantic"} <= declared


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
