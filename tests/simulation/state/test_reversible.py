from collections.abc import Callable
from itertools import pairwise
from math import inf

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from qrnn_circuits import QRNN
from qrnn_circuits.gates import WorkspaceGate, apply_workspace_gates
from qrnn_circuits.simulation.state import reversible
from qrnn_circuits.simulation.state.reversible import ReversibleEvolution, kept_inputs
from tests.conftest import WIDE
from tests.dense import DenseCell

MakeModel = Callable[..., QRNN]


def detached_gates(model: QRNN, dtype: torch.dtype = torch.float64) -> list[WorkspaceGate]:
    """A model's gates, their tables as leaves."""
    return [
        WorkspaceGate(
            gate.target,
            gate.cos.detach().to(dtype, copy=True).requires_grad_(),
            gate.sin.detach().to(dtype, copy=True).requires_grad_(),
        )
        for gate in model.cell.step_gates().workspace
    ]


def tables_of(gates: list[WorkspaceGate]) -> list[Tensor]:
    return [table for gate in gates for table in (gate.cos, gate.sin)]


def random_states(batch: int, workspace: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn(batch, 2**workspace, dtype=torch.float64, generator=generator)
    return torch.nn.functional.normalize(states)


def plain(gates: list[WorkspaceGate], state: Tensor, inputs: Tensor) -> Tensor:
    return apply_workspace_gates(gates, state.T, inputs).T


def undone(gates: list[WorkspaceGate], state: Tensor, inputs: Tensor) -> Tensor:
    return ReversibleEvolution(gates)(state, inputs)


def gradients(
    evolve: Callable[[list[WorkspaceGate], Tensor, Tensor], Tensor],
    gates: list[WorkspaceGate],
    state: Tensor,
    inputs: Tensor,
) -> list[Tensor]:
    """Of a random linear function of the evolved states, in the states and all tables."""
    state = state.detach().to(gates[0].cos.dtype).requires_grad_()
    evolved = evolve(gates, state, inputs)
    weights = random_states(len(state), evolved.shape[1].bit_length() - 1, seed=1)
    total = (evolved * weights.to(evolved.dtype)).sum()
    return list(torch.autograd.grad(total, [state, *tables_of(gates)]))


def largest_error(found: list[Tensor], expected: list[Tensor]) -> float:
    """Relative to the largest entry of each tensor."""
    return max(
        float((a.double() - b).abs().max() / b.abs().max().clamp(min=1e-12))
        for a, b in zip(found, expected, strict=True)
    )


@given(
    workspace=st.integers(1, 5),
    lane=st.integers(1, 2),
    stages=st.integers(0, 2),
    order=st.integers(0, 6),
    semantics=st.sampled_from(["postselected", "unitary"]),
    batch=st.integers(1, 5),
    mixed=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_states_and_gradients_equal_those_of_gates_that_keep_their_inputs(
    workspace: int,
    lane: int,
    stages: int,
    order: int,
    semantics: str,
    batch: int,
    mixed: bool,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    model = QRNN(
        workspace=workspace,
        lane=lane,
        stages=stages,
        order=order,
        degree=min(2, workspace + lane - 1),
        semantics=semantics,  # type: ignore[arg-type]
        initialisation=WIDE,
        generator=generator,
        dtype=torch.float64,
    )
    gates = detached_gates(model)
    state = random_states(batch, workspace, seed)
    inputs = torch.randint(2**lane, (batch,), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        if not mixed:
            patch.setattr(reversible, "MOST_MIXED_AMPLITUDES", 0)
        evolved = undone(gates, state, inputs)
        found = gradients(undone, gates, state, inputs)
    assert torch.allclose(evolved, plain(gates, state, inputs), rtol=0, atol=1e-12)
    for a, b in zip(found, gradients(plain, gates, state, inputs), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
@pytest.mark.parametrize(("workspace", "lane", "stages"), [(1, 1, 1), (3, 2, 2), (2, 2, 0)])
def test_a_step_equals_the_dense_circuit(
    workspace: int,
    lane: int,
    stages: int,
    semantics: str,
    make_model: MakeModel,
    dense_cell: Callable[[QRNN], DenseCell],
) -> None:
    model = make_model(
        workspace=workspace, lane=lane, stages=stages, degree=1, order=2, semantics=semantics
    )
    size = 2**workspace
    gates = model.cell.step_gates()
    evolve = ReversibleEvolution(gates.workspace)
    basis = torch.eye(size, dtype=torch.float64)
    scale = gates.log_scale.exp()
    for symbol in range(2**lane):
        evolved = evolve(basis, torch.full((size,), symbol))
        joint = scale * evolved[:, None, :] * gates.readout
        expected = dense_cell(model).step(symbol)[:, :size].T.reshape(size, 2**lane, size)
        assert np.abs(joint.detach().numpy() - expected).max() < 1e-10


def test_gradients_equal_finite_differences(make_model: MakeModel) -> None:
    gates = detached_gates(make_model(workspace=2, lane=1, stages=1))
    inputs = torch.tensor([0, 1, 1])

    def run(state: Tensor, *tables: Tensor) -> Tensor:
        pairs = zip(tables[::2], tables[1::2], strict=True)
        changed = [WorkspaceGate(g.target, *pair) for g, pair in zip(gates, pairs, strict=True)]
        return undone(changed, state, inputs)

    state = random_states(3, 2).requires_grad_()
    assert torch.autograd.gradcheck(run, (state, *tables_of(gates)))


@pytest.mark.parametrize(("order", "stages"), [(3, 8), (4, 3), (6, 3)])
def test_poorly_conditioned_gates_keep_their_gradients_through_kept_inputs(
    order: int, stages: int, make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(workspace=5, lane=1, stages=stages, order=order)
    gates = detached_gates(model)
    state, inputs = random_states(3, 5), torch.tensor([0, 1, 0])
    expected = gradients(plain, gates, state, inputs)
    assert largest_error(gradients(undone, gates, state, inputs), expected) < 1e-10
    never = dict.fromkeys(reversible.MOST_AMPLIFICATION, inf)
    monkeypatch.setattr(reversible, "MOST_AMPLIFICATION", never)
    # What is recovered wrongly is noticed, and computed again.
    assert largest_error(gradients(undone, gates, state, inputs), expected) < 1e-10
    monkeypatch.setattr(reversible, "MOST_DEVIATION", never)
    assert largest_error(gradients(undone, gates, state, inputs), expected) > 1e-3


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_float32_gradients_agree_with_float64(order: int, make_model: MakeModel) -> None:
    model = make_model(workspace=6, lane=2, stages=2, order=order)
    state, inputs = random_states(4, 6), torch.tensor([3, 0, 3, 1])
    exact = gradients(plain, detached_gates(model), state, inputs)
    single = gradients(undone, detached_gates(model, torch.float32), state, inputs)
    assert all(gradient.dtype == torch.float32 for gradient in single)
    assert largest_error(single, exact) < 1e-3


def test_symbols_that_do_not_occur_get_no_gradient(make_model: MakeModel) -> None:
    gates = detached_gates(make_model(workspace=3, lane=2))
    found = gradients(undone, gates, random_states(1, 3), torch.tensor([2]))
    of_symbols = [gradient for gradient in found[1:] if len(gradient) > 1]
    assert of_symbols
    for gradient in of_symbols:
        assert gradient[2].abs().max() > 0
        assert not gradient[[0, 1, 3]].any()


def test_the_number_of_states_that_are_saved_does_not_grow_with_the_stages(
    make_model: MakeModel,
) -> None:
    counts = []
    for stages in (1, 6):
        gates = detached_gates(make_model(workspace=7, lane=1, stages=stages))
        state = random_states(3, 7).requires_grad_()
        saved: list[Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, saved=saved: saved.append(tensor) or tensor,  # type: ignore[misc]
            lambda tensor: tensor,
        ):
            undone(gates, state, torch.tensor([0, 1, 1]))
        counts.append(sum(tensor.shape == state.shape for tensor in saved))
    assert counts == [2, 2]


def test_tables_that_change_before_the_backward_pass_are_noticed(make_model: MakeModel) -> None:
    gates = detached_gates(make_model(workspace=2, lane=1))
    evolved = undone(gates, random_states(1, 2), torch.tensor([0]))
    with torch.no_grad():
        gates[0].cos.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        evolved.sum().backward()


@given(conditions=st.lists(st.floats(0, 5) | st.just(inf), max_size=30), limit=st.floats(0, 20))
def test_undone_gates_between_kept_inputs_amplify_no_more_than_allowed(
    conditions: list[float], limit: float
) -> None:
    kept = kept_inputs(conditions, limit)
    bounds = [0, *kept, len(conditions)]
    for first, last in pairwise(bounds):
        assert sum(conditions[first + 1 : last]) <= limit
        # An input is only kept where the gates up to it could not all be undone.
        assert last == len(conditions) or sum(conditions[first + 1 : last + 1]) > limit
