"""The recurrent circuits of a register on default.qubit, every reset a fresh wire."""

import pennylane as qml
import torch
from torch import Tensor

from qrnn_circuits import RecurrentCircuitLayer


def register_outputs(layer: RecurrentCircuitLayer, inputs: Tensor) -> Tensor:
    """The circuit of one sequence ``(T, F)``, cut at each step, on default.qubit.

    Every reset is a fresh wire, and the old one is left alone.
    """
    parameters = dict(layer.named_parameters())
    rotations, couplings = parameters["cells.0.rotations"], parameters["cells.0.couplings"]
    features = inputs.shape[1]
    size = rotations.shape[1]

    def outputs(length: int) -> Tensor:
        def circuit() -> list[qml.measurements.MeasurementProcess]:
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
            if layer.readout == "populations":
                return [qml.probs(wires=lines[: layer.hidden_size.bit_length() - 1])]
            return [qml.expval(qml.Z(line)) for line in lines[: layer.hidden_size]]

        device = qml.device("default.qubit")
        read = qml.QNode(circuit, device, "torch", diff_method="backprop")()
        return torch.cat([values.reshape(-1) for values in read])

    return torch.stack([outputs(step + 1) for step in range(len(inputs))])
