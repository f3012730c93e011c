"""Applies PennyLane's operators to a stack of states in torch, in real arithmetic where they are.

A state has shape ``(branches, batch, 2, ..., 2)``: one axis for each wire, the first the most
significant. A tape's wires are numbered from 0. A batch of 1 stands for none.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
import pennylane as qml
import torch
from pennylane.operation import Operator
from scipy.sparse import issparse
from torch import Tensor

from qrnn_backends.conditions import holds
from qrnn_backends.torch.neuron import apply_neuron, is_native
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.tracing import is_traced

# In front of the axes of the wires.
LEAD = 2

# Their matrices are real whatever their angles are, which a complex number type hides.
_REAL_ROTATIONS = frozenset({"DoubleExcitation", "OrbitalRotation", "SingleExcitation"})

_NOTHING = (qml.Identity, qml.Barrier, qml.WireCut, qml.Snapshot)

# Of a state that is given in single precision.
_NORM = 1e-4

# Beyond, a dense matrix costs more than the gates that it can be decomposed to.
_MAX_MATRIX_WIRES = 8


def complex_type(dtype: torch.dtype) -> torch.dtype:
    """The complex type of the same precision."""
    return torch.complex64 if dtype == torch.float32 else torch.complex128


def is_supported(operator: Operator) -> bool:
    """Whether :func:`apply_operator` can apply an operator as it is."""
    match operator:
        case NeuronOperation():
            return is_native(operator)
        case qml.ops.Conditional() | qml.ops.Controlled():
            return is_supported(operator.base)
        case qml.ops.Prod() | qml.ops.op_math.ChangeOpBasis():
            # PennyLane multiplies matrices in the type of the first, which may be of integers.
            return False
        case qml.ops.Pow() if any(qml.math.requires_grad(value) for value in operator.data):
            # PennyLane's power of a matrix is not differentiable.
            return False
        case qml.ops.Adjoint() | qml.ops.Pow() if not is_supported(operator.base):
            if operator.has_decomposition:
                return False
        case _ if isinstance(operator, (*_NOTHING, qml.GlobalPhase)):
            return True
    if len(operator.wires) > _MAX_MATRIX_WIRES and operator.has_decomposition:
        return False
    sparse = isinstance(operator, qml.QubitUnitary) and operator.has_sparse_matrix
    return bool(operator.has_matrix or sparse)


def keeps_norm(operator: Operator) -> bool:
    """Whether the operator keeps the norm: projectors and postselected neurons do not."""
    if isinstance(operator, (qml.ops.Conditional, qml.ops.Controlled)):
        return keeps_norm(operator.base)
    if isinstance(operator, NeuronOperation):
        return operator.realisation.semantics == "unitary"
    return not holds(operator, qml.Projector)


def initial_state(
    preparation: qml.operation.StatePrepBase | None,
    wires: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """One branch in the prepared state, or with every wire in 0.

    Args:
        preparation: The tape's first operation, if it prepares a state.
        wires: Number of wires.
        dtype: Real type.
        device: Where the state lives.

    Returns:
        Shape ``(1, batch, 2, ..., 2)``, real where all amplitudes are.

    Raises:
        ValueError: If the norm of a state is not 1.
    """
    shape = (1, -1, *(2,) * wires)
    if preparation is None:
        state = torch.zeros(2**wires, dtype=dtype, device=device)
        state[0] = 1
        return state.reshape(shape)
    vector = preparation.state_vector(wire_order=range(wires))
    state = as_tensor(vector.toarray() if issparse(vector) else vector, dtype, device)
    norms = squared_norms(state.detach().reshape(shape)).sqrt()
    if not is_traced() and bool(((norms - 1).abs() > _NORM).any()):
        raise ValueError(
            f"the state of {preparation.name} must have norm 1, got {norms.max().item():.6g}: "
            "normalize=True makes it so"
        )
    return state.reshape(shape)


def as_tensor(
    values: object, dtype: torch.dtype, device: torch.device, *, real: bool = False
) -> Tensor:
    """Numbers of any interface as a tensor, real where imaginary parts are and stay zero.

    Args:
        values: A tensor, an array or a number.
        dtype: Real type.
        device: Where the tensor shall live.
        real: Whether the imaginary parts are known to be zero.
    """
    tensor = values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))
    # An imaginary part that is zero may have a derivative that is not.
    differentiated = tensor.requires_grad or is_traced()
    if tensor.is_complex() and (real or not (differentiated or tensor.imag.any())):
        tensor = tensor.real
    return tensor.to(device, complex_type(dtype) if tensor.is_complex() else dtype)


def apply_operator(state: Tensor, operator: Operator, dtype: torch.dtype) -> Tensor:
    """Applies an operator to every branch.

    Args:
        state: Shape ``(branches, batch, 2, ..., 2)``.
        operator: Supported, on wires numbered by their axes.
        dtype: Real type of the device.

    Returns:
        The new state; with a larger batch, if the operator is the first with a batch of parameters,
        and complex, if the operator is the first that is.
    """
    wires = operator.wires.tolist()
    match operator:
        case NeuronOperation():
            return apply_neuron(state, operator)
        case qml.ops.Controlled():
            return _apply_controlled(state, operator, dtype)
        case qml.X():
            return state.flip(LEAD + wires[0])
        case qml.GlobalPhase():
            phase = -1j * _parameter(operator, state, dtype)
            return state * as_tensor(phase.exp(), dtype, state.device).reshape(
                -1, *(1,) * (state.ndim - LEAD)
            )
        case _ if isinstance(operator, _NOTHING):
            return state
    return apply_matrix(state, _matrix(state, operator, dtype), wires)


def apply_matrix(state: Tensor, matrix: Tensor, wires: Sequence[int]) -> Tensor:
    """Applies a matrix of shape ``(2**k, 2**k)`` or ``(batch, 2**k, 2**k)`` to k wires."""
    if matrix.is_complex() != state.is_complex():
        common = torch.promote_types(matrix.dtype, state.dtype)
        matrix, state = matrix.to(common), state.to(common)
    axes, last = [LEAD + wire for wire in wires], range(-len(wires), 0)
    moved = state.movedim(axes, tuple(last))
    applied = moved.reshape(*moved.shape[:LEAD], -1, 2 ** len(wires)) @ matrix.mT
    return applied.reshape(*applied.shape[:LEAD], *moved.shape[LEAD:]).movedim(tuple(last), axes)


def _apply_controlled(state: Tensor, operator: qml.ops.Controlled, dtype: torch.dtype) -> Tensor:
    """Applies the base to the part of the state that the control values select."""
    place: list[slice] = [slice(None)] * state.ndim
    for wire, value in zip(operator.control_wires, operator.control_values, strict=True):
        place[LEAD + wire] = slice(int(value), int(value) + 1)
    part = apply_operator(state[tuple(place)], operator.base, dtype)
    return replaced(state, part, tuple(place))


def replaced(state: Tensor, part: Tensor, place: tuple[slice | Tensor, ...]) -> Tensor:
    """A copy of the state with one part replaced, which may have become complex or a batch."""
    batch = torch.broadcast_shapes(state.shape[1:2], part.shape[1:2])
    state = state.to(torch.promote_types(state.dtype, part.dtype))
    # The sum is a copy, which torch.func.vmap batches where it batches the part.
    nothing = part.new_zeros((), dtype=state.dtype)
    state = state.expand(state.shape[0], *batch, *state.shape[LEAD:]) + nothing
    state[place] = part.to(state.dtype)
    return state


def _matrix(state: Tensor, operator: Operator, dtype: torch.dtype) -> Tensor:
    if isinstance(operator, qml.RY):
        half = _parameter(operator, state, dtype) / 2
        cos, sin = half.cos(), half.sin()
        rotation: Tensor = torch.stack((cos, -sin, sin, cos), -1).unflatten(-1, (2, 2))
        return rotation
    if not operator.has_matrix:
        return as_tensor(operator.sparse_matrix().toarray(), dtype, state.device)
    real = operator.name in _REAL_ROTATIONS
    if len({isinstance(value, Tensor) for value in operator.data}) > 1:
        # PennyLane computes with tensors, or with numbers, but not with both.
        tensors = [as_tensor(value, dtype, state.device) for value in operator.data]
        operator = qml.ops.functions.bind_new_parameters(operator, tensors)
    return as_tensor(operator.matrix(), dtype, state.device, real=real)


def _parameter(operator: Operator, state: Tensor, dtype: torch.dtype) -> Tensor:
    return as_tensor(operator.data[0], dtype, state.device, real=True)


def squared_norms(state: Tensor) -> Tensor:
    """Of each branch and batch entry, shape ``(branches, batch)``."""
    flat = state.reshape(*state.shape[:LEAD], prod(state.shape[LEAD:]))
    flat = torch.view_as_real(flat).flatten(LEAD) if flat.is_complex() else flat
    return (flat * flat).sum(-1)
