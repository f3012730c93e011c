from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits import QRNN
from qrnn_circuits.gates import WorkspaceStages, apply_workspace_gates
from qrnn_circuits.simulation.transfer import operators as transfer


def random_stages(seed: int, lane: int, wires: int, stages: int) -> WorkspaceStages:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 1 + stages, wires, 2**lane, 2 ** (wires - 1))
    blocks = torch.randn(shape, generator=generator).double()
    theta = torch.randn(stages, wires, generator=generator).double()
    return WorkspaceStages(blocks.requires_grad_(), theta.requires_grad_())


def gate_by_gate(stages: WorkspaceStages, symbols: int) -> Tensor:
    """The identity, pushed through the gates."""
    size = 2 * stages.blocks.shape[-1]
    basis = torch.eye(size, dtype=torch.float64)
    return torch.stack(
        [
            apply_workspace_gates(stages, basis, torch.full((size,), symbol))
            for symbol in range(symbols)
        ]
    )


@pytest.mark.parametrize("at_once", [1, 6])
@given(
    seed=st.integers(0, 2**31),
    lane=st.integers(1, 2),
    wires=st.integers(1, 5),
    stages=st.integers(0, 3),
)
def test_operators_and_their_gradients_are_those_of_the_gates_one_by_one(
    at_once: int, seed: int, lane: int, wires: int, stages: int
) -> None:
    tables = random_stages(seed, lane, wires, stages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "_MOST_WIRES_AT_ONCE", at_once)
        operators = transfer.transfer_operators(tables, 2**lane)
        expected = gate_by_gate(tables, 2**lane)
        weights = torch.randn_like(expected)
        parameters = (tables.blocks, tables.theta)
        gradients = torch.autograd.grad((operators * weights).sum(), parameters)
    assert torch.allclose(operators, expected, rtol=1e-11, atol=1e-11)
    plain = torch.autograd.grad(
        (expected * weights).sum(), parameters, allow_unused=True, materialize_grads=True
    )
    for gradient, value in zip(gradients, plain, strict=True):
        assert torch.allclose(gradient, value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("at_once", [1, 6])
def test_gradients_of_operators_equal_finite_differences(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_MOST_WIRES_AT_ONCE", at_once)
    tables = random_stages(0, 1, 3, 2)

    def run(blocks: Tensor, theta: Tensor) -> Tensor:
        operators: Tensor = transfer.transfer_operators(WorkspaceStages(blocks, theta), 2)
        return operators

    assert torch.autograd.gradcheck(run, (tables.blocks, tables.theta))


def test_operators_cannot_be_differentiated_twice(make_model: Callable[..., QRNN]) -> None:
    cell = make_model(workspace=2, lane=1).cell
    operators = transfer.transfer_operators(cell.step_gates().workspace, 2)
    with pytest.raises(RuntimeError, match="strategy='stepwise'"):
        torch.autograd.grad((operators**2).sum(), cell.theta, create_graph=True)
