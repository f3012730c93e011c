"""The circuits of the QLSTM and the QGRU as their papers draw them, on default.qubit."""

from collections.abc import Callable

import pennylane as qml
import torch
from torch import Tensor

from qrnn_circuits.layers import RecurrentLayer

OPTIONS: list[dict[str, int]] = [
    {"hidden_size": 3},
    {"hidden_size": 1, "qubits": 4, "depth": 2},
    {"hidden_size": 5, "qubits": 3, "linear": True, "depth": 2},
]
"""Of layers with one circuit layer and several, and with linear layers around."""


def expectations(values: Tensor, angles: Tensor) -> Tensor:
    """What a circuit reads on all wires, values ``(B, n)``, angles ``(depth, n, 3)``."""
    wires = values.shape[-1]

    def circuit() -> list[qml.measurements.ExpectationMP]:
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

    device = qml.device("default.qubit")
    return torch.stack(qml.QNode(circuit, device, "torch", diff_method="backprop")(), -1)


def circuits_of(layer: RecurrentLayer) -> Callable[[int, int, Tensor], Tensor]:
    """Runs a circuit of the first cell, by bank and index, on values ``(B, inputs)``."""
    parameters = dict(layer.named_parameters())

    def run(bank: int, index: int, values: Tensor) -> Tensor:
        own = {
            name.split(".")[-1]: value[index]
            for name, value in parameters.items()
            if name.startswith(f"cells.0.banks.{bank}.")
        }
        if "weights_before" in own:
            values = values @ own["weights_before"].T + own["bias_before"]
            return expectations(values, own["angles"]) @ own["weights_after"].T + own["bias_after"]
        rest = values.new_zeros(len(values), own["angles"].shape[1] - values.shape[1])
        return expectations(torch.cat((values, rest), 1), own["angles"])[:, : layer.hidden_size]

    return run
