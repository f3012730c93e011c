"""A step of a cell as PennyLane operations."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pennylane as qml
from pennylane.typing import TensorLike
from torch import Tensor

from qrnn_circuits.cells.base import Cell, CircuitStage, symbol_flips
from qrnn_circuits.circuits.dropping import kept_parities, spectrum_of
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations import Realisation, realisation_at, realisation_of


class Registers(NamedTuple):
    """The wires of a cell's circuit, numbered from 0 in this order.

    Attributes:
        lane: Input and output, ``I`` wires, the most significant bit of a symbol first.
        workspace: State of the cell, ``W`` wires.
        ancillas: Shared by all neurons, as many as the realisation needs; they are 0 between
            neurons.

    Example:
        >>> wires = Registers(lane=range(0, 2), workspace=range(2, 4), ancillas=range(4, 5))
        >>> list(wires.workspace)
        [2, 3]
    """

    lane: range
    workspace: range
    ancillas: range


def registers(cell: Cell, realisation: Realisation | str | None = None) -> Registers:
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
    chosen = realisation_of(realisation, cell.semantics, cell.order)
    ancillas = realisation_at(chosen, cell.order).ancillas(cell.order)
    lane = range(cell.lane)
    workspace = range(lane.stop, lane.stop + cell.workspace)
    return Registers(lane, workspace, range(workspace.stop, workspace.stop + ancillas))


def cell_step(
    cell: Cell,
    symbol: int | Tensor,
    realisation: Realisation | str | None = None,
    *,
    lane_symbol: int = 0,
    read: bool = True,
) -> None:
    """Queues one step, from writing the input symbol up to where the lane can be read.

    Args:
        cell: The cell.
        symbol: The input symbol, from 0 to ``2**I - 1``; or the features of the step, shape
            ``(F,)``.
        realisation: How its neurons are built, as for
            :func:`~qrnn_circuits.circuits.realisations.realisation_of`.
        lane_symbol: The symbol that the lane still holds: only the wires in which the input differs
            from it are flipped.
        read: Whether the lane is to be read. Otherwise it still holds the input symbol at the end.

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
    for stage in cell_stages(cell, symbol, realisation, lane_symbol=lane_symbol, read=read):
        for operation in stage.operations:
            qml.apply(operation)


def cell_stages(
    cell: Cell,
    symbol: int | Tensor,
    realisation: Realisation | str | None = None,
    *,
    lane_symbol: int = 0,
    read: bool = True,
    tolerance: float = 0.0,
) -> list[CircuitStage]:
    """The stages of one step, whose operations are not queued.

    Args:
        cell: The cell.
        symbol: The input symbol, from 0 to ``2**I - 1``; or the features of the step, shape
            ``(F,)``.
        realisation: How its neurons are built, see
            :func:`~qrnn_circuits.circuits.realisations.realisation_of`.
        lane_symbol: The symbol that the lane still holds.
        read: Whether the lane is to be read.
        tolerance: Neurons drop rotations by at most this angle, in radians; with 0 none.

    Raises:
        NotImplementedError: If the cell has no circuit, or none of a step that is not read.
        ValueError: If a symbol is out of range, or the realisation does not exist, cannot be built
            or is not of the cell's semantics.
    """
    chosen = realisation_of(realisation, cell.semantics, cell.order)
    lane, workspace, ancillas = registers(cell, chosen)
    if not cell.features:
        _check_symbol(cell, "symbol", symbol)
    _check_symbol(cell, "lane_symbol", lane_symbol)

    def neuron(
        coefficients: Tensor, controls: Sequence[int], target: int, degree: int
    ) -> NeuronOperation:
        return neuron_operation(
            coefficients,
            controls,
            target,
            ancillas,
            order=cell.order,
            degree=degree,
            realisation=chosen,
            tolerance=tolerance,
        )

    circuit = cell.circuit if read else cell.evolve_circuit
    return circuit(symbol, lane, workspace, neuron, lane_symbol=lane_symbol)


def neuron_operation(
    coefficients: TensorLike,
    controls: Sequence[int],
    target: int,
    ancillas: Sequence[int],
    *,
    order: int,
    degree: int,
    realisation: Realisation,
    tolerance: float = 0.0,
) -> NeuronOperation:
    """A neuron without its small rotations, which is not queued.

    Args:
        coefficients: Of its polynomial, in radians, shape ``(P,)``.
        controls: The control wires, in the order of the polynomial's variables.
        target: The rotated wire.
        ancillas: As many as the realisation takes.
        order: Order of the neuron.
        degree: Degree of the polynomial.
        realisation: How it is built.
        tolerance: It drops rotations by at most this angle, in radians; with 0 none.
    """
    options: dict[str, Any] = {"order": order, "degree": degree}
    if tolerance:
        built = realisation_at(realisation, order)
        spectrum = spectrum_of(built, coefficients, len(controls), **options)
        options["parities"] = kept_parities(spectrum, tolerance)
    with qml.QueuingManager.stop_recording():
        return NeuronOperation(
            coefficients, [*controls, target, *ancillas], realisation=realisation, **options
        )


def condition_lane(
    cell: Cell, outcome: int | None, *, reset: bool = True
) -> list[qml.ops.MeasurementValue]:
    """Queues the readout of the lane and resets it to 0.

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
        for flip in symbol_flips(lane, outcome):
            qml.apply(flip)
    return bits


def _check_symbol(cell: Cell, name: str, symbol: int | Tensor) -> None:
    if not 0 <= symbol < 2**cell.lane:
        raise ValueError(f"{name} must be a symbol from 0 to {2**cell.lane - 1}, got {symbol}")
