"""Measurements of a density matrix in torch, differentiable to any order.

PennyLane's own take the square roots of probabilities on the way, whose derivatives at 0 are NaN.
"""

import pennylane as qml
import torch
from pennylane.measurements import (
    ExpectationMP,
    MeasurementProcess,
    ProbabilityMP,
    StateMeasurement,
    VarianceMP,
)
from pennylane.operation import Operator
from torch import Tensor

from qrnn_backends.torch.representation import DensityMatrices, as_matrices
from qrnn_backends.torch.state import LEAD, as_tensor


def measure_mixture(measurement: MeasurementProcess, state: Tensor, dtype: torch.dtype) -> Tensor:
    """The result of a measurement.

    Args:
        measurement: Of wires numbered by the state's axes.
        state: One branch of :class:`~.representation.DensityMatrices`, shape
            ``(1, batch, 2, ..., 2)``, whose density matrices have trace 1.
        dtype: Real type.

    Returns:
        A leading axis for the batch.

    Raises:
        NotImplementedError: If the measurement is defined for pure states only.
    """
    observable = measurement.obs
    if observable is not None and isinstance(measurement, ExpectationMP | VarianceMP):
        return _moments(isinstance(measurement, VarianceMP), observable, as_matrices(state)[0])
    if isinstance(measurement, ExpectationMP | VarianceMP | ProbabilityMP):
        form = DensityMatrices()
        for gate in measurement.diagonalizing_gates():
            state = form.apply(state, gate, dtype)
        table = _distribution(state, measurement.wires.tolist())
        if isinstance(measurement, ProbabilityMP):
            return table
        values = as_tensor(measurement.eigvals(), dtype, state.device)
        mean = table @ values
        square = table @ values**2
        return square - mean**2 if isinstance(measurement, VarianceMP) else mean
    assert isinstance(measurement, StateMeasurement)
    matrices = as_matrices(state)[0]
    matrices = matrices.to(torch.promote_types(matrices.dtype, torch.complex64))
    wires = qml.wires.Wires(range((state.ndim - LEAD) // 2))
    result: Tensor = measurement.process_density_matrix(matrices, wires)
    return result


def _moments(variance: bool, observable: Operator, matrices: Tensor) -> Tensor:
    """Mean or variance of an observable, by its matrix on all wires: of a density matrix's size."""
    wires = range(matrices.shape[-1].bit_length() - 1)
    if observable.has_matrix:
        found = qml.matrix(observable, wire_order=wires)
    else:
        found = observable.sparse_matrix(wire_order=wires).toarray()
    matrix = as_tensor(found, matrices.real.dtype, matrices.device)
    common = torch.promote_types(matrix.dtype, matrices.dtype)
    matrix, matrices = matrix.to(common), matrices.to(common)
    mean = (matrices * matrix.mT).sum((-2, -1)).real
    if not variance:
        return mean
    square = ((matrix @ matrices) * matrix.mT).sum((-2, -1)).real
    return square - mean**2


def _distribution(state: Tensor, wires: list[int]) -> Tensor:
    """Probabilities of the outcomes of wires, shape ``(batch, 2**wires)``; of all if none."""
    count = (state.ndim - LEAD) // 2
    wires = wires or list(range(count))
    table: Tensor = (
        as_matrices(state)[0].diagonal(dim1=-2, dim2=-1).real.unflatten(-1, (2,) * count)
    )
    rest = [wire for wire in range(count) if wire not in wires]
    table = table.permute(0, *(1 + wire for wire in wires + rest))
    summed: Tensor = table.reshape(len(table), 2 ** len(wires), -1).sum(-1)
    return summed
