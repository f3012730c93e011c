from collections.abc import Callable

import pennylane as qml
import pytest
import torch
from torch import Tensor

from qrnn_circuits import QLSTM
from tests.layers.cases import Make, maker, random

Circuit = Callable[[Tensor, Tensor], Tensor]


@pytest.fixture
def make_layer() -> Make:
    return maker(QLSTM)


def circuit(values: Tensor, angles: Tensor) -> Tensor:
    """What a circuit of the paper reads on all wires, values ``(B, n)``, on default.qubit."""
    wires = values.shape[-1]

    @qml.qnode(qml.device("default.qubit"), interface="torch", diff_method="backprop")
    def node() -> list[qml.measurements.ExpectationMP]:
        for wire in range(wires):
            qml.Hadamard(wire)
            qml.RY(torch.arctan(values[:, wire]), wire)
            qml.RZ(torch.arctan(values[:, wire] ** 2), wire)
        for layer in angles:
            for wire in range(wires if wires > 1 else 0):
                qml.CNOT([wire, (wire + 1) % wires])
            for wire in range(wires if wires > 2 else 0):
                qml.CNOT([wire, (wire + 2) % wires])
            for wire in range(wires):
                qml.RZ(layer[wire, 0], wire)
                qml.RY(layer[wire, 1], wire)
                qml.RZ(layer[wire, 2], wire)
        return [qml.expval(qml.Z(wire)) for wire in range(wires)]

    return torch.stack(node(), -1)


def by_hand(layer: QLSTM, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The recurrence of the paper, ``(T, B, F)``, with circuits on default.qubit."""
    parameters = dict(layer.named_parameters())

    def run(bank: int, index: int, values: Tensor) -> Tensor:
        own = {
            name.split(".")[-1]: value[index]
            for name, value in parameters.items()
            if name.startswith(f"cells.0.banks.{bank}.")
        }
        if "weights_before" in own:
            values = values @ own["weights_before"].T + own["bias_before"]
            return circuit(values, own["angles"]) @ own["weights_after"].T + own["bias_after"]
        rest = values.new_zeros(len(values), own["angles"].shape[1] - values.shape[1])
        return circuit(torch.cat((values, rest), 1), own["angles"])[:, : layer.hidden_size]

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


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 3},
        {"hidden_size": 1, "qubits": 4, "depth": 2},
        {"hidden_size": 5, "qubits": 3, "linear": True, "depth": 2},
    ],
)
@pytest.mark.parametrize("batch", [1, 5])
def test_values_and_gradients_are_those_of_the_circuits_of_the_paper(
    batch: int, options: dict[str, int], make_layer: Make
) -> None:
    layer = make_layer(**options)
    inputs = random(3, batch, 2).requires_grad_()
    parameters = [inputs, *layer.parameters()]

    output, state = layer(inputs)
    expected, end = by_hand(layer, inputs)
    weights, others = random(*output.shape), random(*end.shape)

    assert torch.allclose(output, expected, rtol=0, atol=1e-10)
    assert torch.allclose(state[0], end, rtol=0, atol=1e-10)
    for one, other in zip(
        torch.autograd.grad((output * weights).sum() + (state[0] * others).sum(), parameters),
        torch.autograd.grad((expected * weights).sum() + (end * others).sum(), parameters),
        strict=True,
    ):
        assert torch.allclose(one, other, rtol=0, atol=1e-9)


def test_the_state_is_known_on_a_device(make_layer: Make) -> None:
    layer = make_layer(hidden_size=1)
    inputs, start = random(2, 1, 2), random(1, 1, 2)
    with torch.no_grad():
        found, state = layer.on("qrnn.torch")(inputs, start)
        expected, end = layer(inputs, start)
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)
    assert torch.allclose(state, end, rtol=0, atol=1e-10)


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


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"qubits": 5}, "qubits must be at least 6, .* got 5: take more, or linear=True"),
        ({"hidden_size": 64}, "qubits must be at most 20, got 66"),
        ({"qubits": 2.5, "linear": True}, "qubits must be an integer of at least 1, got 2.5"),
        ({"depth": 0}, "depth must be an integer of at least 1, got 0"),
    ],
)
def test_circuits_out_of_range_are_refused(
    options: dict[str, object], problem: str, make_layer: Make
) -> None:
    with pytest.raises(ValueError, match=problem):
        make_layer(**options)
