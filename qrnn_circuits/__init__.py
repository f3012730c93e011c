"""Quantum recurrent neural networks as gate-level circuits, with a fast exact path for training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qrnn_circuits.cells.base import PADDING as PADDING
    from qrnn_circuits.cells.base import UNREAD as UNREAD
    from qrnn_circuits.cells.base import Cell
    from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
    from qrnn_circuits.cells.qrnn import QRNNCell
    from qrnn_circuits.circuits.sequence import compile_circuit
    from qrnn_circuits.ensemble import Ensemble
    from qrnn_circuits.forecaster import make_forecaster
    from qrnn_circuits.layers.fast_weights import FastWeightProgrammer
    from qrnn_circuits.layers.qgru import QGRU
    from qrnn_circuits.layers.qlstm import QLSTM
    from qrnn_circuits.layers.qrnn import QRNNLayer
    from qrnn_circuits.layers.recurrent_circuit import RecurrentCircuitLayer
    from qrnn_circuits.layers.reservoir import QuantumReservoir
    from qrnn_circuits.loss import sequence_loss
    from qrnn_circuits.network import QRNN, QRNNOutput, RecurrentNetwork, ZeroProbabilityError
    from qrnn_circuits.neuron import Initialisation, QuantumNeuron
    from qrnn_circuits.polynomial import BooleanPolynomial
    from qrnn_circuits.threads import worthwhile_threads
    from qrnn_circuits.training.evaluation import load_run
    from qrnn_circuits.training.pretrained import load_pretrained

__version__ = "0.2.0"

__all__ = [
    "PADDING",
    "QGRU",
    "QLSTM",
    "QRNN",
    "UNREAD",
    "BooleanPolynomial",
    "Cell",
    "Ensemble",
    "FastWeightProgrammer",
    "FeatureQRNNCell",
    "Initialisation",
    "QRNNCell",
    "QRNNLayer",
    "QRNNOutput",
    "QuantumNeuron",
    "QuantumReservoir",
    "RecurrentCircuitLayer",
    "RecurrentNetwork",
    "ZeroProbabilityError",
    "compile_circuit",
    "load_pretrained",
    "load_run",
    "make_forecaster",
    "sequence_loss",
    "worthwhile_threads",
]


_MODULES = {
    "QGRU": "layers.qgru",
    "QLSTM": "layers.qlstm",
    "QRNN": "network",
    "PADDING": "cells.base",
    "UNREAD": "cells.base",
    "BooleanPolynomial": "polynomial",
    "Cell": "cells.base",
    "Ensemble": "ensemble",
    "FastWeightProgrammer": "layers.fast_weights",
    "FeatureQRNNCell": "cells.feature_qrnn",
    "Initialisation": "neuron",
    "QRNNCell": "cells.qrnn",
    "QRNNLayer": "layers.qrnn",
    "QRNNOutput": "network",
    "QuantumNeuron": "neuron",
    "QuantumReservoir": "layers.reservoir",
    "RecurrentCircuitLayer": "layers.recurrent_circuit",
    "RecurrentNetwork": "network",
    "ZeroProbabilityError": "network",
    "compile_circuit": "circuits.sequence",
    "load_pretrained": "training.pretrained",
    "load_run": "training.evaluation",
    "make_forecaster": "forecaster",
    "sequence_loss": "loss",
    "worthwhile_threads": "threads",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Imports torch and PennyLane, which take seconds, only for what needs them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names of the module, also those that are not imported yet."""
    return sorted({*globals(), *_MODULES})
