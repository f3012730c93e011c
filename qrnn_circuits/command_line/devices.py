"""Devices by name, and what the user may mean where there is none of it."""

from collections.abc import Mapping
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pennylane as qml

_OWN = ("qrnn.torch", "qrnn.aer", "qrnn.ibm")


def make_device(name: str, wires: int | None, **options: Any) -> "qml.devices.Device":  # noqa: ANN401
    """Makes a PennyLane device.

    Args:
        name: As for ``qml.device``.
        wires: Number of wires, for a device that has to be told; others find them in each circuit.
            None where nobody knows it.
        options: Arguments of the device, without those that are None.

    Raises:
        ValueError: If there is no such device, what it needs is not installed, or it takes no such
            option; and whatever the device raises.
    """
    import pennylane as qml

    if name not in qml.plugin_devices:
        near = get_close_matches(name, qml.plugin_devices, n=3)
        raise ValueError(
            f"there is no device {name!r}"
            + (f"; close names are {', '.join(near)}" if near else "")
            + f". Installed are {', '.join(sorted(qml.plugin_devices))}"
        )
    try:
        accepted = _arguments(name)
    except ImportError as error:
        raise ValueError(f"device {name!r} cannot be loaded: {error}") from error
    given = {option: value for option, value in options.items() if value is not None}
    anything = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in accepted.values())
    for option, value in given.items():
        if option not in accepted and not anything:
            flag = option.replace("_", "-")
            able = [f"--device {other}" for other in _OWN if _takes(other, option)]
            raise ValueError(
                f"device {name!r} takes no --{flag}, got {value!r}"
                + (f": it is for {' or '.join(able)}" if able else "")
            )
        if option in accepted and _is_switch(accepted[option]) and value not in (True, False):
            raise ValueError(f"device {name!r} takes no name for {option}, got {value!r}")
    if "wires" in accepted and accepted["wires"].default is Parameter.empty:
        if wires is None:
            raise ValueError(
                f"device {name!r} must be told its number of wires, which a forecast does not say: "
                "take one that finds them in each circuit, such as qrnn.torch"
            )
        given["wires"] = wires
    try:
        return qml.device(name, **given)
    except (ImportError, qml.exceptions.DeviceError) as error:
        raise ValueError(f"device {name!r}: {error}") from error


def keeps_jobs(name: str) -> bool:
    """Whether results can be fetched from a device later; so of one that cannot be loaded."""
    import pennylane as qml

    try:
        return hasattr(qml.plugin_devices[name].load(), "fetch")
    except (ImportError, KeyError):
        return True


def _takes(name: str, option: str) -> bool:
    """Whether a device of this package takes an option that is more than a switch."""
    try:
        accepted = _arguments(name)
    except (ImportError, KeyError):
        return False
    return option in accepted and not _is_switch(accepted[option])


def _arguments(name: str) -> Mapping[str, Parameter]:
    """The arguments of a device's constructor."""
    import pennylane as qml

    return signature(qml.plugin_devices[name].load()).parameters


def _is_switch(parameter: Parameter) -> bool:
    return isinstance(parameter.default, bool)


def fake_chip(*names: str | None) -> str | None:
    """The first of some options that names a fake backend, whose calibration data are installed.

    Args:
        names: Of chips, as ``--noise`` and ``--backend`` take them.
    """
    from qrnn_circuits.circuits.qiskit.target import is_fake

    return next((name for name in names if name is not None and is_fake(name)), None)


def device_title(name: str, **options: str | None) -> str:
    """What reports call a device: its name and the options that tell it from others."""
    given = [f"{option} {value}" for option, value in options.items() if value is not None]
    return " ".join([name, f"({', '.join(given)})"]) if given else name
