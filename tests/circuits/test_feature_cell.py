"""A cell of real inputs as a circuit."""

import pytest
import torch
from qiskit_aer import AerSimulator
from torch import Tensor

from qrnn_circuits import FeatureQRNNCell, RecurrentNetwork, compile_circuit
from qrnn_circuits.cells.base import UNREAD
from qrnn_circuits.circuits import inspect_circuit
from qrnn_circuits.circuits.draw import draw_step
from qrnn_circuits.numerical_errors import ParameterRangeError
from tests.circuits.known_warnings import TREE_TRAVERSAL
from tests.conftest import WIDE

pytestmark = TREE_TRAVERSAL

KINDS = [(0, "unitary"), (1, "postselected"), (1, "unitary")]


def make_network(order: int = 0, semantics: str = "unitary") -> RecurrentNetwork:
    cell = FeatureQRNNCell(
        features=2,
        lane=2,
        workspace=2,
        order=order,
        semantics=semantics,  # type: ignore[arg-type]
        initialisation=WIDE,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
    )
    return RecurrentNetwork(cell)


@pytest.fixture
def inputs() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(3, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("order", "semantics"), KINDS)
@pytest.mark.parametrize("encoding", ["lane", "angles"])
@pytest.mark.parametrize("device", ["default.qubit", "qrnn.torch"])
def test_the_circuit_gives_the_networks_distribution(
    order: int, semantics: str, encoding: str, device: str, inputs: Tensor
) -> None:
    network = make_network(order, semantics)
    # The second step starts on a lane that still holds the first one's outcome.
    circuit = compile_circuit(
        network,
        inputs,
        [3, UNREAD],
        encoding=encoding,  # type: ignore[arg-type]
    )

    (found,) = circuit.qnode(device)()
    expected = network(inputs[None], torch.tensor([[3, UNREAD, 0]])).log_probs[0, -1].exp()

    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


def test_gradients_of_the_circuit_reach_the_features(inputs: Tensor) -> None:
    network = make_network()
    outcomes = torch.tensor([[UNREAD, UNREAD, 0]])

    def by_circuit(features: Tensor) -> Tensor:
        circuit = compile_circuit(network, features, [UNREAD, UNREAD])
        (found,) = circuit.qnode("default.qubit")()
        return torch.as_tensor(found)

    def by_network(features: Tensor) -> Tensor:
        log_probs: Tensor = network(features[None], outcomes).log_probs
        return log_probs[0, -1].exp()

    found = torch.autograd.functional.jacobian(by_circuit, inputs)
    expected = torch.autograd.functional.jacobian(by_network, inputs)
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("symbolic", [False, True])
def test_qiskit_samples_the_networks_distribution(symbolic: bool, inputs: Tensor) -> None:
    network = make_network()
    compiled = compile_circuit(network, inputs, [1, UNREAD], symbolic=symbolic)
    circuit = compiled.to_qiskit()
    if symbolic:
        circuit = circuit.assign_parameters(compiled.parameter_values())

    shots = 20_000
    counts = AerSimulator(seed_simulator=1).run(circuit, shots=shots).result().get_counts()
    kept = compiled.kept(counts)

    output = network(inputs[None], torch.tensor([[1, UNREAD, 0]]))
    assert kept.total() / shots == pytest.approx(
        float((output.log_acceptance - output.log_probs[0, -1, 0]).exp()), abs=0.02
    )
    for symbol, share in enumerate(output.log_probs[0, -1].exp().tolist()):
        assert kept[1, symbol] / kept.total() == pytest.approx(share, abs=0.04)


def test_it_is_inspected_drawn_and_exported(inputs: Tensor) -> None:
    network = make_network()
    inspection = inspect_circuit(network, inputs, [UNREAD, UNREAD])
    circuit = compile_circuit(network, inputs, [UNREAD, UNREAD])

    assert inspection.cell["features"] == 2
    assert len(inspection.realisations) == 1
    assert draw_step(circuit).get_suptitle().startswith("One step, real features: order 0")
    assert "OPENQASM 3" in circuit.to_openqasm3()


@pytest.mark.parametrize("tolerance", [0.05, 0.3])
def test_dropped_rotations_move_distributions_within_their_bound(
    tolerance: float, inputs: Tensor
) -> None:
    network = make_network()
    exact, dropped = (
        compile_circuit(network, inputs, [UNREAD, UNREAD], tolerance=value)
        for value in (0.0, tolerance)
    )

    distance = (exact.qnode("qrnn.torch")()[0] - dropped.qnode("qrnn.torch")()[0]).abs().sum() / 2

    assert 0 < distance <= dropped.distribution_bounds()[-1]


def test_features_that_make_angles_without_meaning_are_refused() -> None:
    circuit = compile_circuit(make_network(), torch.full((1, 2), 1e30, dtype=torch.float64))
    with pytest.raises(ParameterRangeError, match="what features make of angles"):
        circuit.staged_operations()


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ([0, 1], r"inputs must have shape \(T, 2\)"),
        (torch.zeros(2, 3), r"inputs must have shape \(T, 2\)"),
        (torch.full((2, 2), torch.inf), "inputs must be finite"),
        (torch.zeros(0, 2), "inputs must hold at least one step"),
    ],
)
def test_wrong_features_are_refused(inputs: Tensor, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        compile_circuit(make_network(), inputs)
