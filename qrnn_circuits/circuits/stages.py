"""The stages of a step, told apart in its operations."""

from collections.abc import Sequence
from dataclasses import dataclass

import pennylane as qml
from pennylane.operation import Operator

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.circuits.neuron import NeuronOperation


@dataclass(frozen=True)
class StagedOperation:
    """An operation of a compiled circuit and where it comes from.

    Attributes:
        operation: The operation.
        step: The step of the sequence, from 0.
        stage: ``"write input"``, ``"input stage"``, ``"work stage 1"`` and so on, ``"remove
            input"``, ``"output stage"`` or ``"read lane"``.
        neuron: Row of the neuron in the cell's coefficients; None for other operations.
    """

    operation: Operator
    step: int
    stage: str
    neuron: int | None


def staged(queued: Sequence[Operator], cell: QRNNCell, step: int) -> list[StagedOperation]:
    """Tells the stages of one step apart by counting its neurons.

    Args:
        queued: The operations of :func:`~qrnn_circuits.circuits.cell.cell_step`.
        cell: The cell.
        step: Which step of the sequence it is.
    """
    staged = []
    neurons, output = 0, cell.workspace * (1 + cell.stages)
    for operation in queued:
        neuron = None
        if isinstance(operation, NeuronOperation):
            neuron = neurons
            neurons += 1
            stage = neuron // cell.workspace
            name = f"work stage {stage}" if stage else "input stage"
            if neuron >= output:
                name = "output stage"
        elif isinstance(operation, qml.RY):
            name = f"work stage {neurons // cell.workspace}"
        else:
            name = "remove input" if neurons else "write input"
        staged.append(StagedOperation(operation, step, name, neuron))
    return staged
