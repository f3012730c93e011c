"""Packages that only some features need."""

from collections.abc import Iterable
from importlib import import_module


def require_qiskit(*modules: str) -> None:
    """Checks that packages of the extra ``qiskit`` are installed.

    Args:
        modules: Names of the modules that are about to be imported; by default ``qiskit``.

    Raises:
        ImportError: If one is missing, with the command that installs it.
    """
    _require("qiskit", modules or ("qiskit",))


def require_mthree() -> None:
    """Checks that mthree, of the extra ``mitigation``, is installed.

    Raises:
        ImportError: If it is not, with the command that installs it.
    """
    _require("mitigation", ("mthree",))


def require_optuna() -> None:
    """Checks that Optuna, of the extra ``sweep``, is installed.

    Raises:
        ImportError: If it is not, with the command that installs it.
    """
    _require("sweep", ("optuna",))


def require_umap() -> None:
    """Checks that umap-learn, of the extra ``umap``, is installed.

    Raises:
        ImportError: If it is not, with the command that installs it.
    """
    _require("umap", ("umap",))


def require_reservoirpy() -> None:
    """Checks that reservoirpy, of the extra ``series``, is installed.

    Raises:
        ImportError: If it is not, with the command that installs it.
    """
    _require("series", ("reservoirpy",))


def _require(extra: str, modules: Iterable[str]) -> None:
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise ImportError(
                f"{module} is needed here and is not installed: "
                f'pip install "qrnn-circuits[{extra}]"'
            ) from error
