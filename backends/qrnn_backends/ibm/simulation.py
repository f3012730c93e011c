"""Simulation of jobs on a local model of a chip."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from qrnn_backends.ibm.sampler import preferred_sampler
from qrnn_backends.ibm.sampling import Pub
from qrnn_backends.qiskit_common.aer_failures import (
    SimulationError,
    failures_not_logged,
    without_idle_qubits,
)
from qrnn_backends.qiskit_common.aer_seeds import SEEDS_OF_A_CIRCUIT
from qrnn_backends.qiskit_common.chip_model import chip_model


def simulate(name: str, pubs: Sequence[Pub], *, noise: bool, seed: int) -> list[Any]:
    """Runs circuits in Qiskit Runtime's local testing mode, on their active qubits only.

    Args:
        name: Of the local model.
        pubs: What to run, on the chip's qubits.
        noise: Whether to simulate the chip's noise.
        seed: Of the simulator, at least 1: the sampler takes 0 for none.

    Returns:
        The sampler's result of each circuit.

    Raises:
        SimulationError: If Aer fails, for instance for want of memory.
    """
    from qiskit_aer import AerSimulator

    circuits, simulator = chip_model(name).compact([pub.circuit for pub in pubs])
    if not noise:
        simulator = AerSimulator()
    kind = preferred_sampler()

    def run(content: tuple[Any, ...], own: int, truncated: bool) -> Any:  # noqa: ANN401
        simulator.set_options(enable_truncation=truncated)
        sampler = kind.sampler(
            mode=simulator, options={"simulator": {"seed_simulator": own, **kind.local}}
        )
        with failures_not_logged() as reasons:
            try:
                found = sampler.run([content]).result()
            except Exception:  # Whatever the sampler makes of results that are not there.
                if not reasons:
                    raise
        if reasons:
            raise SimulationError(reasons[-1])
        return found

    # The rows of a circuit are one run of Aer.
    parts = [
        [pub.part(row, row + 1) for row in range(len(pub.places))]
        if pub.shots > SEEDS_OF_A_CIRCUIT
        else [pub]
        for pub in pubs
    ]
    # With one seed for all, circuits that are alike would give the same shots.
    seeds = iter(np.random.default_rng(seed).integers(1, 2**31, size=sum(map(len, parts))))
    results: list[Any] = []
    for rows, circuit in zip(parts, circuits, strict=True):
        found: list[Any] = []
        for part in rows:
            content = part.coercible(circuit)
            found += without_idle_qubits([circuit], partial(run, content, int(next(seeds))))
        results.append(_joined(found))
    return results


def _joined(rows: Sequence[Any]) -> Any:  # noqa: ANN401
    """The sampler's result of a circuit from those of its rows."""
    if len(rows) == 1:
        return rows[0]
    from qiskit.primitives import BitArray, DataBin, SamplerPubResult

    bits = {name: BitArray.concatenate([row.data[name] for row in rows]) for name in rows[0].data}
    return SamplerPubResult(DataBin(**bits, shape=(len(rows),)))
