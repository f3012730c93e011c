import sys
from collections.abc import Callable

import pytest

from qrnn_circuits.optional_packages import (
    require_mthree,
    require_optuna,
    require_qiskit,
    require_reservoirpy,
    require_umap,
)


@pytest.mark.parametrize(
    ("require", "module", "extra"),
    [
        (require_qiskit, "qiskit", "qiskit"),
        (require_mthree, "mthree", "mitigation"),
        (require_optuna, "optuna", "sweep"),
        (require_umap, "umap", "umap"),
        (require_reservoirpy, "reservoirpy", "series"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    require: Callable[[], None], module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'{module} .* pip install "qrnn-circuits\[{extra}\]"'):
        require()


def test_of_several_modules_the_missing_one_is_named() -> None:
    with pytest.raises(ImportError, match="absent_module is needed"):
        require_qiskit("qiskit", "absent_module")
