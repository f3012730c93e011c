"""Gate-level circuits of a QRNN, built from PennyLane operations."""

from qrnn_circuits.circuits.amplified import amplification_error
from qrnn_circuits.circuits.cell import (
    Registers,
    cell_step,
    condition_lane,
    registers,
    step_distribution,
)
from qrnn_circuits.circuits.compile import compile
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.draw import draw_step
from qrnn_circuits.circuits.inspect import Inspection, inspect
from qrnn_circuits.circuits.quantum_neuron import QuantumNeuron
from qrnn_circuits.circuits.realisation import REALISATIONS, SEMANTICS, Realisation, ancilla_count
from qrnn_circuits.circuits.repeat_until_success import coherence, superposition_infidelity
from qrnn_circuits.circuits.rotation import PolynomialRY
from qrnn_circuits.circuits.target import UnsupportedTargetError
from qrnn_circuits.circuits.to_qiskit import to_qiskit

__all__ = [
    "REALISATIONS",
    "SEMANTICS",
    "CompiledCircuit",
    "Inspection",
    "PolynomialRY",
    "QuantumNeuron",
    "Realisation",
    "Registers",
    "UnsupportedTargetError",
    "amplification_error",
    "ancilla_count",
    "cell_step",
    "coherence",
    "compile",
    "condition_lane",
    "draw_step",
    "inspect",
    "registers",
    "step_distribution",
    "superposition_infidelity",
    "to_qiskit",
]
