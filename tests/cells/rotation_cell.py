"""A second recurrent cell: rotations of all wires, entangled by a ring of CNOTs."""

from collections.abc import Sequence
from functools import reduce

import pennylane as qml
import torch
from torch import Tensor, nn

from qrnn_circuits.cells.base import Cell, CircuitStage, NeuronFactory, symbol_flips


class RotationCell(Cell):
    """Layers of ``RY`` rotations of every wire, each followed by a ring of CNOTs."""

    def __init__(
        self,
        *,
        lane: int,
        workspace: int,
        layers: int = 3,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.lane, self.workspace = lane, workspace
        angles = torch.randn(layers, lane + workspace, generator=generator, dtype=torch.float64)
        self.angles = nn.Parameter(angles.to(dtype or torch.get_default_dtype()))

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        joint = state.new_zeros(len(inputs), 2**self.lane, 2**self.workspace)
        joint[torch.arange(len(inputs)), inputs] = state
        joint = joint.flatten(1)
        for angles in self.angles / 2:
            rotations = [
                torch.stack((a.cos(), -a.sin(), a.sin(), a.cos())).view(2, 2) for a in angles
            ]
            # Columns of the ring's permutation say where each basis state goes.
            joint = (joint @ reduce(torch.kron, rotations).T)[:, self._ring()]
        return joint.view(len(inputs), 2**self.lane, -1)

    def _ring(self) -> list[int]:
        """The basis state that the ring of CNOTs takes to each basis state."""
        wires = self.lane + self.workspace
        sources = list(range(2**wires))
        for wire in range(wires):
            control, target = wires - 1 - wire, wires - 1 - (wire + 1) % wires
            sources = [sources[x ^ ((x >> control & 1) << target)] for x in range(2**wires)]
        return sources

    def circuit(
        self,
        symbol: int,
        lane: Sequence[int],
        workspace: Sequence[int],
        neuron: NeuronFactory,
        *,
        lane_symbol: int = 0,
    ) -> list[CircuitStage]:
        wires = [*lane, *workspace]
        stages = [CircuitStage("write input", symbol_flips(lane, lane_symbol ^ symbol))]
        with qml.QueuingManager.stop_recording():
            for number, angles in enumerate(self.angles, 1):
                gates = [qml.RY(a, wires=wire) for a, wire in zip(angles, wires, strict=True)]
                ring = [qml.CNOT([a, b]) for a, b in zip(wires, wires[1:] + wires[:1], strict=True)]
                stages.append(CircuitStage(f"layer {number}", gates + ring))
        return stages
