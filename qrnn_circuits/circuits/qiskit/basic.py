"""The operations that Qiskit has gates for, and how others are decomposed into them."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import pennylane as qml
from pennylane.operation import Channel, Operator
from pennylane.ops import Conditional, Controlled, MidMeasure
from scipy.sparse import issparse

from qrnn_circuits.circuits.unitary import is_unitary, matrix_of
from qrnn_circuits.optional_packages import require_modules

if TYPE_CHECKING:
    from qiskit.circuit import Gate

# What Qiskit writes into a circuit otherwise.
_NO_GATES = ("GlobalPhase", "Barrier")


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
    elif not is_unitary(operation):
        raise TypeError(
            f"{operation.name} on wires {operation.wires.tolist()} is not unitary, and Qiskit's "
            "gates are, of real angles: postselect by qml.measure(wire, postselect=...)"
        )
    elif name == "Identity":
        # One for each wire, as Qiskit has it: a noisy one may do something.
        single = len(operation.wires) == 1
        yield from [operation] if single else map(qml.Identity, operation.wires)
    elif isinstance(operation, Controlled) and operation.base.name == "Identity":
        return
    elif isinstance(operation, MidMeasure) or name in _NO_GATES or _has_gate(operation):
        yield operation
    elif isinstance(operation, qml.StatePrep) and issparse(operation.data[0]):
        state = operation.data[0].toarray()[0]
        yield from basic_operations(qml.StatePrep(state, wires=operation.wires))
    elif operation.has_decomposition:
        for part in operation.decomposition():
            yield from basic_operations(part)
    elif operation.has_matrix or operation.has_sparse_matrix:
        unitary = qml.QubitUnitary(matrix_of(operation), wires=operation.wires)
        yield from basic_operations(unitary)
    else:
        hint = (
            ": errors of gates are the noise of qrnn.aer" if isinstance(operation, Channel) else ""
        )
        raise TypeError(
            f"{operation} has neither a Qiskit gate nor a decomposition nor a matrix{hint}"
        )


def _has_gate(operation: Operator) -> bool:
    base = operation.base if isinstance(operation, Controlled) else operation
    return operation.name in qiskit_gates() or base.name in qiskit_gates()


@lru_cache(maxsize=1)
def qiskit_gates() -> Mapping[str, Callable[..., "Gate"]]:
    """Qiskit gates by the names of PennyLane's operations, with parameters in the same order."""
    require_modules("qiskit")
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
