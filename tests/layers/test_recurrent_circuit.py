import pennylane as qml
import pytest
import torch
from torch import Tensor

from qrnn_circuits import RecurrentCircuitLayer
from tests.layers.cases import Make, maker, random
from tests.layers.paper_circuits import assert_alike


@pytest.fixture
def make_layer() -> Make:
    return maker(RecurrentCircuitLayer)


def by_hand(layer: RecurrentCircuitLayer, inputs: Tensor) -> Tensor:
    """The circuit of one sequence ``(T, F)``, cut at each step, on default.qubit.

    Every reset is a fresh wire, and the old one is left alone.
    """
    parameters = dict(layer.named_parameters())
    rotations, couplings = parameters["cells.0.rotations"], parameters["cells.0.couplings"]
    features = inputs.shape[1]
    size = rotations.shape[1]

    def outputs(length: int) -> Tensor:
        def circuit() -> list[qml.measurements.ExpectationMP]:
            lines = [f"0:{line}" for line in range(size)]
            for step in range(length):
                if step and layer.staggered:
                    lines = lines[features:] + lines[:features]
                for place in range(features):
                    lines[place] = f"{step}:{place}"
                    qml.RY(torch.pi * inputs[step, place], lines[place])
                for layer_index in range(layer.depth + 1):
                    if layer_index and size == 2:
                        qml.IsingZZ(couplings[layer_index - 1, 0], lines)
                    for place in range(size if layer_index and size > 2 else 0):
                        pair = [lines[place], lines[(place + 1) % size]]
                        qml.IsingZZ(couplings[layer_index - 1, place], pair)
                    for place, line in enumerate(lines):
                        qml.RX(rotations[layer_index, place, 0], line)
                        qml.RZ(rotations[layer_index, place, 1], line)
                        qml.RX(rotations[layer_index, place, 2], line)
            return [qml.expval(qml.Z(line)) for line in lines[: layer.hidden_size]]

        device = qml.device("default.qubit")
        return torch.stack(qml.QNode(circuit, device, "torch", diff_method="backprop")())

    return torch.stack([outputs(step + 1) for step in range(len(inputs))])


@pytest.mark.parametrize("staggered", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"input_size": 1, "hidden_size": 3},
        {"input_size": 2, "hidden_size": 2, "memory": 2, "depth": 2},
        {"input_size": 2, "hidden_size": 3},
        {"input_size": 1, "hidden_size": 1},
        {"input_size": 3, "hidden_size": 3},
    ],
)
def test_values_and_gradients_are_those_of_circuits_with_fresh_wires(
    options: dict[str, int], staggered: bool, make_layer: Make
) -> None:
    layer = make_layer(**options, staggered=staggered)
    assert isinstance(layer, RecurrentCircuitLayer)
    inputs = random(4, layer.input_size).requires_grad_()
    output, _ = layer(inputs)
    expected = by_hand(layer, inputs)

    nothing = torch.zeros(1, dtype=torch.float64)
    assert_alike((output, nothing), (expected, nothing), [inputs, *layer.parameters()])


def test_a_plain_and_a_staggered_circuit_agree_on_the_first_step_alone(make_layer: Make) -> None:
    plain, staggered = make_layer(), make_layer(staggered=True)
    inputs = random(2, 3, 2)
    one, other = plain(inputs)[0], staggered(inputs)[0]
    assert torch.allclose(one[0], other[0], rtol=0, atol=1e-12)
    assert not torch.allclose(one[1], other[1], rtol=0, atol=1e-3)


def test_a_device_does_not_tell_its_state(make_layer: Make) -> None:
    layer = make_layer().on("qrnn.torch")
    with torch.no_grad():
        state = layer(random(1, 1, 2))[1]
    assert state.isnan().all()
    with pytest.raises(ValueError, match="hx must be None on a quantum device"):
        layer(random(1, 1, 2), state)


def test_states_that_are_no_density_matrices_are_refused(make_layer: Make) -> None:
    layer = make_layer(hidden_size=3)
    inputs = random(1, 1, 2)
    with pytest.raises(ValueError, match="hx must hold density matrices, but a trace is 1 off 1"):
        layer(inputs, torch.eye(2, dtype=torch.float64).view(1, 1, 4))
    negative = torch.tensor([1.5, 0, 0, -0.5], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"least eigenvalue is -0\.5"):
        layer(inputs, negative.view(1, 1, 4))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"memory": 0}, "memory must be an integer of at least 1, got 0"),
        ({"depth": 0}, "depth must be an integer of at least 1, got 0"),
        ({"memory": 1}, "hidden_size must be at most 3, .* got 4: take more memory"),
        ({"hidden_size": 13}, "a register must have at most 12 wires, .* got 13"),
    ],
)
def test_registers_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises(ValueError, match=problem):
        make_layer(**options)
