from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from qrnn_circuits import FeatureQRNNCell
from qrnn_circuits.simulation import expectations
from qrnn_circuits.simulation.expectations import feature_states
from tests.conftest import WIDE

OPTIONS = [
    {"order": 0, "stages": 1},
    {"order": 0, "stages": 0, "degree": 3},
    {"order": 1, "semantics": "postselected"},
    {"order": 2, "semantics": "unitary"},
    {"order": 3, "semantics": "postselected", "stages": 2},
]
Make = Callable[..., FeatureQRNNCell]


@pytest.fixture
def make_cell() -> Make:
    def make(**options: object) -> FeatureQRNNCell:
        sizes: dict[str, object] = {"features": 2, "lane": 2, "workspace": 3}
        return FeatureQRNNCell(
            **(sizes | options),  # type: ignore[arg-type]
            initialisation=WIDE,
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float64,
        )

    return make


@pytest.fixture
def inputs() -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(4, 3, 2, generator=generator, dtype=torch.float64)


def by_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expectations, "is_traced", lambda: True)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("way", [lambda patch: None, by_gates])
def test_states_are_those_of_one_step_after_another(
    options: dict[str, object],
    way: Callable[[pytest.MonkeyPatch], None],
    make_cell: Make,
    inputs: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way(monkeypatch)
    cell = make_cell(**options)
    state = cell.initial_state(3)

    found = feature_states(cell, inputs, state)

    for step, after in zip(inputs, found, strict=True):
        state = cell.evolve(step, state)
        state = state / torch.linalg.vector_norm(state, dim=1, keepdim=True)
        assert torch.allclose(after, state, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("way", [lambda patch: None, by_gates])
def test_gradients_are_those_of_finite_differences(
    options: dict[str, object],
    way: Callable[[pytest.MonkeyPatch], None],
    make_cell: Make,
    inputs: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way(monkeypatch)
    cell = make_cell(**options)
    start = cell.initial_state(1)

    def run(features: Tensor, state: Tensor, *_: Tensor) -> Tensor:
        state = state / torch.linalg.vector_norm(state)
        states = feature_states(cell, features, state)
        return cell.lane_expectations(features.flatten(0, 1), states.square().flatten(0, 1))

    one = inputs[:2, :1].clone().requires_grad_()
    arguments = (one, start.requires_grad_(), *cell.parameters())
    assert torch.autograd.gradcheck(run, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, arguments, fast_mode=True)


def test_the_expectation_is_that_of_what_the_lane_reads(make_cell: Make, inputs: Tensor) -> None:
    cell = make_cell(order=1, semantics="postselected")
    state = cell.initial_state(3)
    joint = cell(inputs[0], state)
    weights = cell.weights(joint)
    shares = weights / weights.sum(1, keepdim=True)
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)

    states = feature_states(cell, inputs[:1], state)
    found = cell.lane_expectations(inputs[0], states[0].square())

    assert torch.allclose(found, shares @ signs, rtol=0, atol=1e-12)


def test_torch_func_follows_a_run(make_cell: Make, inputs: Tensor) -> None:
    cell = make_cell()
    one = inputs[:, :1]

    def last(features: Tensor) -> Tensor:
        states = feature_states(cell, features, cell.initial_state(1))
        return cell.lane_expectations(features[-1], states[-1].square())[0]

    found = torch.func.jacrev(last)(one)
    expected = torch.autograd.functional.jacobian(last, one)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS)
def test_gradients_of_many_values_at_once_are_those_of_each(
    options: dict[str, object], make_cell: Make, inputs: Tensor
) -> None:
    cell = make_cell(**options)

    def last(features: Tensor) -> Tensor:
        return feature_states(cell, features, cell.initial_state(3))[-1]

    found = torch.autograd.functional.jacobian(last, inputs, vectorize=True)
    expected = torch.autograd.functional.jacobian(last, inputs)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_rotations_that_a_cell_lacks_have_no_gradient_that_is_kept(
    make_cell: Make, inputs: Tensor
) -> None:
    cell = make_cell(stages=0)
    cell.coefficients.requires_grad_(False)
    states = feature_states(cell, inputs, cell.initial_state(3))
    (gradient,) = torch.autograd.grad(
        states.sum(), cell.theta, create_graph=True, materialize_grads=True
    )
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize("way", [lambda patch: None, by_gates])
def test_rounding_does_not_add_up_to_another_norm(
    way: Callable[[pytest.MonkeyPatch], None],
    make_cell: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way(monkeypatch)
    cell = make_cell(stages=2).float()
    features = torch.rand(1500, 1, 2, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        states = feature_states(cell, features, cell.initial_state(1))
    norms = torch.linalg.vector_norm(states.double(), dim=-1)
    assert (norms - 1).abs().max() < 1e-6


def test_rounding_does_not_add_up_in_gradients(make_cell: Make) -> None:
    def slope(dtype: torch.dtype) -> Tensor:
        # The same numbers in both types.
        cell = make_cell(stages=2).float().to(dtype)
        features = torch.rand(1500, 1, 2, generator=torch.Generator().manual_seed(2)).to(dtype)
        states = feature_states(cell, features, cell.initial_state(1))
        total = cell.lane_expectations(features[:, 0], states[:, 0].square()).sum()
        return torch.autograd.grad(total, cell.coefficients)[0].double()

    found, expected = slope(torch.float32), slope(torch.float64)
    assert (found - expected).norm() < 5e-5 * expected.norm()


@pytest.mark.parametrize("with_norms", [False, True])
def test_networks_side_by_side_return_all_that_each_alone_does(with_norms: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    # Two networks, two steps, an input and a work stage, three wires, five sequences.
    angles, norms = torch.rand(2, 2, 2, 2, 3, 4, 5, generator=generator)
    theta, state = torch.rand(2, 1, 3, 1, generator=generator), torch.eye(8)[:, :5]

    def run(angles: Tensor, norms: Tensor, theta: Tensor) -> tuple[Tensor, ...]:
        gates = angles, norms if with_norms else None, theta
        apply = expectations._Recurrence.apply
        found: tuple[Tensor, ...] = apply(*gates, state, True)  # type: ignore[no-untyped-call]
        return found

    together = torch.vmap(run)(angles, norms, theta)
    alone = zip(*map(run, angles, norms, theta), strict=True)
    for found, expected in zip(together, alone, strict=True):
        assert torch.allclose(found, torch.stack(expected), rtol=0, atol=1e-6)
