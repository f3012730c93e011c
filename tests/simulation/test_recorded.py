"""Cells that are run step by step where something follows that leaves Python without numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from qrnn_circuits import PADDING, UNREAD, FeatureQRNNCell, RecurrentNetwork
from qrnn_circuits.cells import Cell
from tests.cells.rotation_cell import RotationCell
from tests.simulation.test_subclasses import OtherReading

READ = torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0]])
UNREAD_AND_PADDED = torch.tensor(
    [[0, 1, UNREAD, 1], [1, UNREAD, PADDING, PADDING], [UNREAD, 0, 1, PADDING]]
)
OUTCOMES = {"all read": READ, "unread steps and padding": UNREAD_AND_PADDED}


class Predicting(nn.Module):
    """Of a network the tensors alone."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.network = RecurrentNetwork(cell)

    def forward(self, inputs: Tensor, outcomes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output = self.network(inputs, outcomes)
        return output.log_probs, output.log_acceptance, output.state


def features_of(symbols: Tensor) -> Tensor:
    return torch.stack((symbols.cos(), symbols.sin()), -1).double() / 3


@pytest.fixture(params=["postselected features", "other steps"])
def module(request: pytest.FixtureRequest) -> Predicting:
    generator = torch.Generator().manual_seed(0)
    if request.param == "other steps":
        cell: Cell = OtherReading(lane=1, workspace=2, generator=generator, dtype=torch.float64)
    else:
        cell = FeatureQRNNCell(
            features=2,
            lane=1,
            workspace=2,
            order=1,
            semantics="postselected",
            generator=generator,
            dtype=torch.float64,
        )
    return Predicting(cell)


def inputs_of(module: Predicting) -> Tensor:
    symbols = torch.tensor([[0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 0]])
    return features_of(symbols) if module.network.cell.features else symbols


def assert_same(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.filterwarnings("ignore")  # That torch.jit.trace is deprecated.
@pytest.mark.parametrize(
    ("way", "recorded"),
    [(torch.jit.trace, recorded) for recorded in OUTCOMES]
    + [(torch.export.export, "all read"), (make_fx, "all read")],
)
def test_a_recorded_network_takes_steps_that_are_read_elsewhere(
    module: Predicting, way: Callable[..., Any], recorded: str
) -> None:
    inputs, given = inputs_of(module), (inputs_of(module).flip(0), OUTCOMES[recorded])
    found = way(module)(*given) if way is make_fx else way(module, given)
    if way is torch.export.export:
        found = found.module()
    for outcomes in OUTCOMES.values():
        assert_same(found(inputs, outcomes), module(inputs, outcomes))


def test_an_exported_network_takes_batches_of_other_sizes(module: Predicting) -> None:
    inputs, batch = inputs_of(module), {0: torch.export.Dim("batch", min=2, max=64)}
    exported = torch.export.export(module, (inputs, READ), dynamic_shapes=(batch, batch)).module()
    for rows in ([0, 2], [2, 1, 0, 1, 2]):
        given = inputs[rows], UNREAD_AND_PADDED[rows]
        assert_same(exported(*given), module(*given))


@pytest.mark.parametrize("asked", OUTCOMES)
def test_sequences_by_vmap_are_predicted_as_each_alone(module: Predicting, asked: str) -> None:
    inputs, outcomes = inputs_of(module), OUTCOMES[asked]
    found = vmap(lambda one, other: module(one[None], other[None]))(inputs, outcomes)
    assert_same(tuple(each.squeeze(1) for each in found), module(inputs, outcomes))


@pytest.mark.parametrize("asked", OUTCOMES)
def test_a_gradient_of_torch_func_is_that_of_backward(module: Predicting, asked: str) -> None:
    inputs, outcomes = inputs_of(module), OUTCOMES[asked]

    def total(values: Mapping[str, Tensor]) -> Tensor:
        log_probs, log_acceptance, state = functional_call(module, dict(values), (inputs, outcomes))
        scored = log_probs.masked_fill(outcomes[..., None] < 0, 0)[..., 0].sum()
        found: Tensor = scored + log_acceptance.sum() + state[:, 0].sum()
        return found

    parameters = dict(module.named_parameters())
    expected = torch.autograd.grad(total(parameters), list(parameters.values()))
    found = grad(total)({name: value.detach() for name, value in parameters.items()})
    assert_same(tuple(found.values()), expected)


@pytest.mark.filterwarnings("ignore")
def test_what_follows_a_step_that_a_recorded_cell_cannot_leave_unread_has_no_numbers() -> None:
    module = Predicting(RotationCell(lane=1, workspace=2, dtype=torch.float64))
    inputs = inputs_of(module)
    exported = torch.export.export(module, (inputs, READ)).module()
    assert_same(exported(inputs, READ), module(inputs, READ))
    padded = READ.clone()
    padded[1, 2:] = PADDING
    assert_same(exported(inputs, padded), module(inputs, padded))

    log_probs, log_acceptance, state = exported(inputs, UNREAD_AND_PADDED)
    assert not log_probs[0, :2].isnan().any()
    for unknown in (log_probs[0, 3], log_acceptance[0], state):
        assert unknown.isnan().all()
