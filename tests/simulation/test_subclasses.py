"""Cells of a subclass, whose steps may be others than those that the faster ways know."""

import pytest
import torch
from torch import Tensor

from qrnn_circuits import UNREAD, RecurrentNetwork
from qrnn_circuits.cells import Cell, FeatureQRNNCell, QRNNCell
from qrnn_circuits.gates import StepGates
from qrnn_circuits.simulation import quantum_neurons
from qrnn_circuits.simulation.state import run


class OtherReading(QRNNCell):
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return super().forward(1 - inputs, state)


class OtherUnread(QRNNCell):
    def evolve(self, inputs: Tensor, state: Tensor) -> Tensor:
        return super().evolve(1 - inputs, state)


class OtherWeights(QRNNCell):
    def weights(self, joint: Tensor) -> Tensor:
        return super().weights(joint).flip(-1)


class OtherGates(QRNNCell):
    def step_gates(self, dtype: torch.dtype | None = None) -> StepGates:
        gates = super().step_gates(dtype)
        return gates._replace(readout=gates.readout.flip(0))


class OtherCoefficients(QRNNCell):
    @property
    def neuron_coefficients(self) -> Tensor:
        return 2 * super().neuron_coefficients


class OtherFeatures(FeatureQRNNCell):
    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        return super().forward(-inputs, state)


class OnlyNamed(QRNNCell):
    """Another name, and the same steps."""


def network_of(cell: type[Cell], **sizes: int) -> RecurrentNetwork:
    made = cell(lane=1, workspace=2, dtype=torch.float64, **sizes)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return RecurrentNetwork(made)


def by_steps(network: RecurrentNetwork, inputs: Tensor, outcomes: Tensor) -> Tensor:
    """The predictions of the read steps, by what the cell says of each step."""
    cell, state = network.cell, network.cell.initial_state(len(inputs))
    found = []
    for step, read in zip(inputs.unbind(1), outcomes.unbind(1), strict=True):
        if (read == UNREAD).all():
            state = cell.evolve(step, state)
            state = state / state.norm(dim=-1, keepdim=True)
            continue
        joint = cell(step, state)
        weights = cell.weights(joint)
        found.append((weights / weights.sum(-1, keepdim=True)).log())
        state = cell.condition(joint, read)
    return torch.stack(found, 1)


@pytest.mark.parametrize(
    "cell",
    [
        OtherReading,
        OtherUnread,
        OtherWeights,
        OtherGates,
        OtherCoefficients,
        OtherFeatures,
        OnlyNamed,
    ],
)
@torch.no_grad()
def test_what_a_subclass_says_of_a_step_is_what_a_network_does(
    cell: type[Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As of large cells, of which no tables of gates are kept.
    monkeypatch.setattr(quantum_neurons, "cheaper_strategy", lambda *_, **__: "state")
    monkeypatch.setattr(run, "MOST_TABLE_BYTES", 0)
    features = {"features": 1} if cell is OtherFeatures else {}
    network = network_of(cell, **features)
    inputs = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1]])
    outcomes = torch.tensor([[1, UNREAD, 0, 1], [0, UNREAD, 1, 1]])
    if features:
        inputs = inputs[..., None].double() / 3
    found = network(inputs, outcomes).log_probs[:, [0, 2, 3]]
    assert torch.allclose(found, by_steps(network, inputs, outcomes), rtol=0, atol=1e-12)


def test_only_other_steps_are_run_one_by_one() -> None:
    assert network_of(OnlyNamed).chosen_strategy(8, 100) == "transfer"
    assert network_of(OtherReading).chosen_strategy(8, 100) == "stepwise"
    with pytest.raises(ValueError, match="'stepwise' for a OtherReading, got 'transfer'"):
        RecurrentNetwork(OtherReading(lane=1, workspace=2), strategy="transfer")
