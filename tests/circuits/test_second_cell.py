"""A cell that the package does not know, as a circuit."""

import pennylane as qml
import pytest
import torch

from qrnn_circuits.cells.base import Cell
from qrnn_circuits.circuits import compile_circuit, inspect_circuit
from qrnn_circuits.network import RecurrentNetwork
from tests.cells.rotation_cell import RotationCell


@pytest.fixture
def network() -> RecurrentNetwork:
    generator = torch.Generator().manual_seed(1)
    return RecurrentNetwork(
        RotationCell(lane=2, workspace=1, generator=generator, dtype=torch.float64)
    )


@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch", "qrnn.aer"])
def test_its_circuit_gives_the_networks_distribution(
    device: str, network: RecurrentNetwork
) -> None:
    circuit = compile_circuit(network, [1, 3, 2], [2, 0])
    network.requires_grad_(False)
    (distribution,) = circuit.qnode(qml.device(device))()
    expected = network(torch.tensor([[1, 3, 2]]), torch.tensor([[2, 0, 0]])).log_probs[0, -1].exp()
    assert torch.allclose(torch.as_tensor(distribution), expected, rtol=0, atol=1e-8)


def test_its_parameters_are_those_of_the_symbolic_circuit(network: RecurrentNetwork) -> None:
    circuit = compile_circuit(network, [1, 0], [1], symbolic=True)
    values = {parameter.name: value for parameter, value in circuit.parameter_values().items()}
    (angles,) = network.parameters()
    assert values == {f"angles[{i}]": v for i, v in enumerate(angles.flatten().tolist())}


def test_it_has_one_circuit_whatever_the_realisations(network: RecurrentNetwork) -> None:
    inspection = inspect_circuit(network, [1, 2], [3])
    (entry,) = inspection.realisations
    assert [stage.stage for stage in entry.stages] == [
        "write input",
        "layer 1",
        "layer 2",
        "layer 3",
        "read lane",
    ]
    # Three layers of a ring of CNOTs on three wires, in two steps.
    assert entry.resources.two_qubit_gates == 18
    kept = network(torch.tensor([[1]]), torch.tensor([[3]])).log_acceptance.exp().item()
    assert entry.acceptance == pytest.approx(kept)


def test_a_cell_without_gates_is_refused(network: RecurrentNetwork) -> None:
    class Bare(RotationCell):
        circuit = Cell.circuit

    with pytest.raises(NotImplementedError, match="Bare has no circuit"):
        compile_circuit(RecurrentNetwork(Bare(lane=1, workspace=1)), [0]).to_qiskit()
