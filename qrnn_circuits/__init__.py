"""Quantum recurrent neural networks as gate-level circuits, with a fast exact path for training."""

from qrnn_circuits.cell import QRNNCell
from qrnn_circuits.loss import sequence_loss
from qrnn_circuits.network import QRNN, QRNNOutput, ZeroProbabilityError
from qrnn_circuits.neuron import Initialisation, QuantumNeuron
from qrnn_circuits.polynomial import BooleanPolynomial

__version__ = "0.1.0"

__all__ = [
    "QRNN",
    "BooleanPolynomial",
    "Initialisation",
    "QRNNCell",
    "QRNNOutput",
    "QuantumNeuron",
    "ZeroProbabilityError",
    "sequence_loss",
]
