"""Simulation of jobs on a local model of a chip."""

from collections.abc import Sequence
from typing import Any

from qrnn_backends.ibm.sampling import Pub
from qrnn_backends.ibm.service import quiet
from qrnn_backends.qiskit_common.chip_model import chip_model


def simulate(name: str, pubs: Sequence[Pub], *, noise: bool, seed: int) -> Any:  # noqa: ANN401
    """Runs circuits in Qiskit Runtime's local testing mode, on their active qubits only.

    Args:
        name: Of the local model.
        pubs: What to run, on the chip's qubits.
        noise: Whether to simulate the chip's noise.
        seed: Of the simulator, at least 1: the sampler takes 0 for none.

    Returns:
        The sampler's result.
    """
    from qiskit_aer import AerSimulator
    from qiskit_ibm_runtime import SamplerV2

    circuits, simulator = chip_model(name).compact([pub.circuit for pub in pubs])
    if not noise:
        simulator = AerSimulator()
    with quiet():
        sampler = SamplerV2(mode=simulator, options={"simulator": {"seed_simulator": seed}})
        job = sampler.run(
            [pub.coercible(circuit) for pub, circuit in zip(pubs, circuits, strict=True)]
        )
    return job.result()
