"""Where a layer runs: its parameters on a device of PyTorch, its circuits on one of PennyLane."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

import torch

from qrnn_circuits.checks import as_integer

if TYPE_CHECKING:
    import pennylane as qml


def is_of_torch(device: object) -> TypeGuard[torch.device | str | None]:
    """Whether parameters can live there, rather than circuits be run.

    Example:
        >>> is_of_torch("cpu"), is_of_torch("qrnn.torch")
        (True, False)
    """
    if device is None or isinstance(device, torch.device):
        return True
    if not isinstance(device, str):
        return False
    try:
        torch.device(device)
    except RuntimeError:
        return False
    return True


def check_no_options(device: object, options: Mapping[str, object]) -> None:
    """Checks that nothing is given that only a quantum device has.

    Args:
        device: What is given for the device.
        options: Those of a quantum device.

    Raises:
        ValueError: If one of the options is not None.
    """
    if given := [name for name, value in options.items() if value is not None]:
        raise ValueError(
            f"{' and '.join(given)} must not be given without a quantum device, but device "
            f"is {device!r}: name one, such as 'qrnn.torch' or 'qrnn.aer'"
        )


def resolve_device(
    device: "qml.devices.Device | str", shots: int | None
) -> "tuple[qml.devices.Device, int | None]":
    """The device that runs circuits, and the number of shots of each.

    Args:
        device: A PennyLane device or the name of one.
        shots: By default those of the device itself.

    Raises:
        TypeError: If ``device`` is neither, or ``shots`` is no integer.
        ValueError: If ``shots`` is not positive, or the device has several numbers of shots.

    Example:
        >>> found, shots = resolve_device("qrnn.torch", 100)
        >>> found.name, shots
        ('qrnn.torch', 100)
    """
    import pennylane as qml

    if shots is not None:
        shots = as_integer("shots", shots, 1)
    found = qml.device(device) if isinstance(device, str) else device
    if not isinstance(found, qml.devices.Device):
        raise TypeError(
            "device must be a PennyLane device, its name, such as 'qrnn.aer', or where "
            f"parameters live, such as 'cpu', got a {type(found).__name__}"
        )
    own = found.shots
    if shots is None and own:
        if own.has_partitioned_shots:
            raise ValueError(
                f"device must have one number of shots, got {own.shot_vector}: give shots"
            )
        shots = own.total_shots
    return found, shots
