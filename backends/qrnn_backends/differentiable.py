"""Decomposes what a rule for gradients does not take as it is."""

from collections.abc import Callable, Iterator

import pennylane as qml
from pennylane.operation import Operator
from pennylane.ops import Conditional
from pennylane.tape import QuantumScript


def expanded(tape: QuantumScript, has_rule: Callable[[Operator], bool]) -> QuantumScript:
    """Decomposes operations with trainable parameters, also conditioned ones.

    PennyLane's own expansions leave conditioned operations as they are.

    Args:
        tape: A tape whose trainable parameters an interface traces.
        has_rule: Whether the parameters of an operation can be differentiated as it is.
    """
    with qml.QueuingManager.stop_recording():
        operations = [part for whole in tape.operations for part in _parts(whole, has_rule)]
    if all(part is whole for part, whole in zip(operations, tape.operations, strict=False)):
        return tape
    found = tape.copy(operations=operations)
    found.trainable_params = qml.math.get_trainable_indices(
        found.get_parameters(trainable_only=False)
    )
    return found


def _parts(operation: Operator, has_rule: Callable[[Operator], bool]) -> Iterator[Operator]:
    base = operation.base if isinstance(operation, Conditional) else operation
    traced = any(qml.math.requires_grad(value) for value in base.data)
    if not traced or has_rule(base) or not base.has_decomposition:
        yield operation
        return
    for part in base.decomposition():
        inner = Conditional(operation.meas_val, part) if base is not operation else part
        yield from _parts(inner, has_rule)
