"""Quantum recurrent neural networks as gate-level circuits, with a fast exact path for training."""

from typing import TYPE_CHECKING, Any

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.loss import sequence_loss
from qrnn_circuits.network import QRNN, QRNNOutput, ZeroProbabilityError
from qrnn_circuits.neuron import Initialisation, QuantumNeuron
from qrnn_circuits.polynomial import BooleanPolynomial
from qrnn_circuits.threads import worthwhile_threads

if TYPE_CHECKING:
    from qrnn_circuits.circuits.sequence import compile_circuit

__version__ = "0.1.0"

__all__ = [
    "QRNN",
    "BooleanPolynomial",
    "Initialisation",
    "QRNNCell",
    "QRNNOutput",
    "QuantumNeuron",
    "ZeroProbabilityError",
    "compile_circuit",
    "sequence_loss",
    "worthwhile_threads",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Imports PennyLane, which takes seconds, only for what needs it."""
    if name == "compile_circuit":
        from qrnn_circuits.circuits.sequence import compile_circuit

        return compile_circuit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
