"""A step of the QRNN cell as PennyLane operations."""

from collections.abc import Sequence
from typing import NamedTuple

import pennylane as qml

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import Realisation, realisation_of


class Registers(NamedTuple):
    """The wires of a cell's circuit, numbered from 0 in this order.

    Attributes:
        lane: Input and output, ``I`` wires, the most significant bit of a symbol first.
        workspace: State of the cell, ``W`` wires.
        ancillas: Shared by all neurons, as many as the realisation needs; they are 0 between
            neurons.
    """

    lane: range
    workspace: range
    ancillas: range


def registers(cell: QRNNCell, realisation: Realisation | str | None = None) -> Registers:
    """Numbers the wires of a cell's circuit.

    Args:
        cell: The cell.
        realisation: How its neurons are built, as for
            :func:`~qrnn_circuits.circuits.realisations.realisation_of`.

    Raises:
        ValueError: If the realisation does not exist or is not of the cell's semantics.

    Example:
        >>> from qrnn_circuits import QRNNCell
        >>> registers(QRNNCell(lane=1, workspace=2, order=2))
        Registers(lane=range(0, 1), workspace=range(1, 3), ancillas=range(3, 5))
    """
    ancillas = realisation_of(realisation, cell.semantics).ancillas(cell.order)
    lane = range(cell.lane)
    workspace = range(lane.stop, lane.stop + cell.workspace)
    return Registers(lane, workspace, range(workspace.stop, workspace.stop + ancillas))


def flip_symbol(wires: Sequence[int], symbol: int) -> None:
    """Queues an X on each wire where the symbol has a 1: writes it onto zeros, or takes it off."""
    for position, wire in enumerate(reversed(wires)):
        if symbol >> position & 1:
            qml.X(wire)


def cell_step(
    cell: QRNNCell,
    symbol: int,
    realisation: Realisation | str | None = None,
    *,
    lane_symbol: int = 0,
) -> None:
    """Queues one step, from writing the input symbol up to where the lane can be read.

    Args:
        cell: The cell.
        symbol: The input symbol, from 0 to ``2**I - 1``.
        realisation: How its neurons are built, as for
            :func:`~qrnn_circuits.circuits.realisations.realisation_of`.
        lane_symbol: The symbol that the lane still holds: only the wires in which the input differs
            from it are flipped.

    Raises:
        ValueError: If a symbol is out of range, or the realisation does not exist, cannot be built
            or is not of the cell's semantics.

    Example:
        >>> from qrnn_circuits import QRNNCell
        >>> cell = QRNNCell(lane=1, workspace=1, degree=1, semantics="unitary")
        >>> tape = qml.tape.make_qscript(cell_step)(cell, symbol=1)
        >>> [operation.name for operation in tape.operations]
        ['PauliX', 'NeuronOperation', 'RY', 'NeuronOperation', 'PauliX', 'NeuronOperation']
    """
    realisation = realisation_of(realisation, cell.semantics)
    lane, workspace, ancillas = registers(cell, realisation)
    for name, value in (("symbol", symbol), ("lane_symbol", lane_symbol)):
        _check_symbol(cell, name, value)
    rows = iter([*cell.coefficients, *cell.readout_coefficients])

    def stage_of_neurons(targets: range) -> None:
        for target in targets:
            controls = [wire for wire in (*lane, *workspace) if wire != target]
            NeuronOperation(
                next(rows),
                [*controls, target, *ancillas],
                order=cell.order,
                degree=cell.degree,
                realisation=realisation,
            )

    flip_symbol(lane, lane_symbol ^ symbol)
    stage_of_neurons(workspace)
    for angles in cell.theta:
        for angle, wire in zip(angles, workspace, strict=True):
            qml.RY(angle, wires=wire)
        stage_of_neurons(workspace)
    flip_symbol(lane, symbol)
    stage_of_neurons(lane)


def condition_lane(
    cell: QRNNCell, outcome: int | None, *, reset: bool = True
) -> list[qml.ops.MeasurementValue]:
    """Queues the read-out of the lane and resets it to 0.

    Args:
        cell: The cell.
        outcome: The symbol to postselect on; ``None`` to take whatever is read.
        reset: Whether to reset the lane. Without a reset it still holds the outcome, which the next
            step's ``lane_symbol`` can name.

    Returns:
        The measured bits, the most significant first.

    Raises:
        ValueError: If the outcome is out of range.

    Example:
        >>> from qrnn_circuits import QRNNCell
        >>> tape = qml.tape.make_qscript(condition_lane)(QRNNCell(lane=2, workspace=1), 1)
        >>> [getattr(operation, "postselect", operation.name) for operation in tape.operations]
        [0, 1, 'PauliX']
    """
    lane = range(cell.lane)
    if outcome is None:
        return [qml.measure(wire, reset=reset) for wire in lane]
    _check_symbol(cell, "outcome", outcome)
    bits = [
        qml.measure(wire, postselect=outcome >> (cell.lane - 1 - position) & 1)
        for position, wire in enumerate(lane)
    ]
    if reset:
        flip_symbol(lane, outcome)
    return bits


def _check_symbol(cell: QRNNCell, name: str, symbol: int) -> None:
    if not 0 <= symbol < 2**cell.lane:
        raise ValueError(f"{name} must be a symbol from 0 to {2**cell.lane - 1}, got {symbol}")
