"""Times a QLSTM beside the usual one, whose circuits are TorchLayers of PennyLane.

Each row is one forward and backward pass of a linear-enhanced QLSTM, and of the usual code for one:
a linear layer, four TorchLayers with the circuits of the paper (arXiv:2009.01783), a linear layer.
Ours has six circuits at each step, the usual one four. The median of several, all in turn, on one
thread. Steps take equally long, so that windows are cut to one quarter on lightning.qubit. Prints
Markdown; takes about two minutes.

    python -m benchmarks.torch_layers [--repeats 3] [--depth 1]
"""

import argparse
import statistics
from functools import partial

import pennylane as qml
import torch
from torch import Tensor, nn

from benchmarks.interleaved import interleaved_seconds
from benchmarks.tables import print_head, print_row
from qrnn_circuits import QLSTM

BATCH, WINDOW, HIDDEN = 64, 16, 8


class UsualQLSTM(nn.Module):
    """A QLSTM as tutorials write it."""

    def __init__(self, qubits: int, depth: int, device: str) -> None:
        """Makes four QNodes on a device."""
        super().__init__()
        line = qml.device(device, wires=qubits)

        def circuit(inputs: Tensor, weights: Tensor) -> list[qml.measurements.ExpectationMP]:
            for wire in range(qubits):
                qml.Hadamard(wire)
                qml.RY(torch.arctan(inputs[..., wire]), wire)
                qml.RZ(torch.arctan(inputs[..., wire] ** 2), wire)
            for layer in weights:
                for distance in (1, 2):
                    for wire in range(qubits):
                        qml.CNOT([wire, (wire + distance) % qubits])
                for wire in range(qubits):
                    qml.Rot(*layer[wire], wires=wire)
            return [qml.expval(qml.Z(wire)) for wire in range(qubits)]

        self.gates = nn.ModuleList(
            qml.qnn.TorchLayer(
                qml.QNode(circuit, line, interface="torch"), {"weights": (depth, qubits, 3)}
            )
            for _ in range(4)
        )
        self.before, self.behind = nn.Linear(1 + HIDDEN, qubits), nn.Linear(qubits, HIDDEN)

    def forward(self, inputs: Tensor) -> Tensor:
        """The hidden states, shape ``(T, B, H)``."""
        hidden = memory = inputs.new_zeros(inputs.shape[1], HIDDEN)
        outputs = []
        for values in inputs:
            encoded = self.before(torch.cat((hidden, values), 1))
            forget, update, candidate, output = [self.behind(gate(encoded)) for gate in self.gates]
            memory = forget.sigmoid() * memory + update.sigmoid() * candidate.tanh()
            hidden = output.sigmoid() * memory.tanh()
            outputs.append(hidden)
        return torch.stack(outputs)


def train(model: nn.Module, inputs: Tensor) -> None:
    """One forward and backward pass."""
    output = model(inputs)
    output = output[0] if isinstance(output, tuple) else output
    output.square().sum().backward()


def main() -> None:
    """Prints the table, each row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--depth", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = torch.randn(WINDOW, BATCH, 1)
    print_head(["Qubits", "QLSTM", "default.qubit", "ratio", "lightning.qubit", "ratio"])
    for qubits in (4, 8):
        ours = QLSTM(1, HIDDEN, linear=True, qubits=qubits, depth=arguments.depth)
        ways = {"ours": partial(train, ours, inputs)}
        for device, part in (("default.qubit", WINDOW), ("lightning.qubit", WINDOW // 4)):
            usual = UsualQLSTM(qubits, arguments.depth, device)
            ways[device] = partial(train, usual, inputs[:part])
        times = interleaved_seconds(ways, arguments.repeats, most=10)
        own, peer, slow = (statistics.median(times[way]) for way in ways)
        slow *= 4
        cells = [f"{own:.3f} s", f"{peer:.2f} s", f"{peer / own:.0f}"]
        print_row([qubits, *cells, f"{slow:.1f} s", f"{slow / own:.0f}"])


if __name__ == "__main__":
    main()
