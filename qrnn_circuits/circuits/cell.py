"""A step of the QRNN cell as PennyLane operations, and the QNode of a whole sequence."""

from collections.abc import Sequence
from typing import NamedTuple

import pennylane as qml
from torch import Tensor

from qrnn_circuits.cells.qrnn import QRNNCell
from qrnn_circuits.circuits.neuron import NeuronOperation
from qrnn_circuits.circuits.realisations.base import (
    DEFAULT_ATTEMPTS,
    DEFAULT_LENGTH,
    Realisation,
    ancilla_count,
    check_realisation,
    check_semantics,
    default_realisation,
)
from qrnn_circuits.network import QRNN


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


def registers(cell: QRNNCell, realisation: Realisation | None = None) -> Registers:
    """Numbers the wires of a cell's circuit.

    Args:
        cell: The cell.
        realisation: How its neurons are built; by default ``"postselect"`` for postselected
            semantics and ``"multiplexed"`` for unitary semantics.

    Raises:
        ValueError: If the realisation does not exist or is not of the cell's semantics.
    """
    realisation = realisation or default_realisation(cell.semantics)
    ancillas = ancilla_count(realisation, cell.order)
    check_semantics(realisation, cell.semantics)
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
    realisation: Realisation | None = None,
    *,
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
    lane_symbol: int = 0,
) -> None:
    """Queues one step, from writing the input symbol up to where the lane can be read.

    Args:
        cell: The cell.
        symbol: The input symbol, from 0 to ``2**I - 1``.
        realisation: How its neurons are built; by default ``"postselect"`` for postselected
            semantics and ``"multiplexed"`` for unitary semantics.
        attempts: How often ``"repeat_until_success"`` tries each ancilla at most.
        length: Degree of the polynomial of ``"amplified"``, odd.
        lane_symbol: The symbol that the lane still holds: only the wires in which the input differs
            from it are flipped.

    Raises:
        ValueError: If a symbol or option is out of range, or the realisation is not of the cell's
            semantics.
    """
    realisation = realisation or default_realisation(cell.semantics)
    lane, workspace, ancillas = registers(cell, realisation)
    check_realisation(
        realisation,
        order=cell.order,
        controls=cell.polynomial.variables,
        attempts=attempts,
        length=length,
    )
    for name, value in (("symbol", symbol), ("lane_symbol", lane_symbol)):
        _check_symbol(cell, name, value)
    rows = iter(cell.coefficients)

    def stage_of_neurons(targets: range) -> None:
        for target in targets:
            controls = [wire for wire in (*lane, *workspace) if wire != target]
            NeuronOperation(
                next(rows),
                [*controls, target, *ancillas],
                order=cell.order,
                degree=cell.degree,
                realisation=realisation,
                attempts=attempts,
                length=length,
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


def step_distribution(
    model: QRNN,
    inputs: Sequence[int],
    outcomes: Sequence[int],
    device: qml.devices.Device | None = None,
    *,
    realisation: Realisation | None = None,
    attempts: int = DEFAULT_ATTEMPTS,
    length: int = DEFAULT_LENGTH,
) -> Tensor:
    """Runs the gate-level circuit of a sequence and returns the last step's distribution.

    Differentiable in the model's parameters where the device is.

    Args:
        model: The network.
        inputs: The input symbols of T steps.
        outcomes: The outcomes that the first T - 1 steps are conditioned on.
        device: Any PennyLane device that runs mid-circuit measurements with postselection; by
            default ``default.qubit``, which for ``"repeat_until_success"`` and ``"amplified"``
            takes a further wire for every measurement: for small circuits only.
        realisation: As for :func:`cell_step`.
        attempts: As for :func:`cell_step`.
        length: As for :func:`cell_step`.

    Returns:
        Probabilities of the lane after step T given the earlier outcomes, shape ``(2**I,)``.

    Raises:
        ValueError: If there are not T inputs and T - 1 outcomes, a symbol is out of range, or the
            realisation is not of the model's semantics.
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
    realisation = realisation or default_realisation(cell.semantics)
    wires = registers(cell, realisation)
    mcm_method = None
    if device is None:
        device = qml.device("default.qubit")
        # Tree traversal weighs branches without the probability of a postselected outcome (seen in
        # PennyLane 0.45.1): right only where every measurement is postselected.
        every_one = realisation in ("postselect", "multiplexed")
        mcm_method = "tree-traversal" if every_one else "deferred"

    def sequence() -> None:
        held = 0
        for step, symbol in enumerate(inputs):
            cell_step(cell, symbol, realisation, attempts=attempts, length=length, lane_symbol=held)
            if step < len(outcomes):
                held = outcomes[step]
                condition_lane(cell, held, reset=False)

    def circuit() -> qml.measurements.ProbabilityMP:
        for operation in qml.tape.make_qscript(sequence)().operations:
            # Deferral does not see measurements inside operations.
            if isinstance(operation, NeuronOperation):
                operation.decomposition()
            else:
                qml.apply(operation)
        return qml.probs(wires=list(wires.lane))

    qnode = qml.QNode(circuit, device, interface="torch", mcm_method=mcm_method)
    distribution: Tensor = qnode()
    return distribution


def _check_symbol(cell: QRNNCell, name: str, symbol: int) -> None:
    if not 0 <= symbol < 2**cell.lane:
        raise ValueError(f"{name} must be a symbol from 0 to {2**cell.lane - 1}, got {symbol}")
