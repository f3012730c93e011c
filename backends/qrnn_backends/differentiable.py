"""Rules for gradients in place of PennyLane's, and decomposition of what they do not take."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeAlias

import pennylane as qml
import torch
from autograd.tracer import Box, trace_stack
from pennylane.devices.preprocess import null_postprocessing
from pennylane.measurements import ExpectationMP
from pennylane.operation import Operator
from pennylane.ops import Conditional, Exp
from pennylane.tape import QuantumScript, QuantumScriptBatch
from pennylane.transforms import broadcast_expand
from pennylane.transforms.core import Transform
from pennylane.typing import PostprocessingFn, ResultBatch
from torch import Tensor

from qrnn_backends.conditions import conditions_outside
from qrnn_backends.measurement_bases import in_computational_basis

Gradient: TypeAlias = Callable[..., tuple[QuantumScriptBatch, PostprocessingFn]]
"""Takes a tape and options, and returns tapes and what makes derivatives of their results."""

BACKPROPAGATE = "differentiate without shots on qrnn.torch, which backpropagates"

_ONCE = (
    "max_diff must be the order of the derivatives, 2 for second ones, by a rule of PennyLane's: "
    "give it to the QNode, or take qrnn.torch without shots, which backpropagates to any order"
)


def in_place_of(
    rule: Transform, has_rule: Callable[[Operator], bool] | None = None
) -> Callable[[Gradient], Transform]:
    """Makes a rule that is applied as one of PennyLane's is.

    A batch of parameters that are differentiated is one tape for each entry: PennyLane has no rule
    for it.

    Args:
        rule: PennyLane's.
        has_rule: As :func:`expanded` takes it; by default nothing is expanded but by the rule's own
            expansion.

    Returns:
        A decorator of the rule.
    """

    def expand(tape: QuantumScript, **options: Any) -> tuple[QuantumScriptBatch, PostprocessingFn]:  # noqa: ANN401
        return _expanded_for(rule, tape, options, has_rule)

    def decorate(gradient: Gradient) -> Transform:
        @wraps(gradient)
        def guarded(
            tape: QuantumScript,
            **options: Any,  # noqa: ANN401
        ) -> tuple[QuantumScriptBatch, PostprocessingFn]:
            batch, combine = gradient(tape, **options)

            def derivatives(results: ResultBatch) -> Any:  # noqa: ANN401
                _refuse_constants(results, tape)
                jacobian = combine(results)
                return jacobian if _has_graph(results) else _differentiable_once(jacobian, tape)

            return batch, derivatives

        return qml.transform(
            guarded,
            expand_transform=expand,
            classical_cotransform=rule.classical_cotransform,
            final_transform=True,
        )

    return decorate


def _refuse_constants(results: ResultBatch, tape: QuantumScript) -> None:
    """Refuses results that autograd takes for constants while it follows what they depend on.

    By default PennyLane computes them without a graph where they are of a derivative.

    Args:
        results: Of the tapes of a rule.
        tape: The circuit.

    Raises:
        ValueError: If derivatives of them would be 0.
    """
    if not results or any(isinstance(value, Box) for value in _leaves(results)):
        return
    if any(map(_is_followed, tape.get_parameters())):
        raise ValueError(_ONCE)


def _leaves(values: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(values, tuple | list):
        for value in values:
            yield from _leaves(value)
    else:
        yield values


def _is_followed(value: Any) -> bool:  # noqa: ANN401
    """Whether a derivative that autograd has begun, and not gone backwards for, is in the value."""
    while isinstance(value, Box):
        if value._trace <= trace_stack.top:
            return True
        value = value._value
    return False


def _has_graph(results: ResultBatch) -> bool:
    """Whether PyTorch follows the results: what has no graph in a Jacobian is then constant.

    So they are where a rule needs no results, since all derivatives are 0.
    """
    return not results or any(
        isinstance(value, Tensor) and value.requires_grad for value in _leaves(results)
    )


def _differentiable_once(jacobian: Any, tape: QuantumScript) -> Any:  # noqa: ANN401
    """A Jacobian whose own derivatives are errors, where PyTorch's graph would say that they are 0.

    By default PennyLane computes it without a graph.

    Args:
        jacobian: An array, a tensor, or tuples of them.
        tape: The circuit.
    """
    # PyTorch has no public question for whether it is going backwards, and then for a graph.
    graph = torch.is_grad_enabled() and torch._C._current_graph_task_id() >= 0
    parameters = [value for value in tape.get_parameters() if isinstance(value, Tensor)]
    if not graph or not any(value.requires_grad for value in parameters):
        return jacobian
    if isinstance(jacobian, tuple | list):
        return type(jacobian)(_differentiable_once(part, tape) for part in jacobian)
    found = torch.as_tensor(jacobian)
    return _OnceDifferentiable.apply(found, *parameters)  # type: ignore[no-untyped-call]


class _OnceDifferentiable(torch.autograd.Function):
    """Depends on parameters, but not by a graph."""

    @staticmethod
    def forward(ctx: Any, jacobian: Tensor, *parameters: Tensor) -> Tensor:  # noqa: ANN401
        return jacobian.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # noqa: ANN401
        raise ValueError(_ONCE)


def zeros(tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    """Derivatives of a tape whose results depend on none of its parameters.

    PennyLane's rules fail where these are phases of the whole state, or there is a batch.

    Args:
        tape: The circuit to differentiate.

    Returns:
        The tape, whose results tell the shapes, and what makes derivatives of them.
    """
    count = len(tape.trainable_params)

    def zero(result: Any) -> Any:  # noqa: ANN401
        if isinstance(result, tuple | list):
            return tuple(map(zero, result))
        return 0.0 * result if count == 1 else (0.0 * result,) * count

    return [tape], lambda results: zero(results[0])


def _expanded_for(
    rule: Transform,
    tape: QuantumScript,
    options: dict[str, Any],
    has_rule: Callable[[Operator], bool] | None,
) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    (tape,), _ = in_computational_basis(tape)
    (tape,), _ = conditions_outside(tape)
    entries, stack = _entries(rule, tape)
    batch: list[QuantumScript] = []
    combines: list[tuple[PostprocessingFn, slice]] = []
    for entry in entries:
        # First, as PennyLane's own expansions fail on adjoints of products.
        entry = entry if has_rule is None else expanded(entry, has_rule)
        parts, combine = rule.expand_transform(entry, **options)
        for part in parts:
            _check_observables(part, rule)
        combines.append((combine, slice(len(batch), len(batch) + len(parts))))
        batch += parts

    def put_together(results: ResultBatch) -> Any:  # noqa: ANN401
        return stack(tuple(combine(results[place]) for combine, place in combines))

    return batch, put_together


def _check_observables(tape: QuantumScript, rule: Transform) -> None:
    """Refuses parameters of observables that PennyLane's rules take a step of, or leave out.

    Args:
        tape: As the rule differentiates it.
        rule: PennyLane's.

    Raises:
        ValueError: If a derivative is to be taken of an array, or by a shift rule of a number
            that is no coefficient of an expectation value: that is a tiny difference, or 0.
    """
    shifts = rule in (qml.gradients.param_shift, qml.gradients.param_shift_hessian)
    for measurement in tape.measurements:
        exact = isinstance(measurement, ExpectationMP) and not tape.shots
        for value in () if measurement.obs is None else measurement.obs.data:
            followed = _is_followed(value) or (isinstance(value, Tensor) and value.requires_grad)
            if followed and (qml.math.ndim(value) or (shifts and not exact)):
                raise ValueError(
                    f"{rule.tape_transform.__name__} has no derivative in the parameters of "
                    f"{measurement.obs.name} on wires {measurement.obs.wires.tolist()} in "
                    f"{type(measurement).__name__}: {BACKPROPAGATE}"
                )


def _entries(rule: Transform, tape: QuantumScript) -> tuple[QuantumScriptBatch, PostprocessingFn]:
    # The Hadamard test takes no batch of probabilities, whatever it is of.
    every = rule is qml.gradients.hadamard_grad
    for operation in tape.operations:
        traced = every or any(qml.math.requires_grad(value) for value in operation.data)
        if traced and operation.batch_size is not None:
            batch, stack = broadcast_expand(tape)
            return batch, stack
    return (tape,), null_postprocessing


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
    conditioned = isinstance(operation, Conditional)
    base = operation.base if conditioned else operation
    traced = any(qml.math.requires_grad(value) for value in base.data)
    if type(base) is Exp and traced and not base.has_decomposition:
        base = _as_evolution(base)
        operation = Conditional(operation.meas_val, base) if conditioned else base
    if not traced or has_rule(base) or not base.has_decomposition:
        yield operation
        return
    for part in base.decomposition():
        inner = Conditional(operation.meas_val, part) if conditioned else part
        yield from _parts(inner, has_rule)


def _as_evolution(exponential: Exp) -> Exp:
    """The same with a real number for parameter, which rules take, if the factor is imaginary."""
    if qml.math.real(exponential.coeff) != 0:
        return exponential
    return qml.evolve(exponential.base, qml.math.real(1j * exponential.coeff))
