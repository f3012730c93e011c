import pytest
import torch
from torch import Tensor

from qrnn_circuits import QGRU
from qrnn_circuits.layers import RecurrentLayer
from tests.layers.cases import Make, assert_alike, maker, random
from tests.layers.paper_circuits import OPTIONS, circuits_of


@pytest.fixture
def make_layer() -> Make:
    return maker(QGRU)


def by_hand(layer: RecurrentLayer, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The recurrence of the paper, ``(T, B, F)``, with circuits on default.qubit."""
    run = circuits_of(layer)
    hidden = inputs.new_zeros(inputs.shape[1], layer.hidden_size)
    outputs = []
    for values in inputs:
        joint = torch.cat((hidden, values), 1)
        reset, keep = torch.sigmoid(run(0, 0, joint)), torch.sigmoid(run(0, 1, joint))
        candidate = torch.tanh(run(1, 0, torch.cat((reset * hidden, values), 1)))
        hidden = keep * hidden + (1 - keep) * candidate
        outputs.append(hidden)
    return torch.stack(outputs), hidden


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("batch", [1, 5])
def test_values_and_gradients_are_those_of_the_circuits_of_the_paper(
    batch: int, options: dict[str, int], make_layer: Make
) -> None:
    layer = make_layer(**options)
    inputs = random(3, batch, 2).requires_grad_()
    output, state = layer(inputs)

    assert_alike((output, state[0]), by_hand(layer, inputs), [inputs, *layer.parameters()])


def test_circuits_out_of_range_are_refused(make_layer: Make) -> None:
    with pytest.raises(ValueError, match=r"qubits must be at least 6, .* got 5"):
        make_layer(qubits=5)
    with pytest.raises(ValueError, match="qubits must be at least 1, got 0"):
        make_layer(qubits=0, linear=True)
