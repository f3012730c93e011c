"""A step of the QRNN cell as PennyLane operations, and the QNode of a whole sequence."""

from collections.abc import Sequence
from typing import NamedTuple

import pennylane as qml
from torch import Tensor

from qrnn_circuits.cell import QRNNCell
from qrnn_circuits.circuits.neuron import postselected_neuron
from qrnn_circuits.network import QRNN


class Registers(NamedTuple):
    """The wires of a cell's circuit, numbered from 0 in this order.

    Attributes:
        lane: Input and output, ``I`` wires, the most significant bit of a symbol first.
        workspace: State of the cell, ``W`` wires.
        ancillas: Shared by all neurons, one for each order; they read 0 between neurons.
    """

    lane: range
    workspace: range
    ancillas: range


def registers(cell: QRNNCell) -> Registers:
    """Numbers the wires of a cell's circuit."""
    lane = range(cell.lane)
    workspace = range(lane.stop, lane.stop + cell.workspace)
    return Registers(lane, workspace, range(workspace.stop, workspace.stop + cell.order))


def flip_symbol(wires: Sequence[int], symbol: int) -> None:
    """Queues an X on each wire where the symbol has a 1: writes it onto zeros, or takes it off."""
    for position, wire in enumerate(reversed(wires)):
        if symbol >> position & 1:
            qml.X(wire)


def cell_step(cell: QRNNCell, symbol: int) -> None:
    """Queues one step, from writing the input symbol up to where the lane can be read.

    Every neuron is postselected: its ancillas are measured and only the outcome 0 is kept.

    Args:
        cell: The cell, of ``"postselected"`` semantics.
        symbol: The input symbol, from 0 to ``2**I - 1``.

    Raises:
        ValueError: If the cell has other semantics, which postselection does not realise.
    """
    if cell.semantics != "postselected":
        raise ValueError(
            f"semantics must be 'postselected' for a circuit of postselected neurons, got "
            f"{cell.semantics!r}"
        )
    lane, workspace, ancillas = registers(cell)
    coefficients = iter(cell.coefficients)

    def stage_of_neurons(targets: range) -> None:
        for target in targets:
            controls = [wire for wire in (*lane, *workspace) if wire != target]
            postselected_neuron(cell.polynomial, next(coefficients), controls, target, ancillas)

    flip_symbol(lane, symbol)
    stage_of_neurons(workspace)
    for angles in cell.theta:
        for angle, wire in zip(angles, workspace, strict=True):
            qml.RY(angle, wires=wire)
        stage_of_neurons(workspace)
    flip_symbol(lane, symbol)
    stage_of_neurons(lane)


def condition_lane(cell: QRNNCell, outcome: int) -> None:
    """Queues the read-out of the lane, postselected on an outcome, and resets the lane to 0."""
    lane = registers(cell).lane
    for position, wire in enumerate(lane):
        qml.measure(wire, postselect=outcome >> (cell.lane - 1 - position) & 1)
    flip_symbol(lane, outcome)


def step_distribution(
    model: QRNN,
    inputs: Sequence[int],
    outcomes: Sequence[int],
    device: qml.devices.Device | None = None,
) -> Tensor:
    """Runs the gate-level circuit of a sequence and returns the last step's distribution.

    Differentiable in the model's parameters where the device is.

    Args:
        model: A network of ``"postselected"`` semantics.
        inputs: The input symbols of T steps.
        outcomes: The outcomes that the first T - 1 steps are conditioned on.
        device: Any PennyLane device that runs mid-circuit measurements with postselection; by
            default ``default.qubit``.

    Returns:
        Probabilities of the lane after step T given the earlier outcomes, shape ``(2**I,)``.

    Raises:
        ValueError: If there are not T inputs and T - 1 outcomes, a symbol is out of range, or the
            model's semantics are not ``"postselected"``.
    """
    cell = model.cell
    if len(inputs) < 1 or len(outcomes) != len(inputs) - 1:
        raise ValueError(
            f"outcomes must hold one symbol for each input but the last, got {len(outcomes)} "
            f"outcomes and {len(inputs)} inputs"
        )
    for name, symbols in (("inputs", inputs), ("outcomes", outcomes)):
        for symbol in symbols:
            if not 0 <= symbol < 2**cell.lane:
                raise ValueError(
                    f"{name} must be symbols from 0 to {2**cell.lane - 1}, got {symbol}"
                )

    mcm_method = "tree-traversal" if device is None else None
    if device is None:
        device = qml.device("default.qubit", wires=registers(cell).ancillas.stop)

    def circuit() -> qml.measurements.ProbabilityMP:
        for symbol, outcome in zip(inputs, outcomes, strict=False):
            cell_step(cell, symbol)
            condition_lane(cell, outcome)
        cell_step(cell, inputs[-1])
        return qml.probs(wires=list(registers(cell).lane))

    qnode = qml.QNode(circuit, device, interface="torch", mcm_method=mcm_method)
    distribution: Tensor = qnode()
    return distribution
