"""What every device asks of the circuits that it is to run."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.operation import Operator
from pennylane.tape import QuantumScript
from scipy.sparse import issparse

from qrnn_circuits.circuits.unitary import is_unitary


def check_measured(tapes: Iterable[QuantumScript]) -> None:
    """Checks tapes that are to be run; PennyLane also preprocesses such as measure nothing.

    Raises:
        ValueError: If a tape measures nothing.
    """
    if not all(tape.measurements for tape in tapes):
        raise ValueError("tapes must measure something each, got one without measurements")


def check_finite(parameters: Iterable[Any]) -> None:
    """Checks parameters of gates, of which shots would be drawn all the same.

    Args:
        parameters: Numbers, arrays or tensors.

    Raises:
        ValueError: If one is infinite or NaN.
    """
    for value in qml.math.unwrap(list(parameters)):
        # A sparse matrix holds its numbers there.
        numbers = np.asarray(value.data if issparse(value) else value)
        if not np.isfinite(numbers).all():
            wrong = numbers[~np.isfinite(numbers)].flat[0]
            raise ValueError(f"parameters of gates must be finite, got {wrong}")


def check_unitary(operations: Iterable[Operator]) -> None:
    """Checks gates of a device that can project states besides.

    Others change the norms of branches, of which shots know nothing.

    Raises:
        ValueError: If an operation is neither unitary nor a projector.
    """
    for operation in operations:
        if not is_unitary(operation, or_projector=True):
            raise ValueError(
                f"{operation.name} on wires {operation.wires.tolist()} must be unitary or a "
                "projector: give a unitary matrix, and real numbers for angles"
            )
