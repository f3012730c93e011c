import sys
from importlib.metadata import metadata

import pytest

from qrnn_circuits.optional_packages import EXTRAS, require_modules


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
