"""Gate-level circuits of a QRNN, built from PennyLane operations."""

from qrnn_circuits.circuits.cell import Registers, cell_step, condition_lane, registers
from qrnn_circuits.circuits.compiled import CompiledCircuit
from qrnn_circuits.circuits.draw import draw_step, draw_text
from qrnn_circuits.circuits.inspection import Inspection, inspect_circuit
from qrnn_circuits.circuits.neuron import NeuronOperation, expand_neurons
from qrnn_circuits.circuits.qiskit.convert import to_qiskit
from qrnn_circuits.circuits.qiskit.resources import resources
from qrnn_circuits.circuits.qiskit.target import UnsupportedTargetError
from qrnn_circuits.circuits.realisations import (
    REALISATIONS,
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
    register_realisation,
)
from qrnn_circuits.circuits.rotation import PolynomialRY
from qrnn_circuits.circuits.sequence import compile_circuit
from qrnn_circuits.circuits.tapes import readings_of

__all__ = [
    "REALISATIONS",
    "Amplified",
    "CompiledCircuit",
    "Inspection",
    "Multiplexed",
    "NeuronOperation",
    "PolynomialRY",
    "Postselect",
    "Realisation",
    "Registers",
    "RepeatUntilSuccess",
    "UnsupportedTargetError",
    "cell_step",
    "compile_circuit",
    "condition_lane",
    "draw_step",
    "draw_text",
    "expand_neurons",
    "inspect_circuit",
    "readings_of",
    "register_realisation",
    "registers",
    "resources",
    "to_qiskit",
]
