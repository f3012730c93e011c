"""Recurrent layers of quantum cells, called as those of PyTorch."""

from qrnn_circuits.layers.base import RecurrentLayer
from qrnn_circuits.layers.qgru import QGRU
from qrnn_circuits.layers.qlstm import QLSTM
from qrnn_circuits.layers.qrnn import QRNNLayer

__all__ = ["QGRU", "QLSTM", "QRNNLayer", "RecurrentLayer"]
