"""Recurrent cells: one step of a network each."""

from qrnn_circuits.cells.base import Cell, CircuitStage, NeuronFactory, symbol_flips
from qrnn_circuits.cells.feature_qrnn import FeatureQRNNCell
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.registry import Registry

CELLS = Registry[Cell]("cell", "qrnn_circuits.cells", Cell)
"""Every cell by its name on the command line."""

CELLS.register("qrnn", QRNNCell)


def register_cell(name: str, cell: type[Cell]) -> None:
    """Makes a cell known by a name in this process.

    An installed package names its cells as entry points of the group ``qrnn_circuits.cells``.

    Args:
        name: The name.
        cell: The class. Its constructor takes ``lane`` and whichever it needs of ``workspace``,
            ``stages``, ``order``, ``degree``, ``semantics``, ``initialisation``, ``generator``,
            ``device`` and ``dtype`` by these names.

    Raises:
        ValueError: If the name is not allowed or stands for another cell already.
    """
    CELLS.register(name, cell)


__all__ = [
    "CELLS",
    "Cell",
    "CircuitStage",
    "FeatureQRNNCell",
    "NeuronFactory",
    "QRNNCell",
    "register_cell",
    "symbol_flips",
]
