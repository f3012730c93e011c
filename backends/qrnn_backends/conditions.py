"""Conditions inside of other operations, such as those of a template that is adjoined."""

from collections.abc import Callable, Iterator
from functools import partial

import pennylane as qml
from pennylane.devices.preprocess import null_postprocessing
from pennylane.operation import Operator
from pennylane.ops import (
    Adjoint,
    CompositeOp,
    Conditional,
    Controlled,
    Exp,
    Pow,
    Prod,
    SymbolicOp,
)
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.typing import PostprocessingFn


@qml.transform  # type: ignore[untyped-decorator]
def conditions_outside(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Writes conditions around what holds them, where devices and rules for gradients look.

    PennyLane takes the matrix of a conditioned operation for that of the operation, so that others
    that hold one would act whatever was measured.

    Args:
        tape: Any tape.

    Raises:
        ValueError: If an operation holds a condition that cannot be written around it.
    """
    if not any(map(_holds_inner, tape.operations)):
        return (tape,), null_postprocessing
    with qml.QueuingManager.stop_recording():
        operations = [part for operation in tape.operations for part in _parts(operation)]
    found = tape.copy(operations=operations)
    if tape.trainable_params:
        # What is adjoined has its parameters in another order.
        found.trainable_params = qml.math.get_trainable_indices(
            found.get_parameters(trainable_only=False)
        )
    return (found,), null_postprocessing


def holds(operation: Operator, kind: type[Operator]) -> bool:
    """Whether an operation is of a kind, or made of one that is; exponentials are made of none.

    Example:
        >>> holds(qml.adjoint(qml.Projector([1], 0)), qml.Projector)
        True
    """
    if isinstance(operation, kind):
        return True
    if isinstance(operation, CompositeOp):
        return any(holds(operand, kind) for operand in operation.operands)
    if isinstance(operation, Exp):
        return False
    return isinstance(operation, Conditional | SymbolicOp) and holds(operation.base, kind)


def _holds_inner(operation: Operator) -> bool:
    return holds(operation.base if isinstance(operation, Conditional) else operation, Conditional)


def _parts(operation: Operator) -> Iterator[Operator]:
    """Operations of the same effect, each with one condition around it at most."""
    if not _holds_inner(operation):
        yield operation
        return
    match operation:
        case Conditional():
            for part in _parts(operation.base):
                value = operation.meas_val
                if isinstance(part, Conditional):
                    value, part = value & part.meas_val, part.base
                yield Conditional(value, part)
        case Adjoint():
            for part in reversed(list(_parts(operation.base))):
                yield _around(part, qml.adjoint)
        case Controlled():
            for part in _parts(operation.base):
                yield _around(part, partial(_controlled, operation))
        case Pow() if isinstance(operation.base, Conditional):
            base = operation.base
            yield from _parts(Conditional(base.meas_val, qml.pow(base.base, operation.z)))
        case Pow() if operation.z == int(operation.z) and operation.z >= 0:
            yield from int(operation.z) * list(_parts(operation.base))
        case Prod():
            for factor in reversed(operation.operands):
                yield from _parts(factor)
        case _:
            raise ValueError(
                f"{operation} must not hold a condition: apply qml.cond to what it is made of"
            )


def _around(part: Operator, change: Callable[[Operator], Operator]) -> Operator:
    """An operation, changed inside of its condition if it has one."""
    if isinstance(part, Conditional):
        return Conditional(part.meas_val, change(part.base))
    return change(part)


def _controlled(operation: Controlled, base: Operator) -> Operator:
    return qml.ctrl(
        base,
        control=operation.control_wires,
        control_values=operation.control_values,
        work_wires=operation.work_wires,
    )
