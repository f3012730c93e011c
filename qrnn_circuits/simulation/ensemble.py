"""Several cells of one shape through transfer operators, in one set of operations.

The symbols of all cells, one after another, are one larger alphabet: a sequence of cell e meets the
operators of the symbols of that cell alone, and everything else is as for one cell.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from qrnn_circuits.angle_checks import are_angles
from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.gates import StepGates, WorkspaceStages, gate_tables
from qrnn_circuits.numerical_errors import ParameterRangeError
from qrnn_circuits.simulation.base import Prediction
from qrnn_circuits.simulation.quantum_neurons import TransferSimulation


class EnsembleSimulation(TransferSimulation):
    """Runs cells that differ in their parameters alone, each along as many sequences.

    Batches hold the sequences of the first cell, then those of the next one, ..., ``E * B`` in all.
    Where one cell needs float64, all are run in it.
    """

    def __init__(self, cells: Sequence[QRNNCell], dtype: torch.dtype | None = None) -> None:
        """Takes the cells.

        Args:
            cells: Of the same sizes, order and semantics, on one device and of one type.
            dtype: Type of the states, see :class:`~.quantum_neurons.NeuronSimulation`.
        """
        super().__init__(cells[0], dtype)
        self._cells = cells
        if self.dtype == torch.float32:
            # Of many cells, one often needs it, and it costs little among the operations of all.
            self._scale_every = (1,)

    @cached_property
    def gates(self) -> StepGates:
        """The gates of all cells at their present parameters.

        Raises:
            ParameterRangeError: If the angles of some cell may be too large, or not finite.
        """
        parameters = zip(
            *((cell.coefficients, cell.readout_coefficients, cell.theta) for cell in self._cells),
            strict=True,
        )
        workspace, readout, theta = (torch.stack(tensors, 1) for tensors in parameters)
        coefficients = torch.cat((workspace, readout))
        if not are_angles((coefficients, theta)):
            raise ParameterRangeError("the parameters of a cell may be too large for angles")
        cell = self.cell
        tables = gate_tables(
            coefficients.to(self.dtype),
            cell.polynomial,
            lane=cell.lane,
            workspace=cell.workspace,
            order=cell.order,
            semantics=cell.semantics,
        )
        stages = WorkspaceStages(tables.blocks, theta.to(self.dtype))
        return StepGates(stages, tables.readout, tables.scales)

    def _in_float64(self) -> Self:
        return type(self)(self._cells, torch.float64)

    def _check_possible(self, prediction: Prediction, outcomes: Tensor) -> None:
        """Nothing: of which cell and step such an outcome is, that cell by itself tells."""
