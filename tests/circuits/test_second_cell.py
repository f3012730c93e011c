"""A cell that the package does not know, as a circuit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from qiskit.quantum_info import Operator
from torch import Tensor

from qrnn_circuits import QRNNCell
from qrnn_circuits.cells.base import Cell, CircuitStage
from qrnn_circuits.circuits import compile_circuit, inspect_circuit
from qrnn_circuits.network import RecurrentNetwork
from tests.cells.rotation_cell import RotationCell
from tests.conftest import WIDE


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


class Wrapped(Cell):
    """A cell of quantum neurons whose parameters have other names."""

    def __init__(self, inner: QRNNCell) -> None:
        super().__init__()
        self.inner = inner
        self.lane, self.workspace = inner.lane, inner.workspace
        self.order, self.semantics = inner.order, inner.semantics

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        joint: Tensor = self.inner(inputs, state)
        return joint

    def circuit(self, *arguments: Any, **options: Any) -> list[CircuitStage]:  # noqa: ANN401
        return self.inner.circuit(*arguments, **options)


class Shifted(RotationCell):
    """Rotations by angles that are affine in the first parameters, and not linear in the last."""

    def circuit(self, *arguments: Any, **options: Any) -> list[CircuitStage]:  # noqa: ANN401
        plain = self.angles
        shifted = torch.cat((2 * plain[:1] + 0.3, plain[1:].square()))
        del self.angles
        self.angles = shifted  # type: ignore[assignment]
        try:
            return super().circuit(*arguments, **options)
        finally:
            del self.angles
            self.angles = plain


def wrapped(seed: int) -> Cell:
    options: dict[str, Any] = {"lane": 1, "workspace": 1, "order": 1, "degree": 1}
    generator = torch.Generator().manual_seed(seed)
    return Wrapped(
        QRNNCell(
            **options,
            semantics="unitary",
            initialisation=WIDE,
            generator=generator,
            dtype=torch.float64,
        )
    )


def shifted(seed: int) -> Cell:
    generator = torch.Generator().manual_seed(seed)
    return Shifted(lane=1, workspace=1, layers=2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("make", [wrapped, shifted])
def test_a_symbolic_circuit_serves_other_parameters_however_angles_depend_on_them(
    make: Callable[[int], Cell],
) -> None:
    model, other = RecurrentNetwork(make(0)), RecurrentNetwork(make(1))
    symbolic = compile_circuit(model, [1], symbolic=True)
    bound = symbolic.to_qiskit().assign_parameters(symbolic.parameter_values(other))
    numeric = compile_circuit(other, [1]).to_qiskit()
    one, two = (
        Operator(circuit.remove_final_measurements(inplace=False)).data
        for circuit in (bound, numeric)
    )
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)


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
