from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
import pytest
import torch
from numpy.typing import NDArray
from qiskit.quantum_info import Operator

from qrnn_circuits import QRNN
from qrnn_circuits.circuits import compile_circuit, registers
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import (
    REALISATIONS,
    Multiplexed,
    Realisation,
    Unsharpened,
    realisation_at,
)
from qrnn_circuits.synthesis import closed_walk, parities_up_to
from tests import dense
from tests.circuits.known_warnings import TREE_TRAVERSAL

Draw = Callable[..., NDArray[np.float64]]
MakeModel = Callable[..., QRNN]

pytestmark = TREE_TRAVERSAL

# Controls, degree.
SIZES = [(1, 1), (2, 1), (3, 2), (3, 3), (4, 2), (4, 4)]
DEVICES = ["default.qubit", "qrnn.aer", "qrnn.torch"]


class Unknown(Realisation):
    """One that cannot be of order 0."""

    semantics = "unitary"

    def ancillas(self, order: int) -> int:
        return order + 3

    def queue(self, *arguments: object, **options: object) -> None:
        raise AssertionError


@pytest.mark.parametrize("realisation", [*REALISATIONS.names(), Unknown()])
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("controls", "degree"), SIZES)
def test_the_matrix_and_gates_of_every_realisation_are_the_dense_rotation(
    controls: int,
    degree: int,
    inverse: bool,
    realisation: str | Realisation,
    draw_coefficients: Draw,
) -> None:
    coefficients = draw_coefficients(controls, degree)
    neuron = NeuronOperation(coefficients, range(controls + 1), 0, degree, realisation, inverse)
    expected = dense.last_neuron(coefficients, degree, controls, 0, "postselected", inverse=inverse)
    np.testing.assert_allclose(neuron.matrix(), expected, rtol=0, atol=1e-10)
    script = qml.tape.QuantumScript(neuron.decomposition())
    matrix = qml.matrix(script, wire_order=neuron.wires)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(neuron.adjoint().matrix(), expected.T, rtol=0, atol=1e-10)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("inverse", [False, True])
def test_devices_apply_the_dense_rotation_to_superposed_controls(
    device: str, inverse: bool, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(3, 2)
    start = np.random.default_rng(0).normal(size=16)
    start /= np.linalg.norm(start)

    def circuit() -> qml.measurements.StateMP:
        qml.StatePrep(start, wires=range(4))
        NeuronOperation(coefficients, range(4), 0, 2, "postselect", inverse)
        return qml.state()

    block = dense.last_neuron(coefficients, 2, 3, 0, "unitary", inverse=inverse)
    state = qml.QNode(circuit, qml.device(device, wires=4))()
    np.testing.assert_allclose(state, block @ start, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("controls", "degree"), SIZES)
def test_it_takes_the_gates_of_the_closed_walk_of_its_degree(
    controls: int, degree: int, draw_coefficients: Draw
) -> None:
    coefficients = draw_coefficients(controls, degree)
    neuron = NeuronOperation(coefficients, range(controls + 1), 0, degree, "multiplexed")
    gates = neuron.decomposition()
    walk = closed_walk(controls, parities_up_to(controls, degree))
    assert sum(len(gate.wires) == 2 for gate in gates) == walk.two_qubit_gates
    assert sum(len(gate.wires) == 1 for gate in gates) == len(coefficients)


@pytest.mark.parametrize("realisation", [*map(REALISATIONS.make, REALISATIONS.names()), Unknown()])
def test_it_stands_for_every_realisation_of_order_0_and_for_none_of_another(
    realisation: Realisation,
) -> None:
    assert realisation_at(realisation, 1) is realisation
    chosen = realisation_at(realisation, 0)
    assert chosen == Unsharpened()
    assert (chosen.exact, chosen.measures, chosen.postselects) == (True, False, False)
    assert (chosen.ancillas(0), chosen.rotations(0), chosen.error(0)) == (0, 1, None)
    if not isinstance(realisation, Unknown):
        assert realisation.ancillas(0) == 0
        realisation.check(order=0, controls=20)


def test_it_takes_more_controls_than_a_table_and_no_other_order() -> None:
    NeuronOperation(np.zeros(13), range(13), 0, 1, Multiplexed())
    with pytest.raises(ValueError, match=r"is for neurons of order 0, got order 1: choose"):
        NeuronOperation(np.zeros(3), range(3), 1, 1, Unsharpened())


def gradients(model: QRNN, distribution: torch.Tensor) -> list[torch.Tensor]:
    weights = torch.arange(1.0, len(distribution) + 1, dtype=distribution.dtype)
    return list(torch.autograd.grad(weights @ distribution, list(model.parameters())))


@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch"])
@pytest.mark.parametrize("semantics", ["postselected", "unitary"])
def test_a_circuit_of_no_ancilla_has_the_networks_distribution_and_gradients(
    semantics: str, device: str, make_model: MakeModel
) -> None:
    model = make_model(lane=2, workspace=2, order=0, degree=2, semantics=semantics)
    assert len(registers(model.cell).ancillas) == 0
    (found,) = compile_circuit(model, [1, 3], [2]).qnode(device)()
    output = model(torch.tensor([[1, 3]]), torch.tensor([[2, 0]]))
    expected = output.log_probs[0, -1].exp()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    pairs = zip(gradients(model, found), gradients(model, expected), strict=True)
    for gradient, reference in pairs:
        torch.testing.assert_close(gradient, reference, rtol=0, atol=1e-10)


def test_a_symbolic_circuit_has_angles_linear_in_the_cells_parameters(
    make_model: MakeModel,
) -> None:
    options: dict[str, Any] = {"lane": 1, "workspace": 2, "order": 0}
    model, other = make_model(**options), make_model(**options, seed=1)
    for name in ("postselect", "repeat_until_success", "amplified"):
        circuit = compile_circuit(model, [1], realisation=name, symbolic=True)
        symbolic = circuit.to_qiskit()
        assert {parameter.name.split("[")[0] for parameter in symbolic.parameters} == {
            "coefficients",
            "readout_coefficients",
            "theta",
        }
        bound = symbolic.assign_parameters(circuit.parameter_values(other))
        numeric = compile_circuit(other, [1], realisation=name).to_qiskit()
        one, two = (
            Operator(each.remove_final_measurements(inplace=False)).data
            for each in (bound, numeric)
        )
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-10)
