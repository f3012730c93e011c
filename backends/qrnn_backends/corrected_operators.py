"""What PennyLane 0.45 gets wrong of operators by themselves, put right where all of it looks.

Importing this registers the corrections with PennyLane, whose own transforms need them before a
tape comes to a device.
"""

import sys
from collections.abc import Sequence
from copy import copy
from hashlib import blake2b
from typing import Any

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import CompositeOp, Evolution, Exp, Pow, ScalarSymbolicOp, SymbolicOp
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
def _bind_symbolic(operation: SymbolicOp, parameters: Sequence[TensorLike]) -> SymbolicOp:
    """Without a copy of the base, whose coefficient may be a tensor that cannot be copied."""
    options = {name: value for name, value in operation.hyperparameters.items() if name != "base"}
    return type(operation)(bind_new_parameters(operation.base, parameters), **options)


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


def _axes_of_operands(operation: CompositeOp) -> tuple[int, ...]:
    """Numbers of axes of all parameters without a batch, which PennyLane asks for to divide one."""
    return tuple(axes for operand in operation.operands for axes in operand.ndim_params)


def _axes_of_scaled(operation: ScalarSymbolicOp) -> tuple[int, ...]:
    """Those of a coefficient and of what it is of; the generator of an evolution has none."""
    axes: tuple[int, ...] = (0, *operation.base.ndim_params)[: operation.num_params]
    return axes


CompositeOp.ndim_params = property(_axes_of_operands, doc=_axes_of_operands.__doc__)
ScalarSymbolicOp.ndim_params = property(_axes_of_scaled, doc=_axes_of_scaled.__doc__)


def _is_special_unitary(operation: Operator) -> bool:
    """Whether a controlled gate is one of SU(2) by its matrix, and decomposed as such.

    PennyLane takes a batch of matrices for one, and differentiates no matrix of a power.
    """
    if isinstance(operation, Pow) and any(map(qml.math.requires_grad, operation.data)):
        return False
    return operation.batch_size is None and bool(_given_special(operation))


# PennyLane has a function of the module's name.
_controlled: Any = sys.modules[qml.ops.Controlled.__module__]
_given_special = _controlled._is_single_qubit_special_unitary
_controlled._is_single_qubit_special_unitary = _is_special_unitary


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
