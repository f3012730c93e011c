"""Builds the package, installs it into an empty environment and uses it there.

Run by ``python -m tools.package``. The wheel is built from the sdist; both must hold every file of
the two packages, once.
"""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
PACKAGES = ("qrnn_circuits", "backends/qrnn_backends")


def source_files() -> list[str]:
    """Every file of both packages in the checkout, from its root."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def check_archives(sdist: Path, wheel: Path) -> None:
    """Compares what the archives hold with the checkout.

    Raises:
        ValueError: If a file is missing, is one too many or occurs twice.
    """
    expected = source_files()
    with tarfile.open(sdist) as archive:
        paths = [PurePosixPath(file.name) for file in archive if file.isfile()]
    inside = [path.relative_to(path.parts[0]).as_posix() for path in paths]
    packed = [name for name in inside if name.startswith(tuple(f"{p}/" for p in PACKAGES))]
    _check_same(sdist, packed, expected)
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    _check_same(wheel, names, [name.removeprefix("backends/") for name in expected])


def _check_same(archive: Path, names: list[str], expected: list[str]) -> None:
    if sorted(names) != sorted(expected):
        twice = {name for name in names if names.count(name) > 1}
        raise ValueError(
            f"{archive.name} must hold the files of the packages once: "
            f"missing {sorted(set(expected) - set(names))}, "
            f"too many {sorted(set(names) - set(expected))}, twice {sorted(twice)}"
        )


def main() -> None:
    """Builds, compares, installs and uses the package in a temporary folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        _run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
        (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
        check_archives(sdist, wheel)
        environment = folder / "environment"
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        # Most modules are never imported here: to compile them all would take half of the time.
        options = ("--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt")
        package = f"qrnn-circuits[qiskit] @ {wheel.as_uri()}"
        _run(python, "-m", "pip", "install", *options, package, cwd=folder)
        # Isolated: without PYTHONPATH, and without the script's own folder.
        _run(python, "-I", ROOT / "tools" / "first_use.py", cwd=folder)


def _run(*command: str | Path, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True)


if __name__ == "__main__":
    main()
