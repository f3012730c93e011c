"""Operators of dynamic circuits, one for each record of mid-circuit outcomes, in numpy alone.

Walks over PennyLane's operations by their names; their matrices are defined here.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pennylane as qml
from numpy.typing import NDArray

Operator = NDArray[np.complex128]

FIXED = {
    "PauliX": np.array([[0, 1], [1, 0]]),
    "PauliZ": np.diag([1, -1]),
    "Hadamard": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "S": np.diag([1, 1j]),
    "Adjoint(S)": np.diag([1, -1j]),
    "CNOT": np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]),
    "CZ": np.diag([1, 1, 1, -1]),
}


@dataclass(frozen=True)
class Branch:
    """What happens to the initial states, not normalised, for one record of outcomes.

    Attributes:
        outcomes: The bit that each measurement read, by its identifier.
        operator: Shape ``(2, ..., 2, columns)``, one axis for each wire.
    """

    outcomes: dict[str, int]
    operator: Operator


def gate_matrix(gate: qml.operation.Operator) -> Operator:
    if gate.name == "RY":
        cos, sin = np.cos(float(gate.data[0]) / 2), np.sin(float(gate.data[0]) / 2)
        return np.array([[cos, -sin], [sin, cos]], dtype=np.complex128)
    if gate.name == "RZ":
        phase = np.exp(-0.5j * float(gate.data[0]))
        return np.diag([phase, phase.conjugate()])
    return np.asarray(FIXED[gate.name], dtype=np.complex128)


def apply(operator: Operator, matrix: Operator, axes: Sequence[int]) -> Operator:
    count = len(axes)
    tensor = matrix.reshape((2,) * 2 * count)
    applied = np.tensordot(tensor, operator, (range(count, 2 * count), axes))
    return np.asarray(np.moveaxis(applied, range(count), axes), dtype=np.complex128)


def branches(
    operations: Iterable[qml.operation.Operator],
    wires: Sequence[Hashable],
    initial: NDArray[np.floating],
) -> list[Branch]:
    """All branches of nonzero weight.

    Args:
        operations: Gates, conditioned gates and mid-circuit measurements.
        wires: All wires, the first the most significant.
        initial: Initial states as columns, shape ``(2**n, columns)``.
    """
    axis = {wire: position for position, wire in enumerate(wires)}
    start = initial.reshape((2,) * len(wires) + (-1,)).astype(np.complex128)
    current = [Branch({}, start)]
    for operation in operations:
        axes = [axis[wire] for wire in operation.wires]
        if isinstance(operation, qml.ops.MidMeasure):
            current = [new for old in current for new in _measured(old, operation, axes[0])]
            continue
        gate, bit = operation, None
        if isinstance(operation, qml.ops.Conditional):
            gate = operation.base
            (measurement,) = operation.meas_val.measurements
            bit = measurement.meas_uid
        matrix = gate_matrix(gate)
        current = [
            Branch(branch.outcomes, apply(branch.operator, matrix, axes))
            if bit is None or branch.outcomes[bit]
            else branch
            for branch in current
        ]
    return current


def _measured(branch: Branch, measurement: qml.ops.MidMeasure, axis: int) -> Iterable[Branch]:
    for value in (0, 1) if measurement.postselect is None else (measurement.postselect,):
        kept = branch.operator.copy()
        np.moveaxis(kept, axis, 0)[1 - value] = 0
        if np.abs(kept).max() < 1e-13:
            continue
        if measurement.reset and value:
            kept = apply(kept, FIXED["PauliX"].astype(np.complex128), [axis])
        yield Branch(branch.outcomes | {measurement.meas_uid: value}, kept)


def system_branches(neuron: qml.operation.Operator, system: int) -> list[Operator]:
    """A neuron's branches as matrices on its first wires, the others in 0 before and after."""
    others = len(neuron.wires) - system
    initial = np.kron(np.eye(2**system), np.eye(2**others)[:, :1])
    blocks = []
    for branch in branches(neuron.decomposition(), neuron.wires, initial):
        operator = branch.operator.reshape(2**system, 2**others, -1)
        np.testing.assert_allclose(operator[:, 1:], 0, rtol=0, atol=1e-12)
        blocks.append(operator[:, 0])
    return blocks
