import pytest
import torch

from qrnn_circuits import RecurrentCircuitLayer
from tests.layers.cases import Make, assert_alike, maker, random
from tests.layers.register_circuits import register_outputs


@pytest.fixture
def make_layer() -> Make:
    return maker(RecurrentCircuitLayer)


@pytest.mark.parametrize("staggered", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"input_size": 1, "hidden_size": 3},
        {"input_size": 2, "hidden_size": 2, "memory": 2, "depth": 2},
        {"input_size": 2, "hidden_size": 3},
        {"input_size": 1, "hidden_size": 1},
        {"input_size": 3, "hidden_size": 3},
        {"input_size": 1, "hidden_size": 8, "readout": "populations"},
        {"input_size": 2, "hidden_size": 4, "memory": 1, "readout": "populations"},
    ],
)
def test_values_and_gradients_are_those_of_circuits_with_fresh_wires(
    options: dict[str, object], staggered: bool, make_layer: Make
) -> None:
    layer = make_layer(**options, staggered=staggered)
    assert isinstance(layer, RecurrentCircuitLayer)
    inputs = random(4, layer.input_size).requires_grad_()
    output, _ = layer(inputs)
    expected = register_outputs(layer, inputs)

    nothing = torch.zeros(1, dtype=torch.float64)
    assert_alike((output, nothing), (expected, nothing), [inputs, *layer.parameters()])


def test_a_plain_and_a_staggered_circuit_agree_on_the_first_step_alone(make_layer: Make) -> None:
    plain, staggered = make_layer(), make_layer(staggered=True)
    inputs = random(2, 3, 2)
    one, other = plain(inputs)[0], staggered(inputs)[0]
    assert torch.allclose(one[0], other[0], rtol=0, atol=1e-12)
    assert not torch.allclose(one[1], other[1], rtol=0, atol=1e-3)


@pytest.mark.parametrize("staggered", [False, True])
def test_a_long_sequence_in_float32_has_outputs_of_float64_and_a_state_to_go_on_from(
    staggered: bool, make_layer: Make
) -> None:
    layer = make_layer(1, 3, staggered=staggered)
    inputs = random(4000, 1).sigmoid()
    with torch.no_grad():
        expected, _ = layer(inputs)
        found, state = layer.float()(inputs.float())
        layer(inputs[:2].float(), state)
    assert torch.allclose(found.double(), expected, rtol=0, atol=1e-5)


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
        ({"memory": 0}, "memory must be at least 1, got 0"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"memory": 1}, "hidden_size must be at most 3, .* got 4: take more memory"),
        (
            {"hidden_size": 16, "memory": 1, "readout": "populations"},
            "hidden_size must be at most 8, .* got 16",
        ),
        ({"hidden_size": 6, "readout": "populations"}, "hidden_size must be a power of two"),
        ({"readout": "state"}, "readout must be"),
        ({"hidden_size": 13}, "a register must have at most 12 wires, .* got 13"),
    ],
)
def test_registers_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises(ValueError, match=problem):
        make_layer(**options)
