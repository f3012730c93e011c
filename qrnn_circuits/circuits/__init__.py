"""Gate-level circuits of a QRNN, built from PennyLane operations."""

from qrnn_circuits.circuits.cell import (
    Registers,
    cell_step,
    condition_lane,
    registers,
    step_distribution,
)
from qrnn_circuits.circuits.draw import draw_step
from qrnn_circuits.circuits.inspection import Inspection, inspect_circuit
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.qiskit.convert import to_qiskit
from qrnn_circuits.circuits.qiskit.target import UnsupportedTargetError
from qrnn_circuits.circuits.realisations.amplified import amplification_error
from qrnn_circuits.circuits.realisations.base import (
    REALISATIONS,
    SEMANTICS,
    Realisation,
    ancilla_count,
)
from qrnn_circuits.circuits.realisations.repeat_until_success import (
    coherence,
    superposition_infidelity,
)
from qrnn_circuits.circuits.rotation import PolynomialRY
from qrnn_circuits.circuits.sequence import CompiledCircuit, compile_circuit

__all__ = [
    "REALISATIONS",
    "SEMANTICS",
    "CompiledCircuit",
    "Inspection",
    "NeuronOperation",
    "PolynomialRY",
    "Realisation",
    "Registers",
    "UnsupportedTargetError",
    "amplification_error",
    "ancilla_count",
    "cell_step",
    "coherence",
    "compile_circuit",
    "condition_lane",
    "draw_step",
    "inspect_circuit",
    "registers",
    "step_distribution",
    "superposition_infidelity",
    "to_qiskit",
]
