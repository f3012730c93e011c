import pennylane as qml
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from qrnn_circuits import QLSTM, RecurrentCircuitLayer
from qrnn_circuits.layers import RecurrentLayer
from tests.layers.cases import Make, assert_alike, maker, random
from tests.layers.paper_circuits import OPTIONS, circuits_of


@pytest.fixture
def make_layer() -> Make:
    return maker(QLSTM)


def by_hand(layer: RecurrentLayer, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The recurrence of the paper, ``(T, B, F)``, with circuits on default.qubit."""
    run = circuits_of(layer)
    hidden = memory = inputs.new_zeros(inputs.shape[1], layer.hidden_size)
    outputs = []
    for values in inputs:
        joint = torch.cat((hidden, values), 1)
        forget = torch.sigmoid(run(0, 0, joint))
        update = torch.sigmoid(run(0, 1, joint))
        memory = forget * memory + update * torch.tanh(run(0, 2, joint))
        shown = torch.sigmoid(run(0, 3, joint)) * torch.tanh(memory)
        hidden = run(1, 0, shown)
        outputs.append(run(1, 1, shown))
    return torch.stack(outputs), torch.cat((hidden, memory), 1)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("batch", [1, 5])
def test_values_and_gradients_are_those_of_the_circuits_of_the_paper(
    batch: int, options: dict[str, int], make_layer: Make
) -> None:
    layer = make_layer(**options)
    inputs = random(3, batch, 2).requires_grad_()
    output, state = layer(inputs)

    assert_alike((output, state[0]), by_hand(layer, inputs), [inputs, *layer.parameters()])


def test_a_device_runs_no_circuit_for_sequences_that_have_ended(make_layer: Make) -> None:
    device = qml.device("default.qubit")
    layer = make_layer(hidden_size=1).on(device)
    with torch.no_grad(), qml.Tracker(device) as tracker:
        layer(pack_sequence([random(3, 2), random(1, 2)]))
    assert tracker.totals["simulations"] == 6 * (3 + 1)


def test_gradients_with_shots_come_by_the_parameter_shift_rule(make_layer: Make) -> None:
    layer = make_layer(input_size=1, hidden_size=1)
    inputs = random(1, 1, 1)
    device = qml.device("qrnn.torch", seed=3)

    # One step: the first output depends on the gates but for the forget gate.
    angles = list(layer.parameters())
    found = torch.autograd.grad(layer.on(device, shots=20000)(inputs)[0].sum(), angles)
    expected = torch.autograd.grad(layer(inputs)[0].sum(), angles)

    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=0.05)


def test_a_word_is_not_taken_for_true() -> None:
    with pytest.raises(TypeError, match="linear must be True or False, got 'false'"):
        QLSTM(2, 3, linear="false")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="staggered must be True or False, got 'false'"):
        RecurrentCircuitLayer(2, 3, staggered="false")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"qubits": 5}, "qubits must be at least 6, .* got 5: take more, or linear=True"),
        ({"hidden_size": 64, "depth": 2}, "qubits must be at most 20 .* got 66"),
        ({"qubits": 2.5, "linear": True}, "qubits must be an integer, got 2.5"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
    ],
)
def test_circuits_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        make_layer(**options)
