"""PennyLane devices that run QRNN circuits: ``qrnn.torch``, ``qrnn.aer`` and ``qrnn.ibm``.

There is a folder for each device, and in it the same file name for the same role: ``device`` is the
PennyLane device, ``preprocess`` makes tapes ready for it, ``simulation`` is what runs them,
``sampling`` gives results from shots and ``exact`` without. ``qiskit_common`` has what ``qrnn.aer``
and ``qrnn.ibm`` share; the files beside the folders, what all devices do.

    >>> import pennylane as qml
    >>> qml.device("qrnn.torch").name
    'qrnn.torch'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qrnn_backends.aer.device import AerDevice
    from qrnn_backends.ibm.device import IBMDevice
    from qrnn_backends.torch.device import TorchDevice

__all__ = ["AerDevice", "IBMDevice", "TorchDevice"]

_MODULES = {"AerDevice": "aer", "IBMDevice": "ibm", "TorchDevice": "torch"}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Imports a device only when it is asked for: each needs other packages."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}.device"), name)
