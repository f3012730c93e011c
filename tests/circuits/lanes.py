"""What shots and models say of a step's lane."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator

from qrnn_circuits import QRNN
from qrnn_circuits.circuits.compiled import CompiledCircuit


def aer_counts(circuit: QuantumCircuit, shots: int) -> dict[str, int]:
    simulator = AerSimulator(seed_simulator=7, max_parallel_threads=1)
    counts: dict[str, int] = simulator.run(circuit, shots=shots).result().get_counts()
    return counts


def lane_shares(circuit: CompiledCircuit, step: int, shots: int) -> tuple[NDArray[np.float64], int]:
    """Distribution of one step's outcome among the kept shots, and their number."""
    kept = circuit.kept(aer_counts(circuit.to_qiskit(), shots))
    total = sum(kept.values())
    shares = np.zeros(2**circuit.model.cell.lane)
    for outcomes, count in kept.items():
        shares[outcomes[step]] += count / total
    return shares, total


def model_distribution(
    model: QRNN, inputs: Sequence[int], outcomes: Sequence[int]
) -> NDArray[np.float64]:
    """Of the last step, given the outcomes of those before it."""
    with torch.no_grad():
        output = model(torch.tensor([inputs]), torch.tensor([[*outcomes, 0]]))
    return np.asarray(output.log_probs[0, -1].exp())


def within_error(
    measured: NDArray[np.float64], expected: NDArray[np.float64], shots: int, bias: float = 0.0
) -> bool:
    error = np.sqrt(expected * (1 - expected) / shots)
    return bool((np.abs(measured - expected) <= 4 * error + bias).all())
