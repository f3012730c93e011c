"""The gates of a cell with unitary neurons, in a form that any simulator's circuit can be made of.

Wires are numbered as everywhere: the lane from 0, then the workspace. A step is the ``workspace``
gates while the lane holds the input symbol, then the ``readout`` gates while it starts from 0.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from qrnn_circuits import QRNN
from qrnn_circuits.neuron import block_amplitudes
from qrnn_circuits.synthesis import Rotate, Toggle, multiplexed_walk, table_to_parities

Form = Literal["gates", "multiplexers"]


@dataclass(frozen=True)
class Rotation:
    """``RY(angles[index])``.

    Attributes:
        target: The rotated wire.
        index: Position of its angle.
    """

    target: int
    index: int


@dataclass(frozen=True)
class Cnot:
    """A controlled X.

    Attributes:
        control: The control wire.
        target: The flipped wire.
    """

    control: int
    target: int


@dataclass(frozen=True)
class Multiplexer:
    """``RY(angles[first + x])`` where the other wires read x, the first the most significant.

    Attributes:
        target: The rotated wire.
        controls: All other wires, ascending.
        first: Position of the angle for x = 0.
    """

    target: int
    controls: tuple[int, ...]
    first: int

    @property
    def patterns(self) -> int:
        """Number of angles."""
        return int(2 ** len(self.controls))


Gate = Rotation | Cnot | Multiplexer


@dataclass(frozen=True)
class StepCircuit:
    """One step of a cell.

    Attributes:
        lane: Number I of lane wires.
        workspace_wires: Number W of workspace wires.
        workspace: Gates of the input and work stages.
        readout: Gates of the output stage.
    """

    lane: int
    workspace_wires: int
    workspace: tuple[Gate, ...]
    readout: tuple[Gate, ...]

    @property
    def wires(self) -> int:
        """Number of lane and workspace wires."""
        return self.lane + self.workspace_wires


def step_circuit(model: QRNN, form: Form) -> StepCircuit:
    """The gates of a step, whose angles are those of :func:`step_angles`.

    Args:
        model: A network of unitary semantics.
        form: A neuron with m controls as ``"gates"``: ``2**m`` rotations and as many CNOTs, or as
            ``"multiplexers"``: one operation.
    """
    cell = model.cell
    wires = range(cell.lane + cell.workspace)
    lane, workspace = wires[: cell.lane], wires[cell.lane :]
    patterns = 2**cell.polynomial.variables
    walk = multiplexed_walk(cell.polynomial.variables).steps

    def neuron(number: int, target: int) -> list[Gate]:
        controls = tuple(wire for wire in wires if wire != target)
        first = number * patterns
        if form == "multiplexers":
            return [Multiplexer(target, controls, first)]
        gates: list[Gate] = []
        for step in walk:
            if isinstance(step, Rotate):
                gates.append(Rotation(target, first + step.index))
            elif isinstance(step, Toggle):
                gates.append(Cnot(controls[step.control], target))
        return gates

    neurons = iter(range(len(cell.neuron_coefficients)))
    rotations = iter(range(len(cell.neuron_coefficients) * patterns, 2**63))
    gates: list[Gate] = []
    for stage in range(1 + cell.stages):
        if stage > 0:
            gates += [Rotation(wire, next(rotations)) for wire in workspace]
        for wire in workspace:
            gates += neuron(next(neurons), wire)
    readout = [gate for wire in lane for gate in neuron(next(neurons), wire)]
    return StepCircuit(cell.lane, cell.workspace, tuple(gates), tuple(readout))


def step_angles(model: QRNN, form: Form) -> Tensor:
    """All rotation angles of a step, differentiable in the model's parameters, shape ``(A,)``."""
    cell = model.cell
    cos, sin = block_amplitudes(
        cell.polynomial.table(cell.neuron_coefficients), cell.order, "unitary"
    )
    tables = 2 * torch.atan2(sin, cos)
    if form == "gates":
        tables = (
            tables @ torch.from_numpy(table_to_parities(cell.polynomial.variables)).to(tables).T
        )
    return torch.cat([tables.flatten(), cell.theta.flatten()])
