"""Packages that only some features need."""

from importlib import import_module

EXTRAS = {
    "mthree": "mitigation",
    "optuna": "sweep",
    "qiskit": "qiskit",
    "qiskit_aer": "qiskit",
    "qiskit_ibm_runtime": "qiskit",
    "reservoirpy": "series",
    "umap": "umap",
}
"""The extra of this package that installs a module."""


def require_modules(*modules: str) -> None:
    """Checks that modules of optional packages are installed.

    Args:
        modules: Names of those that are about to be imported, keys of :data:`EXTRAS`.

    Raises:
        ImportError: If one is missing, with the command that installs it.
    """
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise ImportError(
                f"{module} is needed here and is not installed: "
                f'pip install "qrnn-circuits[{EXTRAS[module]}]"'
            ) from error
