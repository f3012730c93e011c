import pennylane as qml
import pytest
import torch
from torch import Tensor

from qrnn_circuits import FastWeightProgrammer
from qrnn_circuits.layers import RecurrentLayer
from qrnn_circuits.numerical_errors import ParameterRangeError
from qrnn_circuits.simulation import fast_weights
from qrnn_circuits.simulation.fast_weights import programmed_expectations
from tests.layers.cases import Make, assert_alike, maker, random


@pytest.fixture
def make_layer() -> Make:
    return maker(FastWeightProgrammer)


def by_hand(
    layer: RecurrentLayer, inputs: Tensor, depth: int, qubits: int
) -> tuple[Tensor, Tensor]:
    """The recurrence of the paper on one sequence ``(T, F)``, with circuits on default.qubit."""
    own = {name.removeprefix("cells.0."): value for name, value in layer.named_parameters()}

    def linear(name: str, values: Tensor) -> Tensor:
        return own[f"{name}.weight"] @ values + own[f"{name}.bias"]

    def circuit(features: Tensor, angles: Tensor) -> list[qml.measurements.ExpectationMP]:
        for wire in range(qubits):
            qml.Hadamard(wire)
        for wire, feature in enumerate(features):
            qml.RY(feature, wire)
        for layer_angles in angles:
            for wire in range(0, qubits - 1, 2):
                qml.CNOT([wire, wire + 1])
            for wire in range(1, qubits - 1, 2):
                qml.CNOT([wire, wire + 1])
            for wire in range(qubits):
                qml.RY(layer_angles[wire], wire)
        return [qml.expval(qml.Z(wire)) for wire in range(layer.hidden_size)]

    node = qml.QNode(circuit, qml.device("default.qubit"), "torch", diff_method="backprop")
    angles = inputs.new_zeros(depth, qubits)
    outputs = []
    for features in inputs:
        encoded = linear("encoder", features)
        angles = angles + torch.outer(linear("of_layers", encoded), linear("of_qubits", encoded))
        outputs.append(torch.stack(node(features, angles)))
    return torch.stack(outputs), angles.flatten()


@pytest.mark.parametrize(
    ("options", "qubits"),
    [
        ({"hidden_size": 4, "depth": 2}, 4),
        ({"hidden_size": 1, "depth": 3, "latent": 5}, 2),
        ({"input_size": 1, "hidden_size": 2, "qubits": 5, "depth": 1}, 5),
        ({"input_size": 1, "hidden_size": 1, "depth": 1}, 1),
    ],
)
def test_values_and_gradients_are_those_of_the_circuits_of_the_paper(
    options: dict[str, int], qubits: int, make_layer: Make
) -> None:
    layer = make_layer(**options)
    inputs = random(4, layer.input_size).requires_grad_()
    output, state = layer(inputs)

    expected = by_hand(layer, inputs, options["depth"], qubits)
    assert_alike((output, state[0]), expected, [inputs, *layer.parameters()])


@pytest.mark.parametrize("asked", [("inputs",), ("angles",), ("inputs", "angles")])
def test_circuits_that_run_some_after_some_are_those_that_run_at_once(
    asked: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"inputs": random(5, 3, 2), "angles": random(5, 3, 2, 4)}
    wanted = [values[name].requires_grad_() for name in asked]

    def derivatives() -> list[Tensor]:
        found = programmed_expectations(*values.values())
        first = torch.autograd.grad(found.square().sum(), wanted, create_graph=True)
        slopes = torch.stack([each.square().sum() for each in first])
        second = torch.autograd.grad(slopes.sum(), wanted)
        plain = torch.autograd.grad(programmed_expectations(*values.values()).sin().sum(), wanted)
        return [found, *first, *second, *plain]

    expected = derivatives()
    monkeypatch.setattr(fast_weights, "_MOST_AMPLITUDES", 4 * 2**4)
    for one, other in zip(derivatives(), expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)


def test_states_are_not_kept_for_the_backward_pass() -> None:
    rows, wires = 2 * fast_weights._MOST_AMPLITUDES >> 8, 8
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    angles = torch.rand(rows, 2, wires, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        programmed_expectations(torch.rand(rows, 1), angles)
    assert sum(kept) == rows * (2 * wires + 1)


def test_no_step_depends_on_later_ones(make_layer: Make) -> None:
    layer = make_layer()
    inputs = random(4, 1, 2)
    changed = inputs.clone()
    changed[2:] += 1
    assert torch.allclose(layer(inputs)[0][:2], layer(changed)[0][:2], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"qubits": 3}, "qubits must be at least 4, .* got 3: take more"),
        ({"hidden_size": 21, "depth": 1}, "qubits must be at most 20, got 21"),
        ({"hidden_size": 21}, "qubits must be at most 20, got 21.*take fewer"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"latent": 1.5}, r"latent must be an integer, got 1\.5"),
    ],
)
def test_circuits_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        make_layer(**options)


def test_features_beyond_angles_are_refused_whatever_the_parameters_make_of_them(
    make_layer: Make,
) -> None:
    layer = make_layer()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    with pytest.raises(ParameterRangeError, match="what features make of angles"):
        layer(torch.full((1, 1, 2), 1e30, dtype=torch.float64))
