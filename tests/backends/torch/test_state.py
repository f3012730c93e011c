from collections.abc import Callable
from functools import partial

import numpy as np
import pennylane as qml
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pennylane.operation import Operator
from torch import Tensor

from qrnn_backends.torch.state import (
    apply_matrix,
    apply_operator,
    initial_state,
    is_supported,
    keeps_norm,
    squared_norms,
)
from tests.backends.dynamic_circuits import REAL_GATES, Instruction, circuits, queue

CPU = torch.device("cpu")
zero_state = partial(initial_state, None, dtype=torch.float64, device=CPU)


def run(instructions: list[Instruction]) -> Tensor:
    state = zero_state(3)
    for operator in qml.tape.make_qscript(queue)(instructions).operations:
        state = apply_operator(state, operator, torch.float64)
    return state


@settings(max_examples=40)
@given(circuits())
def test_circuits_give_the_state_of_their_matrices(instructions: list[Instruction]) -> None:
    matrix = qml.matrix(qml.tape.make_qscript(queue)(instructions), wire_order=range(3))
    np.testing.assert_allclose(run(instructions).reshape(8), matrix[:, 0], atol=1e-12)


@settings(max_examples=20)
@given(circuits(names=REAL_GATES))
def test_real_gates_leave_the_state_real(instructions: list[Instruction]) -> None:
    assert run(instructions).dtype == torch.float64


def test_the_first_complex_gate_makes_the_state_complex() -> None:
    gates = [Instruction("gate", "RY"), Instruction("gate", "S"), Instruction("gate", "RY")]
    kinds = [run(gates[:count]).is_complex() for count in (1, 2, 3)]
    assert kinds == [False, True, True]


def test_a_vanishing_imaginary_part_counts_where_it_has_a_gradient() -> None:
    angle = torch.zeros((), dtype=torch.float64, requires_grad=True)
    state = apply_operator(zero_state(1), qml.RX(angle, 0), torch.float64)
    # <Y> = -sin(angle)
    value = 2 * (state[0, 0, 0].conj() * state[0, 0, 1]).imag
    value.backward()
    assert angle.grad == -1
    assert not apply_operator(zero_state(1), qml.RX(0.0, 0), torch.float64).is_complex()


OPERATORS: list[Operator] = [
    qml.MultiControlledX([3, 0, 2, 1], control_values=[0, 1, 1]),
    qml.ctrl(qml.RX(0.3, 2), [0, 3], control_values=[1, 0]),
    qml.ctrl(qml.ctrl(qml.S(1), 0), 3),
    qml.ctrl(qml.GlobalPhase(0.4), [1, 2]),
    qml.adjoint(qml.T(2)),
    qml.pow(qml.RX(0.4, 1), 0.5),
    qml.QubitUnitary(np.linalg.qr(np.arange(64.0).reshape(8, 8) % 7 + np.eye(8))[0], [3, 0, 1]),
    qml.DoubleExcitation(0.7, [2, 0, 1, 3]),
    qml.PauliRot(0.3, "XYZ", [3, 1, 0]),
    qml.QubitUnitary(qml.SWAP.compute_sparse_matrix(), [3, 1]),
    qml.SWAP([3, 1]),
    qml.Identity([0, 1]),
    qml.Projector([1, 0], [2, 0]),
]


def dense(operator: Operator) -> NDArray[np.float64]:
    return np.asarray(operator.sparse_matrix(wire_order=range(4)).todense())


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: str(operator.name))
def test_operators_act_on_their_wires_of_every_branch_and_entry(operator: Operator) -> None:
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(3, 2, 2, 2, 2, 2, dtype=torch.complex128, generator=generator)
    applied = apply_operator(state, operator, torch.float64)
    matrix = qml.matrix(operator, wire_order=range(4)) if operator.has_matrix else dense(operator)
    matrix = torch.as_tensor(matrix).to(state.dtype)
    expected = (state.reshape(6, 16) @ matrix.T).reshape(state.shape)
    torch.testing.assert_close(applied, expected)


@pytest.mark.parametrize("entries", [1, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda angles: qml.RY(angles, 1),
        lambda angles: qml.RX(angles, 0),
        lambda angles: qml.CRX(angles, [1, 0]),
        lambda angles: qml.GlobalPhase(angles, 0),
        lambda angles: qml.ctrl(qml.GlobalPhase(angles), 1),
    ],
)
def test_batched_parameters_act_entry_by_entry(
    make: Callable[[object], Operator], entries: int
) -> None:
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(2, entries, 2, 2, dtype=torch.float64, generator=generator)
    angles = torch.tensor([0.3, -0.8, 2.0], dtype=torch.float64)
    together = apply_operator(state, make(angles), torch.float64)
    for entry, angle in enumerate(angles):
        one = state[:, entry % entries][:, None]
        alone = apply_operator(one, make(angle), torch.float64)
        torch.testing.assert_close(together[:, entry], alone[:, 0], check_dtype=False)


@given(st.permutations(range(3)), st.integers(1, 3))
def test_a_matrix_acts_on_its_wires_in_their_order(wires: list[int], count: int) -> None:
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(2, 1, 2, 2, 2, dtype=torch.float64, generator=generator)
    matrix = torch.randn(2**count, 2**count, dtype=torch.float64, generator=generator)
    applied = apply_matrix(state, matrix, wires[:count])
    whole = qml.math.expand_matrix(matrix.numpy(), wires[:count], wire_order=range(3))
    np.testing.assert_allclose(
        applied.reshape(2, 8), state.reshape(2, 8).numpy() @ whole.T, atol=1e-12
    )


def test_a_prepared_state_is_real_where_its_amplitudes_are() -> None:
    real = initial_state(qml.StatePrep([0.6, 0.8], 1), 2, torch.float64, CPU)
    torch.testing.assert_close(real[0, 0], torch.tensor([[0.6, 0.8], [0, 0]], dtype=torch.float64))
    batch = initial_state(qml.StatePrep([[0.6, 0.8j], [1.0, 0.0]], 0), 1, torch.float32, CPU)
    assert batch.shape == (1, 2, 2)
    assert batch.dtype == torch.complex64


@pytest.mark.parametrize("vector", [[2.0, 0.0], [[1.0, 0.0], [0.3, 0.4]]])
def test_a_prepared_state_has_norm_one(vector: list[float]) -> None:
    with pytest.raises(ValueError, match=r"the state of StatePrep must have norm 1, got (2|1)"):
        initial_state(qml.StatePrep(vector, 0), 1, torch.float64, CPU)


def test_squared_norms_are_of_each_branch_and_entry() -> None:
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(3, 2, 2, 2, dtype=torch.complex128, generator=generator)
    torch.testing.assert_close(squared_norms(state), state.reshape(3, 2, 4).abs().square().sum(-1))


def test_what_needs_decomposing_is_not_supported() -> None:
    assert is_supported(qml.ctrl(qml.RX(0.1, 20), range(20)))
    assert not is_supported(qml.QFT(range(9)))
    assert not is_supported(qml.StatePrep([1, 0], 0))
    assert not is_supported(qml.adjoint(qml.prod(qml.X(0), qml.RX(0.1, 0))))
    assert not is_supported(qml.change_op_basis(qml.Hadamard(0), qml.RZ(0.1, 0)))
    assert is_supported(qml.pow(qml.prod(qml.X(0), qml.RX(0.1, 1)), 0.5))
    assert not is_supported(qml.ops.Conditional(qml.measure(0), qml.ops.MidMeasure(1)))
    assert not keeps_norm(qml.Projector([1], 0))
    assert keeps_norm(qml.ctrl(qml.RX(0.1, 1), 0))
