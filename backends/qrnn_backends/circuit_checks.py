"""What every device asks of the circuits that it is to run."""

from collections.abc import Iterable
from textwrap import shorten
from typing import Any

import numpy as np
from pennylane.measurements import MeasurementProcess
from pennylane.operation import Operator
from pennylane.ops import Sum
from pennylane.tape import QuantumScript
from scipy.sparse import issparse

from qrnn_backends.hermitian import is_hermitian
from qrnn_circuits.circuits.unitary import is_unitary, numbers
from qrnn_circuits.tracing import is_traced

# Of shots that are held at once: 8 GiB.
MAX_SHOT_BYTES = 2**33

# Numbers that select and order shots, and of each bit its copies; measured over random circuits.
_BYTES_OF_A_SHOT = 64
_BYTES_OF_A_BIT = 24


def check_measured(tapes: Iterable[QuantumScript]) -> None:
    """Checks tapes that are to be run; PennyLane also preprocesses such as measure nothing.

    Raises:
        ValueError: If a tape measures nothing.
    """
    if not all(tape.measurements for tape in tapes):
        raise ValueError("tapes must measure something each, got one without measurements")


def check_shots(shots: int, bits: int, name: str, more: int = 0) -> int:
    """Checks that shots fit into memory, before they are drawn.

    Args:
        shots: Of a circuit, and of all entries of its batch.
        bits: What each reads.
        name: Of the device, for messages.
        more: Bytes that the device takes for each besides.

    Returns:
        How many fit.

    Raises:
        ValueError: If these do not.
    """
    most = MAX_SHOT_BYTES // (_BYTES_OF_A_SHOT + _BYTES_OF_A_BIT * bits + more)
    if shots > most:
        raise ValueError(
            f"shots must be at most {most:,} in all where each reads {bits} bits on {name}, which "
            f"holds them at once, got {shots:,}: average the results of several runs, or give no "
            "shots for exact results"
        )
    return most


def check_parameters(tape: QuantumScript) -> None:
    """Checks parameters of all gates, as :func:`check_numbers` does.

    Where transforms of PyTorch follow, tensors hold no numbers to be checked.

    Raises:
        TypeError: If one is no number.
        ValueError: If one is infinite or NaN, or a batch of them is empty.
    """
    for operation in () if is_traced() else tape.operations:
        check_numbers(operation.data)


def check_numbers(parameters: Iterable[Any]) -> None:
    """Checks parameters of gates, of which shots would be drawn all the same.

    Without shots, measurements drop branches whose weight is no number.

    Args:
        parameters: Numbers, arrays or tensors.

    Raises:
        TypeError: If one is no number.
        ValueError: If one is infinite or NaN, or a batch of them is empty.
    """
    for value in parameters:
        # A sparse matrix holds its numbers there.
        found = numbers(value.data if issparse(value) else value)
        if found.dtype.kind not in "biufc":
            raise TypeError(f"parameters of gates must be numbers, got {value!r}")
        if not found.size:
            raise ValueError("parameters of gates must not be an empty batch")
        if not np.isfinite(found).all():
            wrong = found[~np.isfinite(found)].flat[0]
            raise ValueError(f"parameters of gates must be finite, got {wrong}")


def check_unitary(operations: Iterable[Operator]) -> None:
    """Checks gates of a device that can project states besides.

    Others change the norms of branches, of which shots know nothing. Where transforms of PyTorch
    follow, tensors hold no numbers to be checked.

    Raises:
        ValueError: If an operation is neither unitary nor a projector.
    """
    for operation in () if is_traced() else operations:
        if not is_unitary(operation, or_projector=True):
            raise ValueError(
                f"{operation.name} on wires {operation.wires.tolist()} must be unitary or a "
                "projector: give a unitary matrix, and real numbers for angles"
            )


def check_hermitian(measurements: Iterable[MeasurementProcess]) -> None:
    """Checks observables: shots have no values that are not real.

    Raises:
        ValueError: If one, or a term of a sum, is not Hermitian.
    """
    for measurement in () if is_traced() else measurements:
        if measurement.obs is not None and not is_hermitian(measurement.obs):
            observable = shorten(str(measurement.obs), 200, placeholder=" ...")
            hint = ""
            if isinstance(measurement.obs, Sum):
                hint = (
                    ", of a sum each term: where the sum as a whole is, give "
                    "qml.Hermitian(qml.matrix(observable), observable.wires)"
                )
            raise ValueError(f"observables must be Hermitian, got {observable}{hint}")
