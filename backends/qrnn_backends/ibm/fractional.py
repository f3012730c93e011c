"""Angles of ``rzz``, which IBM's chips with fractional gates take from 0 to pi / 2."""

from collections.abc import Mapping
from math import pi
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qrnn_backends.qiskit_common.instructions import instructions
from qrnn_backends.qiskit_common.program import bind

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def takes(circuit: "QuantumCircuit", values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """With which values of its parameters a circuit has no other angles.

    Args:
        circuit: On the chip's qubits.
        values: One row for each run, in the order of ``circuit.parameters``.

    Returns:
        Shape ``(rows,)``.
    """
    columns = dict(zip(circuit.parameters, values.T, strict=True))
    taken = np.ones(len(values), dtype=bool)
    for instruction, _ in instructions(circuit):
        if instruction.name == "rzz":
            found = _of_rows(instruction.operation.params[0], columns, len(values))
            taken &= (found >= 0) & (found <= pi / 2)
    return taken


def folded(circuit: "QuantumCircuit", values: NDArray[np.float64]) -> "QuantumCircuit":
    """A circuit with its values that does the same with angles that chips take.

    Args:
        circuit: On the chip's qubits.
        values: In the order of ``circuit.parameters``.
    """
    from qiskit.transpiler import PassManager
    from qiskit_ibm_runtime.transpiler.passes import FoldRzzAngle

    # The pass leaves parameters alone, since what it adds depends on their values.
    found: QuantumCircuit = PassManager([FoldRzzAngle()]).run(bind(circuit, values))
    return found


def _of_rows(angle: Any, columns: Mapping[Any, Any], rows: int) -> NDArray[np.float64]:  # noqa: ANN401
    """Values of a number, a parameter or an expression of parameters."""
    if angle in columns:
        found: NDArray[np.float64] = columns[angle]
        return found
    used = {part: columns[part] for part in getattr(angle, "parameters", ())}
    if not used:
        return np.full(rows, float(angle))
    return np.array(
        [float(angle.bind({part: used[part][row] for part in used})) for row in range(rows)]
    )
