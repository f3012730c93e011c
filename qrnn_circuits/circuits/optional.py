"""Packages that only some features need."""

from importlib import import_module


def require_qiskit(*modules: str) -> None:
    """Checks that packages of the extra ``qiskit`` are installed.

    Args:
        modules: Names of the modules that are about to be imported; by default ``qiskit``.

    Raises:
        ImportError: If one is missing, with the command that installs it.
    """
    for module in modules or ("qiskit",):
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise ImportError(
                f'{module} is needed here and is not installed: pip install "qrnn-circuits[qiskit]"'
            ) from error
