"""Synthesis of multiplexed rotations as sequences of gates, independent of any framework."""

from qrnn_circuits.synthesis.parity_basis import (
    Parity,
    parities_up_to,
    polynomial_to_parities,
    table_to_parities,
)
from qrnn_circuits.synthesis.parity_walk import ParityWalk, closed_walk, multiplexed_walk, open_walk
from qrnn_circuits.synthesis.steps import Mix, Rotate, Step, Toggle, two_qubit_gates

__all__ = [
    "Mix",
    "Parity",
    "ParityWalk",
    "Rotate",
    "Step",
    "Toggle",
    "closed_walk",
    "multiplexed_walk",
    "open_walk",
    "parities_up_to",
    "polynomial_to_parities",
    "table_to_parities",
    "two_qubit_gates",
]
