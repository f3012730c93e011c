"""Qiskit Runtime's samplers: the one that prepares jobs on this machine, and ``SamplerV2``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qrnn_circuits.circuits.qiskit.mid_circuit import mid_circuit_instructions, plain_name
from qrnn_circuits.optional_packages import require_modules

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True)
class SamplerKind:
    """One of the samplers.

    Attributes:
        name: What messages call it.
        sampler: Its class.
        options: The class of its options.
        local: What its simulation on this machine needs besides a seed.
    """

    name: str
    sampler: Any
    options: Any
    local: Mapping[str, Any]


def preferred_sampler() -> SamplerKind:
    """The sampler that Qiskit Runtime's executor runs, or ``SamplerV2`` where it is not installed.

    Raises:
        ImportError: If qiskit-ibm-runtime is not installed.
    """
    require_modules("qiskit_ibm_runtime")
    try:
        from qiskit_ibm_runtime.executor_sampler import Sampler
        from qiskit_ibm_runtime.options_models import SamplerOptions
    except ImportError:
        return server_side_sampler()
    # By default it rounds angles to 5 decimals of a quarter turn.
    return SamplerKind("executor_sampler.Sampler", Sampler, SamplerOptions, {"angle_decimals": 15})


def server_side_sampler() -> SamplerKind:
    """``SamplerV2``, which has the service prepare jobs."""
    from qiskit_ibm_runtime import SamplerOptions, SamplerV2

    return SamplerKind("SamplerV2", SamplerV2, SamplerOptions, {})


def sampler_for(options: Mapping[str, Any], circuits: "Sequence[QuantumCircuit]") -> SamplerKind:
    """The sampler for a job.

    The executor's sampler twirls on this machine, and not around conditions, nor measurements whose
    qubits are used again: such jobs need the service's twirling.

    Args:
        options: Of the sampler.
        circuits: Of the job.
    """
    twirling = options.get("twirling", {})
    gates, measurements = twirling.get("enable_gates"), twirling.get("enable_measure")
    if (gates or measurements) and any(
        "if_else" in circuit.count_ops() or (measurements and _measures_inside(circuit))
        for circuit in circuits
    ):
        return server_side_sampler()
    return preferred_sampler()


def _measures_inside(circuit: "QuantumCircuit") -> bool:
    return any(plain_name(name) == "measure" for name in mid_circuit_instructions(circuit))
