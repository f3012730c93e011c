"""The operations that Qiskit has gates for, and how others are decomposed into them."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Adjoint, Conditional, Controlled, Exp, MidMeasure, Pow, SProd, Sum

from qrnn_circuits.optional_packages import require_qiskit

if TYPE_CHECKING:
    from qiskit.circuit import Gate

# What Qiskit writes into a circuit otherwise.
_NO_GATES = ("GlobalPhase", "Barrier")

# What users give as gates for their matrices, which may be of any kind.
_ANY_MATRIX = (qml.Hermitian, qml.Projector, qml.QubitUnitary, Exp, SProd, Sum)
# Of the products of a matrix's columns, which may be in single precision.
_UNITARY = 1e-5


def basic_operations(operation: Operator) -> Iterator[Operator]:
    """Decomposes an operation into gates of Qiskit, measurements and conditioned gates.

    Args:
        operation: Any operation.

    Raises:
        TypeError: If an operation has no Qiskit gate, no decomposition and no matrix, or is not
            unitary.
    """
    name = operation.name
    if isinstance(operation, Conditional):
        for basic in basic_operations(operation.base):
            if isinstance(basic, MidMeasure):
                raise TypeError(f"{operation} holds a measurement, which cannot be conditioned")
            yield operation if basic is operation.base else Conditional(operation.meas_val, basic)
    elif name == "Identity":
        # One for each wire, as Qiskit has it: a noisy one may do something.
        single = len(operation.wires) == 1
        yield from [operation] if single else map(qml.Identity, operation.wires)
    elif isinstance(operation, Controlled) and operation.base.name == "Identity":
        return
    elif isinstance(operation, MidMeasure) or name in _NO_GATES or _has_gate(operation):
        yield operation
    elif not _is_unitary(operation):
        raise TypeError(
            f"{operation.name} on wires {operation.wires.tolist()} is not unitary, and Qiskit's "
            "gates are: postselect by qml.measure(wire, postselect=...)"
        )
    elif operation.has_decomposition:
        for part in operation.decomposition():
            yield from basic_operations(part)
    elif operation.has_matrix:
        unitary = qml.QubitUnitary(qml.matrix(operation), wires=operation.wires)
        yield from basic_operations(unitary)
    else:
        raise TypeError(f"{operation} has neither a Qiskit gate nor a decomposition nor a matrix")


def _is_unitary(operation: Operator) -> bool:
    """Whether what PennyLane also applies where it keeps no norm, such as a projector, does."""
    while isinstance(operation, Adjoint | Controlled | Pow):
        operation = operation.base
    if isinstance(operation, Exp) and operation.base.is_verified_hermitian:
        return not np.any(np.real(operation.coeff))
    if not isinstance(operation, _ANY_MATRIX):
        return True
    # Whatever interface the entries are of.
    matrix = np.asarray(qml.math.toarray(qml.matrix(operation)))
    product = np.conj(np.swapaxes(matrix, -1, -2)) @ matrix
    return bool(np.allclose(product, np.eye(matrix.shape[-1]), atol=_UNITARY))


def _has_gate(operation: Operator) -> bool:
    base = operation.base if isinstance(operation, Controlled) else operation
    return operation.name in qiskit_gates() or base.name in qiskit_gates()


@lru_cache(maxsize=1)
def qiskit_gates() -> Mapping[str, Callable[..., "Gate"]]:
    """Qiskit gates by the names of PennyLane's operations, with parameters in the same order."""
    require_qiskit()
    from qiskit.circuit import library

    return {
        "Identity": library.IGate,
        "PauliX": library.XGate,
        "PauliY": library.YGate,
        "PauliZ": library.ZGate,
        "Hadamard": library.HGate,
        "S": library.SGate,
        "Adjoint(S)": library.SdgGate,
        "T": library.TGate,
        "Adjoint(T)": library.TdgGate,
        "SX": library.SXGate,
        "Adjoint(SX)": library.SXdgGate,
        "RX": library.RXGate,
        "RY": library.RYGate,
        "RZ": library.RZGate,
        "PhaseShift": library.PhaseGate,
        "U3": library.UGate,
        "CNOT": library.CXGate,
        "CY": library.CYGate,
        "CZ": library.CZGate,
        "CH": library.CHGate,
        "CRX": library.CRXGate,
        "CRY": library.CRYGate,
        "CRZ": library.CRZGate,
        "ControlledPhaseShift": library.CPhaseGate,
        "SWAP": library.SwapGate,
        "ECR": library.ECRGate,
        "Toffoli": library.CCXGate,
        "IsingXX": library.RXXGate,
        "IsingYY": library.RYYGate,
        "IsingZZ": library.RZZGate,
    }
