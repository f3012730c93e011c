"""Gate-level circuits of a QRNN, built from PennyLane operations."""

from qrnn_circuits.circuits.cell import (
    Registers,
    cell_step,
    condition_lane,
    registers,
    step_distribution,
)
from qrnn_circuits.circuits.neuron import polynomial_rotation, postselected_neuron

__all__ = [
    "Registers",
    "cell_step",
    "condition_lane",
    "polynomial_rotation",
    "postselected_neuron",
    "registers",
    "step_distribution",
]
