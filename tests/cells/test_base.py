from collections.abc import Callable, Sequence

import pennylane as qml
import pytest
import torch
from torch import Tensor

from qrnn_circuits import QRNN, UNREAD, QRNNCell
from qrnn_circuits.cells.base import Cell, check_unread
from qrnn_circuits.network import RecurrentNetwork, ZeroProbabilityError
from tests.cells.rotation_cell import RotationCell


@pytest.fixture
def network() -> RecurrentNetwork:
    generator = torch.Generator().manual_seed(3)
    return RecurrentNetwork(
        RotationCell(lane=2, workspace=2, generator=generator, dtype=torch.float64)
    )


def last_distribution(cell: Cell, inputs: Sequence[int], outcomes: Sequence[int]) -> Tensor:
    """The last step's lane by the cell's gates alone, on default.qubit."""
    lane = list(range(cell.lane))
    workspace = list(range(cell.lane, cell.lane + cell.workspace))

    def circuit() -> qml.measurements.ProbabilityMP:
        held = 0
        for step, symbol in enumerate(inputs):
            for stage in cell.circuit(symbol, lane, workspace, NotImplemented, lane_symbol=held):
                for operation in stage.operations:
                    qml.apply(operation)
            if step < len(outcomes):
                held = outcomes[step]
                for place, wire in enumerate(lane):
                    qml.measure(wire, postselect=held >> (cell.lane - 1 - place) & 1)
        return qml.probs(wires=lane)

    device = qml.device("default.qubit")
    distribution: Tensor = qml.QNode(circuit, device, mcm_method="tree-traversal")()
    return distribution


def test_a_cell_without_a_way_of_its_own_is_run_step_by_step_as_its_gates(
    network: RecurrentNetwork,
) -> None:
    inputs, outcomes = torch.tensor([[1, 3, 0, 2]]), torch.tensor([[2, 0, 1, 3]])
    network.requires_grad_(False)
    output = network(inputs, outcomes)
    for t in range(4):
        steps = inputs[0, : t + 1].tolist(), outcomes[0, :t].tolist()
        gates = last_distribution(network.cell, *steps)
        assert torch.allclose(output.log_probs[0, t].exp(), gates, rtol=0, atol=1e-10)
    kept = output.log_probs.gather(2, outcomes[..., None]).sum()
    assert output.log_acceptance.item() == pytest.approx(kept.item(), abs=1e-12)
    assert network.chosen_strategy(1, 4) == "stepwise"


def test_its_gradients_equal_finite_differences(network: RecurrentNetwork) -> None:
    inputs, outcomes = torch.tensor([[1, 3, 0], [0, 0, 2]]), torch.tensor([[2, 0, 1], [1, 3, 3]])
    scored = torch.tensor([[False, True, True], [True, False, False]])

    def loss(angles: Tensor) -> Tensor:
        names = {"cell.angles": angles}
        output = torch.func.functional_call(network, names, (inputs, outcomes))
        log_probs: Tensor = output.log_probs.gather(2, outcomes[..., None])[..., 0]
        return log_probs[scored].mean()

    (angles,) = network.parameters()
    assert torch.autograd.gradcheck(loss, (angles,))
    assert network.loss(inputs, outcomes, scored).item() == pytest.approx(-loss(angles).item())


def test_a_qrnn_cell_step_by_step_equals_its_fast_ways(
    make_model: Callable[..., QRNN], random_symbols: Callable[..., Tensor]
) -> None:
    class Plain(Cell):
        """A QRNN cell of which only the step is known."""

        def __init__(self, cell: QRNNCell) -> None:
            super().__init__()
            self.lane, self.workspace, self._cell = cell.lane, cell.workspace, cell

        def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
            joint: Tensor = self._cell(inputs, state)
            return joint

    model = make_model(lane=2, workspace=2)
    inputs, outcomes = random_symbols(model, 3, 4), random_symbols(model, 3, 4, seed=1)
    fast, plain = model(inputs, outcomes), RecurrentNetwork(Plain(model.cell))(inputs, outcomes)
    assert fast.lengths is None
    for name in ("log_probs", "log_acceptance", "outcomes", "state"):
        assert torch.allclose(getattr(fast, name), getattr(plain, name), rtol=0, atol=1e-10)


def test_sampled_outcomes_follow_the_distribution_of_each_step(network: RecurrentNetwork) -> None:
    inputs = torch.tensor([[1, 2]]).repeat(4000, 1)
    everywhere = torch.ones_like(inputs, dtype=torch.bool)
    generator = torch.Generator().manual_seed(0)
    output = network.sample(inputs, inputs, sampled=everywhere, generator=generator)
    shares = torch.bincount(output.outcomes[:, 0], minlength=4) / len(inputs)
    assert torch.allclose(shares.double(), output.log_probs[0, 0].exp(), rtol=0, atol=0.03)
    assert output.log_acceptance.abs().max() < 1e-12


def test_what_a_cell_does_not_have_is_said(network: RecurrentNetwork) -> None:
    class Bare(RotationCell):
        circuit = Cell.circuit

    with pytest.raises(NotImplementedError, match="Bare has no circuit"):
        Bare(lane=1, workspace=1).circuit(0, [0], [1], NotImplemented)
    with pytest.raises(ValueError, match="'auto' or 'stepwise' for a RotationCell, got 'transfer'"):
        RecurrentNetwork(network.cell, strategy="transfer")
    still = RotationCell(lane=1, workspace=1, layers=1)
    torch.nn.init.zeros_(still.angles)
    with pytest.raises(ZeroProbabilityError, match=r"outcomes\[0, 0\] is 1"):
        RecurrentNetwork(still)(torch.tensor([[0]]), torch.tensor([[1]]))


@pytest.mark.parametrize("method", ["evolve", "evolve_circuit"])
def test_unread_steps_take_both_a_simulation_and_a_circuit(method: str) -> None:
    own = {method: lambda self, *arguments, **options: None}
    cell = type("Half", (RotationCell,), own)(lane=1, workspace=1)
    with pytest.raises(NotImplementedError, match="Half must be read at every step"):
        check_unread(cell)


@pytest.mark.parametrize(("method", "outcome"), [("evolve", UNREAD), ("forward", 1)])
def test_a_cell_that_returns_one_row_for_many_sequences_is_refused(
    method: str, outcome: int
) -> None:
    one = {"evolve": torch.eye(2)[:1], "forward": torch.eye(4)[0].view(1, 2, 2)}[method]
    own = {method: lambda self, *arguments: one}
    cell = type("Short", (RotationCell,), own)(lane=1, workspace=1)
    symbols = torch.tensor([[0, 1], [1, 1]])
    with pytest.raises(ValueError, match=rf"{method} of a cell must .* each sequence, got \(1, 2"):
        RecurrentNetwork(cell)(symbols, torch.tensor([[outcome, 0], [outcome, 0]]))
