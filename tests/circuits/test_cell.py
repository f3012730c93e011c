from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pennylane as qml
import pytest
import torch
from pennylane.operation import Operator

from qrnn_circuits import QRNN
from qrnn_circuits.circuits import (
    Amplified,
    Multiplexed,
    Postselect,
    Realisation,
    RepeatUntilSuccess,
    cell_step,
    compile_circuit,
    condition_lane,
    registers,
)
from qrnn_circuits.circuits.neuron import NeuronOperation
from tests.branches import Branch, branches
from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.conftest import sized

pytestmark = TREE_TRAVERSAL

SIZES = sized(
    (2, 1, 1, 0, 2, 3),
    (1, 2, 1, 0, 1, 2),
    (1, 1, 1, 1, 1, 3),
    (2, 1, 1, 1, 2, 2),
    (2, 1, 1, 2, 2, 3),
    (1, 2, 2, 2, 2, 2),
    (2, 2, 1, 2, 3, 2),
    (1, 1, 0, 3, 1, 2),
)


def expanded(operations: Iterable[Operator]) -> list[Operator]:
    """The operations, neurons decomposed."""
    return [
        gate
        for operation in operations
        for gate in (
            operation.decomposition() if isinstance(operation, NeuronOperation) else [operation]
        )
    ]


def last_distribution(
    model: QRNN,
    inputs: Sequence[int],
    outcomes: Sequence[int],
    realisation: Realisation | None = None,
) -> torch.Tensor:
    """Of the last step's lane, given the earlier outcomes, on default.qubit."""
    qnode = compile_circuit(model, inputs, outcomes, realisation=realisation).qnode()
    distribution: torch.Tensor = qnode()[0]
    return distribution


def run(circuit: Callable[[], None], wires: int) -> list[Branch]:
    """The branches of a circuit on wires that start in 0."""
    operations = expanded(qml.tape.make_qscript(circuit)().operations)
    return branches(operations, range(wires), np.eye(2**wires)[:, :1])


@pytest.mark.parametrize("basis", ["monomials", "parities"])
@pytest.mark.parametrize(("sizes", "steps"), SIZES)
def test_the_gate_level_circuit_and_its_gradients_equal_the_fast_path(
    sizes: dict[str, int],
    steps: int,
    basis: str,
    make_model: Callable[..., QRNN],
    random_symbols: Callable[..., torch.Tensor],
) -> None:
    model = make_model(**sizes, basis=basis)
    inputs, outcomes = random_symbols(model, 1, steps), random_symbols(model, 1, steps, seed=1)
    circuit = last_distribution(model, inputs[0].tolist(), outcomes[0, :-1].tolist())
    fast = model(inputs, outcomes).log_probs[0, -1].exp()
    assert torch.allclose(circuit, fast, rtol=0, atol=1e-8)
    parameters = [p for p in model.parameters() if p.numel()]
    for symbol in range(2 ** sizes["lane"]):
        expected = torch.autograd.grad(fast[symbol], parameters, retain_graph=True)
        gradients = torch.autograd.grad(circuit[symbol], parameters, retain_graph=True)
        for gradient, fast_gradient in zip(gradients, expected, strict=True):
            assert torch.allclose(gradient, fast_gradient, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("workspace", "lane", "order"), [(2, 1, 0), (1, 1, 1), (2, 1, 1), (1, 1, 2)]
)
def test_the_circuit_is_accepted_as_often_as_the_fast_path_says(
    workspace: int, lane: int, order: int, make_model: Callable[..., QRNN]
) -> None:
    model = make_model(workspace=workspace, lane=lane, stages=0, order=order, degree=1)
    wires = registers(model.cell)
    model.requires_grad_(False)

    def step() -> None:
        cell_step(model.cell, 1)
        condition_lane(model.cell, 0)

    (branch,) = run(step, wires.ancillas.stop)
    accepted = np.sum(np.abs(branch.operator) ** 2)
    output = model(torch.tensor([[1]]), torch.tensor([[0]]))
    assert abs(accepted - output.log_acceptance.exp().item()) < 1e-10


@pytest.mark.parametrize(("sizes", "steps"), SIZES)
def test_multiplexed_cells_equal_the_fast_path_of_unitary_semantics(
    sizes: dict[str, int],
    steps: int,
    make_model: Callable[..., QRNN],
    random_symbols: Callable[..., torch.Tensor],
) -> None:
    model = make_model(**sizes, semantics="unitary")
    inputs, outcomes = random_symbols(model, 1, steps), random_symbols(model, 1, steps, seed=1)
    circuit = last_distribution(model, inputs[0].tolist(), outcomes[0, :-1].tolist())
    fast = model(inputs, outcomes).log_probs[0, -1].exp()
    assert torch.allclose(circuit, fast, rtol=0, atol=1e-10)
    parameters = [model.cell.coefficients, model.cell.readout_coefficients]
    gradients = torch.autograd.grad(circuit[0], parameters)
    expected = torch.autograd.grad(fast[0], parameters)
    for gradient, other in zip(gradients, expected, strict=True):
        assert torch.allclose(gradient, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("order", "length"), [(1, 3), (1, 7), (2, 3)])
def test_amplified_cells_are_near_the_fast_path_of_unitary_semantics(
    order: int, length: int, make_model: Callable[..., QRNN]
) -> None:
    model = make_model(
        workspace=1, lane=1, stages=0, order=order, degree=1, semantics="unitary"
    ).requires_grad_(False)
    circuit = last_distribution(model, [1, 0], [1], Amplified(length))
    fast = model(torch.tensor([[1, 0]]), torch.tensor([[1, 0]])).log_probs[0, -1].exp()
    # Four neurons, each as far from its rotation as the bound: in amplitude, so twice in
    # probability.
    assert (circuit - fast).abs().max() < 8 * Amplified(length).error(order)


def test_cells_that_repeat_tend_to_the_fast_path_where_only_readouts_are_superposed(
    make_model: Callable[..., QRNN],
) -> None:
    model = make_model(
        workspace=1, lane=1, stages=0, order=1, degree=1, semantics="unitary"
    ).requires_grad_(False)
    wires = registers(model.cell, "repeat_until_success")
    fast = model(torch.tensor([[1]]), torch.tensor([[0]])).log_probs[0, 0].exp().numpy()
    distances = []
    for attempts in (1, 4, 30):

        def step(attempts: int = attempts) -> None:
            cell_step(model.cell, 1, RepeatUntilSuccess(attempts))

        weights = np.sum(
            [np.abs(branch.operator.reshape(2, -1)) ** 2 for branch in run(step, wires[-1].stop)],
            axis=(0, 2),
        )
        distances.append(np.abs(weights / weights.sum() - fast).max())
        if attempts == 4:
            circuit = last_distribution(model, [1], [], RepeatUntilSuccess(attempts))
            np.testing.assert_allclose(circuit, weights / weights.sum(), rtol=0, atol=1e-10)
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 1e-8


@pytest.mark.parametrize(
    ("realisation", "ancillas"),
    [(Postselect(), 2), (RepeatUntilSuccess(), 2), (Amplified(3), 3), (Multiplexed(), 0)],
)
def test_the_wires_of_a_circuit_are_lane_workspace_and_ancillas(
    realisation: Realisation, ancillas: int, make_model: Callable[..., QRNN]
) -> None:
    model = make_model(workspace=2, lane=1, semantics=realisation.semantics)
    expected = (range(1), range(1, 3), range(3, 3 + ancillas))
    assert registers(model.cell, realisation) == expected
    tape = qml.tape.make_qscript(cell_step)(model.cell, 1, realisation)
    assert set(tape.wires) == set(range(3 + ancillas))


def test_only_lane_wires_that_differ_from_the_input_are_flipped(
    make_model: Callable[..., QRNN],
) -> None:
    cell = make_model(workspace=1, lane=2, degree=1).requires_grad_(False).cell

    def flips(step: Callable[[], None]) -> list[int]:
        operations = qml.tape.make_qscript(step)().operations
        return [gate.wires[0] for gate in operations if gate.name == "PauliX"]

    assert flips(lambda: cell_step(cell, 2)) == [0, 0]
    assert flips(lambda: cell_step(cell, 2, lane_symbol=2)) == [0]
    assert sorted(flips(lambda: cell_step(cell, 2, lane_symbol=1))) == [0, 0, 1]
    assert flips(lambda: condition_lane(cell, 2)) == [0]  # type: ignore[arg-type]
    assert flips(lambda: condition_lane(cell, 2, reset=False)) == []  # type: ignore[arg-type]


def test_a_lane_that_is_sampled_is_measured_and_reset(make_model: Callable[..., QRNN]) -> None:
    cell = make_model(workspace=1, lane=2, degree=1).cell
    operations = qml.tape.make_qscript(condition_lane)(cell, None).operations
    assert [(gate.wires[0], gate.postselect, gate.reset) for gate in operations] == [
        (0, None, True),
        (1, None, True),
    ]


def test_realisations_that_do_not_fit_the_model_are_refused(
    make_model: Callable[..., QRNN],
) -> None:
    unitary = make_model(workspace=1, lane=1, degree=1, semantics="unitary")
    with pytest.raises(ValueError, match="'postselect' gives neurons of 'postselected' semantics"):
        cell_step(unitary.cell, 0, Postselect())
    postselected = make_model(workspace=1, lane=1, degree=1)
    for realisation in ("repeat_until_success", "amplified", "multiplexed"):
        with pytest.raises(ValueError, match=f"'{realisation}' gives neurons of 'unitary'"):
            cell_step(postselected.cell, 0, realisation)
    with pytest.raises(ValueError, match="realisation must be one of"):
        cell_step(postselected.cell, 0, "dense")


def test_options_that_make_no_circuit_are_refused(make_model: Callable[..., QRNN]) -> None:
    cell = make_model(workspace=1, lane=1, degree=1, semantics="unitary").cell
    with pytest.raises(ValueError, match="length must be odd"):
        cell_step(cell, 0, "amplified,length=4")
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        cell_step(cell, 0, "repeat_until_success,attempts=0")
    with pytest.raises(ValueError, match="symbol must be a symbol from 0 to 1, got 2"):
        cell_step(cell, 2)
    with pytest.raises(ValueError, match="outcome must be a symbol from 0 to 1, got -1"):
        condition_lane(cell, -1)
    wide = make_model(workspace=11, lane=1, degree=1, semantics="unitary").cell
    with pytest.raises(ValueError, match="at most 10 controls"):
        cell_step(wide, 0)


def test_the_cell_of_two_workspace_wires_takes_twenty_gates(
    make_model: Callable[..., QRNN],
) -> None:
    cell = make_model(workspace=2, lane=1, semantics="unitary").requires_grad_(False).cell
    tape = qml.tape.make_qscript(cell_step)(cell, 1)
    assert sum(len(gate.wires) == 2 for gate in expanded(tape.operations)) == 20
