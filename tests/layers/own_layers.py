"""Layers that the package does not know, as a user writes them."""

from collections.abc import Sequence

import pennylane as qml
import torch
from pennylane.operation import Operator
from torch import Tensor, nn

from qrnn_circuits.circuits import readings_of
from qrnn_circuits.layers import HybridCell, HybridLayer, RecurrentLayer, Steps
from qrnn_circuits.simulation.variational import Evaluate


class MinimalGatedCell(HybridCell):
    def bank_sizes(self, features: int, hidden: int) -> Sequence[tuple[int, int]]:
        return (1, hidden + features), (1, hidden + features)

    def step(
        self, inputs: Tensor, state: Tensor, circuits: Sequence[Evaluate]
    ) -> tuple[Tensor, Tensor]:
        gates, candidates = self.banks
        (gate,) = gates(torch.cat((state, inputs), -1), circuits[0]).sigmoid()
        (candidate,) = candidates(torch.cat((gate * state, inputs), -1), circuits[1]).tanh()
        state = (1 - gate) * state + gate * candidate
        return state, state


class MinimalGatedLayer(HybridLayer):
    cell_type = MinimalGatedCell


class TurningCell(nn.Module):
    def __init__(self, values: int, wires: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.empty(wires, values))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        self.weights.uniform_(-1, 1, generator=generator)

    def gates(self, values: Tensor) -> list[Operator]:
        with qml.QueuingManager.stop_recording():
            return [qml.RY(angle, wire) for wire, angle in enumerate(self.weights @ values)]


class TurningLayer(RecurrentLayer):
    """Returns cos of weighted sums, by circuits also where it is simulated."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        batch_first: bool = False,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            1,
            batch_first=batch_first,
            dropout=0.0,
            bidirectional=False,
            reading="every",
        )
        cells = [TurningCell(size + hidden_size, hidden_size) for size in self.input_sizes()]
        self.cells = nn.ModuleList(cells).to(dtype)
        self.reset_parameters(generator)

    @property
    def state_size(self) -> int:
        return self.hidden_size

    def run_cell(
        self, cell: nn.Module, inputs: Tensor, state: Tensor, steps: Steps
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(cell, TurningCell)
        device = self.quantum_device or qml.device("qrnn.torch")
        outputs = []
        for features in inputs:
            circuits = [cell.gates(torch.cat(row)) for row in zip(features, state, strict=True)]
            wires = [range(self.hidden_size)] * len(circuits)
            state = readings_of(circuits, wires, device, shots=self.shots).to(inputs)
            outputs.append(state)
        return torch.stack(outputs), torch.stack(outputs)
