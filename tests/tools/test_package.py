import tarfile
import zipfile
from pathlib import Path

import pytest

from tools.package import ROOT, check_archives, source_files


def pack(folder: Path, wheel_names: list[str]) -> tuple[Path, Path]:
    """An sdist of everything, and a wheel of some files."""
    sdist, wheel = folder / "qrnn.tar.gz", folder / "qrnn.whl"
    with tarfile.open(sdist, "w:gz") as tar:
        for name in source_files():
            tar.add(ROOT / name, arcname=f"qrnn-0/{name}")
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in wheel_names:
            archive.writestr(name, "")
    return sdist, wheel


@pytest.fixture
def wheel_names() -> list[str]:
    return [name.removeprefix("backends/") for name in source_files()]


def test_archives_of_all_files_are_accepted(tmp_path: Path, wheel_names: list[str]) -> None:
    check_archives(*pack(tmp_path, [*wheel_names, "qrnn-0.dist-info/RECORD"]))


def test_missing_and_surplus_files_are_named(tmp_path: Path, wheel_names: list[str]) -> None:
    wheel_names.remove("qrnn_circuits/py.typed")

    with pytest.raises(ValueError, match=r"missing \['qrnn_circuits/py.typed'\].*\['tests/a.py'\]"):
        check_archives(*pack(tmp_path, [*wheel_names, "tests/a.py"]))
