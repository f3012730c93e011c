"""What PennyLane 0.45 gets wrong of operators by themselves, put right where all of it looks.

Importing this registers the corrections with PennyLane, whose own transforms need them before a
tape comes to a device.
"""

from collections.abc import Sequence
from copy import copy
from hashlib import blake2b

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Evolution, Exp
from pennylane.ops.functions import bind_new_parameters
from pennylane.typing import TensorLike
from scipy.sparse import csr_array, issparse

from qrnn_circuits.circuits.unitary import numbers
from qrnn_circuits.tracing import is_traced


@bind_new_parameters.register  # type: ignore[untyped-decorator]
def _bind_controlled_unitary(
    operation: qml.ControlledQubitUnitary, parameters: Sequence[TensorLike]
) -> qml.ControlledQubitUnitary:
    """With the control values, which PennyLane takes for ones."""
    return qml.ControlledQubitUnitary(
        *parameters,
        wires=operation.wires,
        control_values=operation.control_values,
        work_wires=operation.work_wires,
        work_wire_type=operation.work_wire_type,
    )


@bind_new_parameters.register  # type: ignore[untyped-decorator]
def _bind_evolution(operation: Evolution, parameters: Sequence[TensorLike]) -> Evolution:
    """With the generator, whose coefficients PennyLane looks for among the parameters."""
    return Evolution(operation.base, *parameters)


def _has_decomposition(exponential: Exp) -> bool:
    """Of a copy, whose coefficient PennyLane multiplies in place by that of the base."""
    copied = copy(exponential)
    copied.scalar = 1 * exponential.scalar
    found: bool = _given.fget(copied)
    return found


_given = Exp.has_decomposition
Exp.has_decomposition = property(_has_decomposition, doc=_given.__doc__)


def _rotation(base: Operator, coefficient: TensorLike) -> list[Operator]:
    """The exponential of a Pauli word, also for tensors of PyTorch, which PennyLane does not take.

    Args:
        base: The word.
        coefficient: Its factor, which is imaginary.
    """
    if qml.math.get_interface(coefficient) != "torch":
        found: list[Operator] = _given_rotation(base, coefficient)
        return found
    word = qml.pauli.pauli_word_to_string(base)
    return [qml.PauliRot(qml.math.real(2j * coefficient), word, base.wires)]


_given_rotation = Exp._pauli_rot_decomposition
Exp._pauli_rot_decomposition = staticmethod(_rotation)


def _whole_data(operation: Operator) -> str:
    """What the hash of an operation has of its parameters, with every number of an array.

    PennyLane has the text of them, from which large arrays and sparse matrices miss most numbers:
    operators that differ there are one to its sums, its caches and whoever asks for a hash.
    """
    text: str = _given_data(operation)
    # Transforms of PyTorch hide the numbers.
    arrays = [] if is_traced() else [value for value in operation.data if qml.math.ndim(value)]
    if not arrays:
        return text
    digest = blake2b(text.encode())
    for value in arrays:
        parts = [value]
        if issparse(value):
            found = csr_array(value)
            parts = [found.data, found.indices, found.indptr]
        for part in parts:
            try:
                digest.update(numbers(part).tobytes())
            except TypeError:
                # NumPy has no bfloat16, and no numbers of what JAX follows.
                return text
    return digest.hexdigest()


_given_data = qml.operation._process_data
qml.operation._process_data = _whole_data
