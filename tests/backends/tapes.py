"""Tapes that tests of several devices run."""

from collections.abc import Callable

import numpy as np
import pennylane as qml
from pennylane.tape import QuantumScript

from qrnn_backends.qiskit_common.program import Program, programs


def tape_of(queue: Callable[[], object], shots: int | None = None) -> QuantumScript:
    return qml.tape.make_qscript(queue)().copy(shots=shots)


def flip(angle: float = np.pi, shots: int = 100) -> QuantumScript:
    return QuantumScript([qml.RY(angle, 0), qml.CNOT([0, 1])], [qml.probs(wires=[0, 1])], shots)


def program(*operations: qml.operation.Operator, wires: list[int]) -> Program:
    (converted,) = programs([QuantumScript(operations, [qml.probs(wires=wires)], shots=1)])
    return converted
