"""Options of Qiskit Runtime's sampler, under its own names."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from math import ceil
from typing import TYPE_CHECKING, Any

from qrnn_circuits.optional_packages import require_qiskit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def sampler_options(
    options: Mapping[str, Any] | None,
    max_usage: float | None = None,
    mitigation: str | None = None,
) -> dict[str, Any]:
    """Checks options for the sampler.

    Args:
        options: As ``qiskit_ibm_runtime.SamplerOptions`` takes them, nested dictionaries for its
            groups: for example ``{"dynamical_decoupling": {"enable": True}, "twirling":
            {"enable_gates": True, "enable_measure": True}}``.
        max_usage: Seconds after which the service is to stop the job, unless ``options`` set
            ``max_execution_time``.
        mitigation: Of readout errors, by the device.

    Returns:
        The options as dictionaries.

    Raises:
        ImportError: If qiskit-ibm-runtime is not installed.
        TypeError: If ``options`` is no mapping.
        ValueError: If there is no option of a name, a value is not acceptable, results would not
            be bits, or measurements are twirled, but to be mitigated.
    """
    chosen: dict[str, Any] = {}
    if max_usage is not None:
        chosen["max_execution_time"] = ceil(max_usage)
    if options is None:
        return chosen
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a dictionary, got {options!r}")
    require_qiskit("qiskit_ibm_runtime")
    from qiskit_ibm_runtime import SamplerOptions

    _check_names(options, SamplerOptions(), "")
    if "simulator" in options:
        raise ValueError("options must not hold 'simulator': the device's noise and seed decide")
    if options.get("execution", {}).get("meas_type", "classified") != "classified":
        raise ValueError(
            "execution.meas_type must be 'classified', got "
            f"{options['execution']['meas_type']!r}: the device reads bits"
        )
    if mitigation is not None and options.get("twirling", {}).get("enable_measure"):
        raise ValueError(
            f"mitigation must be None with twirling.enable_measure, got {mitigation!r}: the chip's "
            "calibration data are of measurements that are not twirled"
        )
    try:
        SamplerOptions(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the sampler does not take these options: {error}") from error
    return chosen | {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in options.items()
    }


def check_decoupling(options: Mapping[str, Any], circuits: "Sequence[QuantumCircuit]") -> None:
    """Refuses what the service refuses: decoupling where circuits have conditions.

    Raises:
        ValueError: If so.
    """
    enabled = options.get("dynamical_decoupling", {}).get("enable", False)
    if enabled and any("if_else" in circuit.count_ops() for circuit in circuits):
        raise ValueError(
            "dynamical decoupling must not be enabled for circuits with conditions: the service "
            "does not take them together"
        )


def _check_names(options: Mapping[str, Any], accepted: Any, group: str) -> None:  # noqa: ANN401
    """Checks names by the fields of Qiskit's own classes."""
    names = [field.name for field in fields(accepted) if not field.name.startswith("_")]
    for name, value in options.items():
        if name not in names:
            near = get_close_matches(name, names, n=3)
            raise ValueError(
                f"the sampler has no option {group + name!r}; "
                + ("close names are " if near else "there are ")
                + ", ".join(group + near_name for near_name in near or names)
            )
        inner = getattr(accepted, name)
        if is_dataclass(inner):
            if not isinstance(value, Mapping):
                raise ValueError(f"option {group + name!r} must be a dictionary, got {value!r}")
            _check_names(value, inner, f"{group}{name}.")
