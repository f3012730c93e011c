"""Recurrent layers of quantum cells, called as those of PyTorch."""

from qrnn_circuits.forecaster import LAYERS, register_layer
from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.capacity import information_processing_capacity, memory_capacity
from qrnn_circuits.layers.fast_weights import FastWeightProgrammer
from qrnn_circuits.layers.hybrid import CircuitBank, HybridCell, HybridLayer
from qrnn_circuits.layers.qgru import QGRU
from qrnn_circuits.layers.qlstm import QLSTM
from qrnn_circuits.layers.qrnn import QRNNLayer
from qrnn_circuits.layers.recurrent_circuit import RecurrentCircuitLayer
from qrnn_circuits.layers.reservoir import QuantumReservoir
from qrnn_circuits.layers.steps import Steps

__all__ = [
    "LAYERS",
    "QGRU",
    "QLSTM",
    "CircuitBank",
    "FastWeightProgrammer",
    "HybridCell",
    "HybridLayer",
    "QRNNLayer",
    "QuantumReservoir",
    "RecurrentCircuitLayer",
    "RecurrentLayer",
    "Steps",
    "information_processing_capacity",
    "memory_capacity",
    "register_layer",
]
